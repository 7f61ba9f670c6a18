"""Ctrl-C in each phase ends the command at once, and the next run completes the work.

The command is interrupted while it waits for the response to a call that AWS has carried out.
tests/tool interrupts every call, within one process.
"""

import pytest

from tests.support.checkout import Checkout, Run

pytestmark = pytest.mark.slow

CONTINUES = "The deployment of ai-assistant-task:2 continues in ECS. To find out, run this again: "
UNKNOWN = "Whether ECS has started to deploy ai-assistant-task:{} is unknown. To find out, run this"
PLAN_IS_LEFT = "may be left in the stack ai-assistant. It changes nothing and does no harm."
CHANGES = "CloudFormation continues to change the stack ai-assistant. To find out, run this again: "
DELETES = "CloudFormation continues to delete the stack ai-assistant. To find out, run this again: "


def interrupt(service: Checkout, operation: str, command: str, *, after: int = 0) -> Run:
    """Press Ctrl-C during a call, or during the one after so many calls."""
    service.aws.moments.when(operation, service.press_ctrl_c, after=after)
    typed = service.settings.service.name if command == "destroy" else ""
    principal = "root" if command in ("provision", "destroy") else ""
    return service.run(command, principal=principal, typed=typed).expect(130)


def expect_message(run: Run, message: str) -> None:
    """The output must name what continues in AWS or is unknown, and be empty if nothing is."""
    if message:
        run.expect_text(message)
        return
    assert "continues" not in run.text, "nothing continues in AWS"
    assert "unknown" not in run.text, "the outcome is known"


@pytest.mark.parametrize(
    ("operation", "after", "message"),
    [
        ("sts:GetCallerIdentity", 0, ""),
        ("ecr:GetAuthorizationToken", 0, ""),
        ("ecr:UploadLayerPart", 0, ""),
        ("ecr:PutImage", 0, ""),
        ("ecs:RegisterTaskDefinition", 0, ""),
        ("ecs:UpdateService", 0, UNKNOWN.format(2)),
        ("ecs:DescribeServices", 2, CONTINUES),
    ],
)
def test_a_deploy_is_interrupted(
    running: Checkout, operation: str, after: int, message: str
) -> None:
    served = running.commit_served
    commit = running.new_commit()
    expect_message(interrupt(running, operation, "deploy", after=after), message)
    assert running.commit_served == served != ""
    running.run("deploy").expect(0)
    assert running.commit_served == commit


def test_a_deploy_is_interrupted_while_it_sets_the_scaling(running: Checkout) -> None:
    commit = running.new_commit()
    run = interrupt(running, "application-autoscaling:PutScalingPolicy", "deploy")
    expect_message(run, "")
    assert running.commit_served == commit
    run = running.run("deploy").expect(0).expect_text("in steady state already")
    assert "ecs:UpdateService" not in run.operations


def test_a_first_deploy_is_interrupted(existing: Checkout) -> None:
    expect_message(interrupt(existing, "ecs:CreateService", "deploy"), UNKNOWN.format(1))
    existing.run("deploy").expect(0).expect_text("in steady state")
    assert existing.commit_served == existing.head


def test_a_rollback_is_interrupted(running_second: Checkout) -> None:
    served = running_second.commit_served
    interrupt(running_second, "ecs:UpdateService", "rollback").expect_text(
        "Whether ECS rolls back to ai-assistant-task:1 is unknown",
        "run this again: uv run --frozen -m infra rollback 1",
    )
    assert running_second.commit_served == served != ""
    running_second.run("rollback").expect(0).expect_text("in progress already")
    assert running_second.revision == "ai-assistant-task:1"


@pytest.mark.parametrize(
    ("operation", "after", "message"),
    [
        ("ec2:DescribeVpcs", 0, ""),
        ("cloudformation:CreateChangeSet", 0, PLAN_IS_LEFT),
        ("iam:CreateOpenIDConnectProvider", 0, PLAN_IS_LEFT),
        ("iam:CreateServiceLinkedRole", 0, PLAN_IS_LEFT),
        ("cloudformation:ExecuteChangeSet", 0, CHANGES),
        ("cloudformation:DescribeStackEvents", 3, CHANGES),
        ("ecr:PutLifecyclePolicy", 0, ""),
    ],
)
def test_a_provision_is_interrupted(
    new: Checkout, operation: str, after: int, message: str
) -> None:
    expect_message(interrupt(new, operation, "provision", after=after), message)
    new.wait_for_stack()
    new.administer("provision").expect(0)
    assert new.stack_status == "CREATE_COMPLETE"
    new.run("deploy").expect(0)
    assert new.commit_served == new.head


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("ecs:DeleteService", "ECS continues to stop the service ai-assistant-service."),
        ("iam:DeleteRolePolicy", ""),
        ("cloudformation:DeleteStack", DELETES),
    ],
)
def test_a_destroy_is_interrupted(running: Checkout, operation: str, message: str) -> None:
    expect_message(interrupt(running, operation, "destroy"), message)
    running.wait_for_stack()
    running.administer("destroy", typed=running.settings.service.name).expect(0)
    assert (running.stack_status, running.commit_served) == ("", "")
