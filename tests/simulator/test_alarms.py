"""Deployment alarms: when ECS watches them, what one ends, and what ECS goes back to."""

from typing import Any

import pytest

from simulator.ecs.rollouts import Crashes
from simulator.fixtures import Ground, says
from tests.support.alarms import create, put

Json = dict[str, Any]

SPAN = 120  # seconds that the longest of the alarms looks back


@pytest.fixture
def watched(ground: Ground) -> Ground:
    """A service that serves, whose deployments two alarms end."""
    for name, periods in (("errors", 1), ("latency", 2)):
        create(ground, name, periods=periods)
    alarms = {"alarmNames": ["errors", "latency"], "enable": True, "rollback": True}
    ground.settings["deploymentConfiguration"] |= {"alarms": alarms}
    ground.serving()
    ground.aws.clock.sleep(SPAN)
    ground.watch()
    return ground


def states(service: Json) -> list[tuple[str, str, str, int]]:
    return [
        (d["status"], d["taskDefinition"].rsplit("/")[-1], d["rolloutState"], d["runningCount"])
        for d in service["deployments"]
    ]


def latest(ground: Ground) -> Json:
    """The service deployment that began last."""
    ecs = ground.aws.client("ecs")
    arns = [
        each["serviceDeploymentArn"]
        for each in ecs.list_service_deployments(cluster="cluster", service="app")[
            "serviceDeployments"
        ][:1]
    ]
    described: Json = ecs.describe_service_deployments(serviceDeploymentArns=arns)
    record: Json = described["serviceDeployments"][0]
    return record


BAKING = [("PRIMARY", "app:2", "IN_PROGRESS", 1), ("ACTIVE", "app:1", "COMPLETED", 0)]


def look_until(ground: Ground, wanted: list[tuple[str, str, str, int]]) -> Json:
    return next(service for service in ground.looks() if states(service) == wanted)


def test_a_deployment_bakes_before_it_is_complete(watched: Ground) -> None:
    watched.roll_out()
    look_until(watched, BAKING)
    watched.aws.clock.sleep(SPAN - 1)
    assert states(watched.look()) == BAKING
    assert latest(watched)["alarms"]["status"] == "MONITORING"
    watched.aws.clock.sleep(2)
    assert states(watched.look()) == [("PRIMARY", "app:2", "COMPLETED", 1)]
    assert latest(watched)["alarms"] == {
        "status": "MONITORING_COMPLETE",
        "alarmNames": ["errors", "latency"],
        "triggeredAlarmNames": [],
    }


def test_an_alarm_ends_a_deployment_and_names_itself(watched: Ground) -> None:
    ours = watched.roll_out()
    look_until(
        watched, [("PRIMARY", "app:2", "IN_PROGRESS", 1), ("ACTIVE", "app:1", "COMPLETED", 1)]
    )
    put(watched, "ALARM", "latency")
    back, failed = watched.look()["deployments"]
    assert (back["taskDefinition"][-5:], failed["rolloutState"]) == ("app:1", "FAILED")
    assert f"(service app) (deployment {ours['id']}) deployment failed: alarm detected." in says(
        watched.look()
    )
    assert latest(watched)["alarms"]["triggeredAlarmNames"] == ["latency"]
    assert states(watched.watch()) == [("PRIMARY", "app:1", "COMPLETED", 1)]
    assert latest(watched)["status"] == "ROLLBACK_SUCCESSFUL"


def test_a_rollback_in_the_bake_time_starts_the_earlier_tasks_again(watched: Ground) -> None:
    watched.roll_out()
    look_until(watched, BAKING)
    put(watched, "ALARM", "errors")
    running = [watched.look()["runningCount"] for _ in range(4)]
    assert min(running) == 1, "the failed deployment serves until the earlier one does"
    assert states(watched.watch()) == [("PRIMARY", "app:1", "COMPLETED", 1)]


def test_an_alarm_that_is_on_at_the_start_turns_the_watch_off(watched: Ground) -> None:
    put(watched, "ALARM", "errors")
    watched.roll_out()
    watched.look()
    put(watched, "ALARM", "latency")
    assert states(watched.watch()) == [("PRIMARY", "app:2", "COMPLETED", 1)]
    assert latest(watched)["alarms"]["status"] == "DISABLED"


def test_an_alarm_without_data_or_that_was_deleted_ends_nothing(watched: Ground) -> None:
    put(watched, "INSUFFICIENT_DATA", "errors")
    watched.roll_out()
    watched.look()
    watched.aws.client("cloudwatch").delete_alarms(AlarmNames=["latency"])
    look_until(watched, BAKING)
    watched.aws.clock.sleep(SPAN)
    assert states(watched.watch()) == [("PRIMARY", "app:2", "COMPLETED", 1)]


def test_an_alarm_after_the_end_changes_nothing(watched: Ground) -> None:
    watched.roll_out()
    look_until(watched, BAKING)
    watched.aws.clock.sleep(SPAN)
    watched.watch()
    put(watched, "ALARM", "errors")
    assert states(watched.look()) == [("PRIMARY", "app:2", "COMPLETED", 1)]


def test_the_circuit_breaker_ends_a_deployment_that_has_alarms(watched: Ground) -> None:
    watched.aws.next_rollout(Crashes())
    watched.roll_out()
    assert states(watched.watch()) == [("PRIMARY", "app:1", "COMPLETED", 1)]
    assert latest(watched)["alarms"]["triggeredAlarmNames"] == []


def test_alarms_stay_when_an_update_does_not_name_them(watched: Ground) -> None:
    ecs = watched.aws.client("ecs")
    ecs.update_service(
        cluster="cluster", service="app", deploymentConfiguration={"maximumPercent": 150}
    )
    found = watched.look()["deploymentConfiguration"]
    assert found["alarms"]["alarmNames"] == ["errors", "latency"]
    assert found["maximumPercent"] == 150
