"""After an interruption at any call, a second run of a deploy or rollback completes it."""

import signal
import time

import pytest
from infra.tool import cli

from tests.support.checkout import Checkout, Run
from tests.support.slow import numbers
from tests.support.targets import bench

# The number of calls of one run. The first tests fail if a command makes more or fewer.
FIRST_DEPLOY, NEXT_DEPLOY, ROLLBACK = 19, 24, 18
# Of each run, one call of each phase: checks, revision, start, watch, tag of the image, scaling.
QUICK_FIRST_DEPLOY = 2, 4, 5, 6, 13, 15
QUICK_NEXT_DEPLOY = 4, 6, 7, 8, 14, 18, 20
QUICK_ROLLBACK = 3, 6, 7, 9, 17
CONTINUES = "To find out, run this again: uv run --frozen -m infra"


def test_the_number_of_calls_of_the_first_deploy_is_up_to_date(provisioned: Checkout) -> None:
    provisioned.release()
    expect_calls(provisioned.run("deploy").expect(0), "FIRST_DEPLOY", FIRST_DEPLOY)


def test_the_number_of_calls_of_the_next_deploy_is_up_to_date(deployed: Checkout) -> None:
    deployed.release()
    expect_calls(deployed.run("deploy").expect(0), "NEXT_DEPLOY", NEXT_DEPLOY)


def test_the_number_of_calls_of_a_rollback_is_up_to_date(deployed_twice: Checkout) -> None:
    expect_calls(deployed_twice.run("rollback").expect(0), "ROLLBACK", ROLLBACK)


def expect_calls(run: Run, name: str, number: int) -> None:
    assert len(run.operations) == number, f"set {name} to {len(run.operations)}: {run.operations}"


# --- at every call: AWS has carried it out, and the tool has no answer yet ---


@pytest.mark.parametrize("call", numbers(FIRST_DEPLOY, quick=QUICK_FIRST_DEPLOY))
def test_a_first_deploy_that_is_stopped_completes_when_it_is_run_again(
    provisioned: Checkout, call: int
) -> None:
    provisioned.release()
    stopped = stop_at(provisioned, call, "deploy")
    expect_truth(stopped, "ecs:CreateService", first_look=6)
    provisioned.run("deploy").expect(0)
    expect_deployed(provisioned)


@pytest.mark.parametrize("call", numbers(NEXT_DEPLOY, quick=QUICK_NEXT_DEPLOY))
def test_a_deploy_that_is_stopped_completes_when_it_is_run_again(
    deployed: Checkout, call: int
) -> None:
    deployed.release()
    stopped = stop_at(deployed, call, "deploy")
    expect_truth(stopped, "ecs:UpdateService", first_look=8)
    deployed.run("deploy").expect(0)
    expect_deployed(deployed)


@pytest.mark.parametrize("call", numbers(ROLLBACK, quick=QUICK_ROLLBACK))
def test_a_rollback_that_is_stopped_completes_when_it_is_run_again(
    deployed_twice: Checkout, call: int
) -> None:
    """The second run is the command that the output names: after a complete rollback, one without
    a number would go further back."""
    stopped = stop_at(deployed_twice, call, "rollback")
    expect_truth(stopped, "ecs:UpdateService", first_look=7)
    again = "rollback 1" if "infra rollback 1" in stopped.text else "rollback"
    deployed_twice.run(*again.split()).expect(0)
    assert deployed_twice.revision == "ai-assistant-task:1"
    expect_steady(deployed_twice)


def stop_at(checkout: Checkout, call: int, command: str) -> Run:
    checkout.aws.faults.interrupt(after=call, late=True)
    run = checkout.run(command).expect(130)
    assert len(run.operations) == call + 1
    checkout.aws.faults.clear()
    return run


def expect_truth(run: Run, start: str, *, first_look: int) -> None:
    """The output must name what continues in AWS, and be empty if nothing does."""
    looks = {"ecs:DescribeServices", "ecs:ListTasks", "ecs:DescribeTasks"}
    is_watching = set(run.operations[first_look:]) & looks and run.operations[-1] in looks
    if run.operations[-1] == start:
        assert "is unknown." in run.err, "ECS may have been asked to begin"
        assert CONTINUES in run.err
    elif is_watching:
        assert "continues in ECS." in run.err
        assert CONTINUES in run.err
    else:
        assert run.err.strip() == "", "nothing continues in AWS"


def expect_deployed(checkout: Checkout) -> None:
    """The commit must be in steady state, with its scaling."""
    ecs, scaling = checkout.aws.client("ecs"), checkout.aws.client("application-autoscaling")
    tags = ecs.describe_task_definition(taskDefinition=checkout.revision, include=["TAGS"])["tags"]
    assert {"key": "commit", "value": checkout.head} in tags
    expect_steady(checkout)
    policies = scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    assert {policy["PolicyName"] for policy in policies} == {"cpu", "requests"}


def expect_steady(checkout: Checkout) -> None:
    [only] = checkout.ecs_service["deployments"]
    assert (only["status"], only["rolloutState"]) == ("PRIMARY", "COMPLETED")
    assert only["runningCount"] == 1


# --- while nothing is asked, and by other signals ---


def test_a_stop_between_start_and_watch_says_what_continues() -> None:
    """A signal may arrive between the two, although no call is made there."""
    target = bench().target
    with target.while_it_continues("Whether it began is unknown.", then="It continues."):
        pass
    assert target.continuing == "It continues."
    with target.while_it_continues("It continues."):
        pass
    assert target.continuing == ""


def test_sigterm_ends_with_143_and_says_what_continues(deployed: Checkout) -> None:
    deployed.release()
    deployed.aws.clock.sleep = cli.terminate  # type: ignore[method-assign,assignment]
    run = deployed.run("deploy").expect(143)
    assert "The deployment of ai-assistant-task:2 continues in ECS. " + CONTINUES in run.err


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_process_with_its_code(
    deployed: Checkout, sent: signal.Signals, code: int
) -> None:
    deployed.release()
    with deployed.start_tool("deploy") as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("deployment"):
                break
        time.sleep(0.2)  # it sleeps, before the first look
        process.send_signal(sent)
        _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert err == (f"The deployment of ai-assistant-task:2 continues in ECS. {CONTINUES} deploy\n")
    deployed.expect_no_temporary_files()
