"""Spot and schedules, as edits that docs/guides/pay.md shows: they are applied from its text."""

import json
import re
from typing import Any

import pytest
from infra.tool.provision.cost import cost
from infra.tool.schedule_document import about_schedule

from simulator.scheduled_actions import run_scheduled_action
from tests.support.checkout import Checkout
from tests.support.recipe_page import Change, parse
from tests.support.recipe_steps import change
from tests.support.rendering import ROOT

PAGE = ROOT / "docs" / "guides" / "pay.md"
SPOT, SCHEDULE = "Tasks on Spot", "Tasks by the clock"
SCALING = "application-autoscaling"


def apply(checkout: Checkout, heading: str) -> None:
    """The edits below a heading of the page, provisioned, committed and with an image."""
    edit(checkout, heading)
    checkout.administer("provision").expect(0)


def edit(checkout: Checkout, heading: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    [section] = re.findall(rf"^## {heading}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    for step in parse(PAGE.name, section):
        assert isinstance(step, Change), f"{step.place}: a section has changes only"
        change(step, checkout.folder)
    checkout.release()


def bounds(checkout: Checkout) -> tuple[int, int]:
    [target] = checkout.aws.client(SCALING).describe_scalable_targets(ServiceNamespace="ecs")[
        "ScalableTargets"
    ]
    return target["MinCapacity"], target["MaxCapacity"]


def actions(checkout: Checkout) -> dict[str, dict[str, Any]]:
    """The scheduled actions in AWS, by their names."""
    found = checkout.aws.client(SCALING).describe_scheduled_actions(ServiceNamespace="ecs")
    return {each["ScheduledActionName"]: each for each in found["ScheduledActions"]}


def settle(checkout: Checkout) -> None:
    """Wait until no task starts or stops any more."""
    names, ecs = checkout.settings.names, checkout.aws.client("ecs")
    asked = {"cluster": names.cluster, "services": [names.service]}
    while len({checkout.ecs_service[key] for key in ("desiredCount", "runningCount")}) > 1:
        ecs.describe_services(**asked)


def pass_to(checkout: Checkout, action: str) -> None:
    """Move the clock to the time of a scheduled action."""
    run_scheduled_action(checkout.aws, action)
    settle(checkout)


# --- Spot ---


def test_the_spot_edit_of_the_page_works(deployed: Checkout) -> None:
    apply(deployed, SPOT)
    run = deployed.run("deploy").expect(0)
    assert run.request("ecs:UpdateService")["forceNewDeployment"] is True
    assert deployed.ecs_service["capacityProviderStrategy"] == [
        {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 3, "base": 0},
    ]
    assert "launchType" not in deployed.ecs_service
    deployed.release()
    assert "forceNewDeployment" not in deployed.run("deploy").expect(0).request("ecs:UpdateService")


# --- schedules ---


def test_a_first_deploy_sets_the_schedule_and_the_bounds_of_the_settings(
    provisioned: Checkout,
) -> None:
    apply(provisioned, SCHEDULE)
    provisioned.run("deploy").expect(0)
    assert actions(provisioned).keys() == {"day", "night"}
    assert actions(provisioned)["day"]["Timezone"] == "Europe/Berlin"
    assert bounds(provisioned) == (1, 4), "until the first action"


def test_before_the_permissions_are_there_a_deploy_says_which_one_it_lacks(
    deployed: Checkout,
) -> None:
    edit(deployed, SCHEDULE)
    run = deployed.run("deploy").expect(1, "scaling-not-set")
    run.expect_text(f"{SCALING}:PutScheduledAction")
    deployed.administer("provision").expect(0)
    deployed.run("deploy").expect(0)
    assert actions(deployed).keys() == {"day", "night"}


def test_a_deploy_between_two_actions_keeps_the_bounds(deployed: Checkout) -> None:
    apply(deployed, SCHEDULE)
    deployed.run("deploy").expect(0)
    pass_to(deployed, "day")
    assert (bounds(deployed), deployed.ecs_service["desiredCount"]) == ((2, 8), 2)
    deployed.release()
    run = deployed.run("deploy").expect(0)
    assert (bounds(deployed), deployed.ecs_service["desiredCount"]) == ((2, 8), 2)
    assert f"{SCALING}:RegisterScalableTarget" not in run.operations
    assert "desiredCount" not in run.request("ecs:UpdateService")


def test_a_deploy_at_night_starts_no_task_and_the_morning_action_does(deployed: Checkout) -> None:
    apply(deployed, SCHEDULE)
    deployed.run("deploy").expect(0)
    pass_to(deployed, "night")
    deployed.release()
    deployed.run("deploy").expect(3, "no-tasks")
    assert (bounds(deployed), deployed.ecs_service["desiredCount"]) == ((0, 0), 0)
    pass_to(deployed, "day")
    run = deployed.run("deploy").expect(0)
    assert "ecs:UpdateService" not in run.changes, "it is deployed already"
    assert deployed.ecs_service["runningCount"] == 2


def test_an_action_that_the_document_no_longer_has_is_deleted(deployed: Checkout) -> None:
    apply(deployed, SCHEDULE)
    deployed.run("deploy").expect(0)
    document = deployed.document("infra/autoscaling.json")
    del document["scheduledActions"][1]
    deployed.write("infra/autoscaling.json", json.dumps(document))
    deployed.release()
    run = deployed.run("deploy").expect(0)
    assert "Deleted the scheduled action night" in run.out
    assert actions(deployed).keys() == {"day"}


def test_an_empty_list_of_actions_restores_the_bounds_of_the_settings(
    deployed: Checkout,
) -> None:
    apply(deployed, SCHEDULE)
    deployed.run("deploy").expect(0)
    pass_to(deployed, "night")
    document = deployed.document("infra/autoscaling.json") | {"scheduledActions": []}
    deployed.write("infra/autoscaling.json", json.dumps(document))
    deployed.release()
    run = deployed.run("deploy").expect(0)
    assert run.request("ecs:UpdateService")["desiredCount"] == 1
    assert (bounds(deployed), actions(deployed)) == ((1, 4), {})
    assert deployed.ecs_service["runningCount"] == 1


def test_a_document_without_scheduled_actions_keeps_those_made_by_hand(
    deployed: Checkout,
) -> None:
    apply(deployed, SCHEDULE)
    deployed.run("deploy").expect(0)
    document = deployed.document("infra/autoscaling.json")
    del document["scheduledActions"]
    deployed.write("infra/autoscaling.json", json.dumps(document))
    deployed.release()
    deployed.run("deploy").expect(0)
    assert actions(deployed).keys() == {"day", "night"}


def test_a_plan_shows_the_changes_of_the_schedule(deployed: Checkout) -> None:
    apply(deployed, SCHEDULE)
    run = deployed.run("deploy", "--plan", "--json").expect(0).expect_no_change()
    paths = {change["path"] for change in json.loads(run.out)["scaling"]}
    assert {"scheduledActions[day]", "scheduledActions[night]"} <= paths
    deployed.run("deploy").expect(0)
    run = deployed.run("deploy", "--plan", "--json").expect(0)
    assert json.loads(run.out)["scaling"] == []


def test_a_schedule_as_crontab_has_it_is_refused_before_anything_changes(
    deployed: Checkout,
) -> None:
    """AWS would refuse it only after the deployment."""
    apply(deployed, SCHEDULE)
    document = deployed.document("infra/autoscaling.json")
    document["scheduledActions"][0]["Schedule"] = "cron(0 20 * * MON-FRI)"
    deployed.write("infra/autoscaling.json", json.dumps(document))
    deployed.release()
    run = deployed.run("deploy").expect(2, "document-wrong").expect_no_change()
    assert "has 5 fields, and needs six" in run.err


@pytest.mark.parametrize(
    "right",
    [
        *("cron(0 8 ? * MON-FRI *)", "cron(0 8 * * ? *)", "cron(0/15 8-17 1,15 JAN ? 2027)"),
        *("rate(1 hour)", "rate(30 minutes)", "at(2026-12-24T20:00:00)"),
    ],
)
def test_schedules_that_application_auto_scaling_takes(right: str) -> None:
    assert [*about_schedule(right)] == []


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "every day", "0 8 ? * MON-FRI *", "cron()", "cron(0 8 * * MON-FRI)"),
        *("cron(0 8 * * * *)", "cron(0 8 ? * ? *)", "CRON(0 8 ? * * *)"),
        *("rate(0 hours)", "rate(hour)", "rate(1 week)", "rate(1.5 hours)"),
        *("at(2026-12-24)", "at(2026-13-24T20:00:00)", "at(2026-12-24T20:00:00Z)"),
    ],
)
def test_other_schedules_are_refused(wrong: str) -> None:
    assert len([*about_schedule(wrong)]) == 1


# --- the costs on the page ---


def month(cpu: str, memory: str) -> float:
    """The cost of one task in a month, in dollars."""
    size = {"cpu": cpu, "memory": memory, "runtimePlatform": {"cpuArchitecture": "X86_64"}}
    return cost(size, tasks=1, zones=0, public_ip=False).task_cost


def test_the_costs_of_the_page_are_those_of_a_plan() -> None:
    half, quarter = month("512", "1024"), month("256", "512")
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for told in (
        f"Four tasks of 0.5 vCPU and 1 GB cost ${round(4 * half)} a month on Fargate",
        f"one task on Fargate and three on Spot cost ${round(half + 3 * 0.3 * half)}.",
        f"One task of 0.25 vCPU and 0.5 GB costs ${round(quarter)} a month",
        f"on five of seven days, ${round(quarter * 12 / 24 * 5 / 7)}.",
    ):
        assert told in text, f"docs/guides/pay.md must say: {told}"
