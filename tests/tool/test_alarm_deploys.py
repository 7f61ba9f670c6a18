"""`[alarms] roll_back`: alarms end a deployment, and the deploy reports which one did."""

import hashlib
import json

import pytest

from simulator.ecs.rollouts import Crashes
from tests.support import alarms
from tests.support.alarms import ERRORS, OF_THE_STACK, goes_off, put
from tests.support.checkout import Checkout, Json, Run

ON: Json = {"alarmNames": OF_THE_STACK, "enable": True, "rollback": True}
OFF: Json = {"alarmNames": [], "enable": False, "rollback": False}
FIRST, SECOND = "ai-assistant-task:1", "ai-assistant-task:2"


def sent_alarms(run: Run) -> Json | None:
    """The alarms in the request of UpdateService; None if it has none."""
    found = run.request("ecs:UpdateService").get("deploymentConfiguration", {}).get("alarms")
    return dict(found) if found is not None else None


def alarms_of(checkout: Checkout) -> Json:
    found: Json = checkout.ecs_service["deploymentConfiguration"].get("alarms", OFF)
    return found


@pytest.fixture
def watched(deployed: Checkout) -> Checkout:
    """A deployed service, in which a commit turns the setting on."""
    alarms.turn_on(deployed)
    return deployed


# --- off ---


def test_without_the_setting_a_deploy_makes_the_same_calls_as_before(deployed: Checkout) -> None:
    deployed.release()
    run = deployed.run("deploy").expect(0)
    document, outputs = deployed.document("infra/service.json"), stack_outputs(deployed)
    common = document | {
        "cluster": "ai-assistant-cluster",
        "loadBalancers": [
            {
                "targetGroupArn": outputs["TargetGroupArn"],
                "containerName": "ai-assistant-container",
                "containerPort": 8080,
            }
        ],
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": outputs["SubnetIds"].split(","),
                "securityGroups": [outputs["TaskSecurityGroupId"]],
                "assignPublicIp": "ENABLED",
            }
        },
    }
    update = run.request("ecs:UpdateService")
    assert {**update, "launchType": "FARGATE"} == common | {
        "service": "ai-assistant-service",
        "taskDefinition": update["taskDefinition"],
    }
    task, autoscaling = (
        deployed.document(f"infra/{name}.json") for name in ("task-definition", "autoscaling")
    )
    depends_on = json.dumps([common, task, autoscaling, 1, 4], sort_keys=True)
    tags = {tag["key"]: tag["value"] for tag in run.request("ecs:RegisterTaskDefinition")["tags"]}
    assert tags["document"] == hashlib.sha256(depends_on.encode()).hexdigest()
    assert "cloudwatch:DescribeAlarms" not in run.operations
    assert "ecs:ListServiceDeployments" not in run.operations


def stack_outputs(checkout: Checkout) -> dict[str, str]:
    client = checkout.aws.client("cloudformation")
    [stack] = client.describe_stacks(StackName=checkout.settings.names.stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_without_the_setting_a_rollback_and_a_failure_make_no_further_calls(
    deployed_twice: Checkout,
) -> None:
    run = deployed_twice.run("rollback").expect(0)
    assert run.request("ecs:UpdateService").keys() == {"cluster", "service", "taskDefinition"}
    deployed_twice.release()
    deployed_twice.aws.next_rollout(Crashes())
    failed = deployed_twice.run("deploy").expect(1, "deployment-rolled-back")
    assert not {"cloudwatch:DescribeAlarms", "ecs:DescribeServiceDeployments"} & {
        *failed.operations
    }


# --- on, and off again ---


def test_a_first_deployment_has_no_alarms_because_ecs_cannot_roll_back(
    provisioned: Checkout,
) -> None:
    alarms.turn_on(provisioned)
    run = provisioned.run("deploy").expect(0)
    assert "alarms" not in run.request("ecs:CreateService")["deploymentConfiguration"]
    assert "nothing to roll back to" in run.out


def test_turned_on_for_a_running_service_a_deploy_sends_the_stacks_alarms_and_bakes(
    watched: Checkout,
) -> None:
    run = watched.run("deploy").expect(0)
    assert sent_alarms(run) == ON == alarms_of(watched)
    assert all(name in run.out for name in OF_THE_STACK)
    assert "baking" in run.out
    assert watched.revision == SECOND
    assert "ecs:UpdateService" not in watched.run("deploy").expect(0).operations


def test_turned_off_again_the_service_has_no_alarms(watched: Checkout) -> None:
    watched.run("deploy").expect(0)
    watched.set("alarms.roll_back", False)
    watched.release()
    run = watched.run("deploy").expect(0)
    assert sent_alarms(run) == OFF == alarms_of(watched)
    watched.release()
    assert sent_alarms(watched.run("deploy").expect(0)) is None


def test_alarms_of_the_owner_come_first_and_stay_when_the_setting_is_turned_off(
    deployed: Checkout,
) -> None:
    alarms.create(deployed, "shop-orders")
    own = {"alarmNames": ["shop-orders", ERRORS], "enable": True, "rollback": True}
    document = deployed.document("infra/service.json")["deploymentConfiguration"]
    deployed.change("infra/service.json", {"deploymentConfiguration": document | {"alarms": own}})
    alarms.turn_on(deployed)
    run = deployed.run("deploy").expect(0)
    sent = sent_alarms(run)
    assert sent
    assert sent["alarmNames"] == ["shop-orders", *OF_THE_STACK]
    deployed.set("alarms.roll_back", False)
    deployed.release()
    assert sent_alarms(deployed.run("deploy").expect(0)) == own


def test_a_document_that_contradicts_the_setting_is_refused(watched: Checkout) -> None:
    document = watched.document("infra/service.json")["deploymentConfiguration"]
    watched.change("infra/service.json", {"deploymentConfiguration": document | {"alarms": OFF}})
    watched.run("deploy").expect(2, "document-wrong").expect_no_change()


def test_alarms_do_not_end_the_repair_of_a_failed_first_deployment(
    provisioned: Checkout,
) -> None:
    alarms.turn_on(provisioned)
    provisioned.aws.next_rollout(Crashes())
    provisioned.run("deploy").expect(1, "deployment-failed")
    provisioned.release()
    run = provisioned.run("deploy").expect(0)
    assert sent_alarms(run) == ON | {"enable": False, "rollback": False}


# --- an alarm goes off ---


@pytest.mark.parametrize("polls", [2, 6], ids=["while both revisions serve", "in the bake time"])
def test_an_alarm_ends_the_deployment_and_is_named(watched: Checkout, polls: int) -> None:
    watched.aws.moments.when("ecs:DescribeServices", goes_off(watched), after=polls)
    run = watched.run("deploy").expect(1, "deployment-alarm")
    assert f"{ERRORS} (now ALARM: 5 errors of 5)" in run.err
    assert f"ECS rolled back to {FIRST}" in run.err
    assert ("baking" in run.out) == (polls == 6)
    assert watched.revision == FIRST
    assert not [name for name in run.changes if name.startswith("application-autoscaling:")]


def test_an_alarm_after_the_end_does_not_change_what_runs(watched: Checkout) -> None:
    watched.run("deploy").expect(0)
    put(watched, "ALARM")
    assert ERRORS in watched.run("status").expect(1, "not-healthy").err
    assert watched.revision == SECOND


def test_an_alarm_that_is_on_at_the_start_is_named_and_ends_nothing(watched: Checkout) -> None:
    """It also keeps ECS from watching the others."""
    put(watched, "ALARM")
    other = "ai-assistant-slow-answers"
    watched.aws.moments.when("ecs:DescribeServices", goes_off(watched, other), after=2)
    run = watched.run("deploy").expect(0)
    [told] = [line for line in run.out.splitlines() if line.startswith("alarms ")]
    assert "watches none" in told
    assert ERRORS in told
    assert other not in told
    assert watched.revision == SECOND


def test_an_alarm_without_data_is_watched_and_ends_nothing(watched: Checkout) -> None:
    put(watched, "INSUFFICIENT_DATA")
    run = watched.run("deploy").expect(0)
    assert sent_alarms(run) == ON
    assert "watches none" not in run.out


def test_an_alarm_that_was_deleted_is_named_before_anything_changes(watched: Checkout) -> None:
    alarms.delete(watched)
    for words in (["deploy"], ["deploy", "--plan"]):
        assert ERRORS in watched.run(*words).expect(2, "alarm-missing").expect_no_change().err
    assert "NO  alarms" in watched.run("check").expect(2, "check-failed").out


def test_an_alarm_of_the_owner_that_does_not_exist_is_named_without_the_setting(
    deployed: Checkout,
) -> None:
    own = {"alarmNames": ["my-orders"], "enable": True, "rollback": True}
    document = deployed.document("infra/service.json")["deploymentConfiguration"]
    deployed.change("infra/service.json", {"deploymentConfiguration": document | {"alarms": own}})
    deployed.release()
    for words in (["deploy"], ["deploy", "--plan"]):
        run = deployed.run(*words).expect(2, "alarm-missing").expect_no_change()
        assert "my-orders" in run.err
    assert "NO  alarms" in deployed.run("check").expect(2, "check-failed").out


def test_an_alarm_that_is_deleted_meanwhile_ends_nothing(watched: Checkout) -> None:
    watched.aws.moments.when("ecs:UpdateService", lambda: alarms.delete(watched))
    watched.run("deploy").expect(0)


def test_a_failure_by_the_circuit_breaker_is_not_reported_as_an_alarm(watched: Checkout) -> None:
    watched.aws.next_rollout(Crashes())
    watched.run("deploy").expect(1, "deployment-rolled-back")


def test_an_alarm_that_is_ok_again_is_named_with_its_present_state(watched: Checkout) -> None:
    watched.aws.moments.when("ecs:DescribeServices", goes_off(watched), after=2)
    watched.aws.moments.when("ecs:DescribeServiceDeployments", lambda: put(watched, "OK"))
    assert f"{ERRORS} (now OK" in watched.run("deploy").expect(1, "deployment-alarm").err


# --- responses that are stale, refused or lost ---


def test_unreadable_alarm_states_stop_a_deploy_before_its_first_change(watched: Checkout) -> None:
    watched.aws.faults.refuse_for_ever("cloudwatch:DescribeAlarms", "AccessDenied")
    watched.run("deploy").expect(2, "aws-denied").expect_no_change()


def test_unreadable_alarm_states_just_before_the_update_do_not_stop_a_deploy(
    watched: Checkout,
) -> None:
    watched.aws.faults.refuse("cloudwatch:DescribeAlarms", "InternalServiceFault", times=9, after=1)
    assert "cannot be read" in watched.run("deploy").expect(0).out


@pytest.mark.parametrize(
    "operation",
    [
        "ecs:ListServiceDeployments",
        "ecs:DescribeServiceDeployments",
        "ecs:DescribeServiceRevisions",
    ],
)
def test_a_rolled_back_deploy_fails_even_if_its_cause_cannot_be_read(
    watched: Checkout, operation: str
) -> None:
    watched.aws.moments.when("ecs:DescribeServices", goes_off(watched), after=2)
    watched.aws.faults.refuse_for_ever(operation, "AccessDeniedException")
    run = watched.run("deploy").expect(1, "deployment-rolled-back")
    assert "Could not read whether an alarm ended the deployment" in run.err


def test_a_lost_response_to_the_update_does_not_change_the_result(watched: Checkout) -> None:
    watched.aws.faults.lose_answer("ecs:UpdateService")
    watched.aws.moments.when("ecs:DescribeServices", goes_off(watched), after=2)
    watched.run("deploy").expect(1, "deployment-alarm")
    assert watched.revision == FIRST


def test_a_deploy_that_times_out_in_the_bake_time_continues_when_run_again(
    watched: Checkout,
) -> None:
    watched.set("deploy.timeout_seconds", 60)
    watched.release()
    run = watched.run("deploy").expect(3, "deployment-timeout")
    assert "baking" in run.err
    watched.aws.clock.sleep(180)
    watched.run("deploy").expect(0)
    assert watched.revisions == [FIRST, SECOND], "it watches the deployment that is in progress"


def test_an_alarm_that_looks_back_further_than_a_deploy_waits_is_a_warning(
    watched: Checkout,
) -> None:
    watched.set("deploy.timeout_seconds", 180)
    watched.release()
    run = watched.run("deploy", "--plan").expect(0)
    assert run.err.count("looks back 180 s") == 4


# --- rollback ---


def test_a_rollback_turns_the_alarms_off_so_that_none_rolls_it_back(watched: Checkout) -> None:
    watched.run("deploy").expect(0)
    before = watched.ecs_service["deploymentConfiguration"]
    watched.aws.moments.when("ecs:DescribeServices", goes_off(watched), after=3)
    run = watched.run("rollback").expect(0)
    assert run.request("ecs:UpdateService")["deploymentConfiguration"] == before | {
        "alarms": ON | {"enable": False, "rollback": False}
    }
    assert watched.revision == FIRST
    put(watched, "OK")
    watched.release()
    assert sent_alarms(watched.run("deploy").expect(0)) == ON


# --- plan ---


def test_a_plan_shows_the_alarms_and_which_one_is_on(watched: Checkout) -> None:
    put(watched, "ALARM")
    found: Json = json.loads(watched.run("deploy", "--plan", "--json").expect(0).out)
    assert {
        "path": "deploymentConfiguration.alarms",
        "before": None,
        "after": ON,
    } in found["service"]
    [note] = [note for note in found["notes"] if note.startswith("alarms: ")]
    assert "watches none" in note
    assert ERRORS in note


def test_a_plan_after_a_first_deployment_shows_no_change(
    provisioned: Checkout,
) -> None:
    """It has no alarms, and a deploy of the same commit would not add them."""
    alarms.turn_on(provisioned)
    provisioned.run("deploy").expect(0)
    found: Json = json.loads(provisioned.run("deploy", "--plan", "--json").expect(0).out)
    assert found["service"] == []
    assert "ecs:UpdateService" not in provisioned.run("deploy").expect(0).operations
