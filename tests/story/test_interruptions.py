"""Ctrl-C, at a moment of each phase: it is obeyed at once, and the next run goes on from there.

The script is interrupted while it waits for the answer to a call, which has been carried out.
"""

import pytest

from tests.story.failures import (
    FailureCase,
    Then,
    again,
    both,
    ctrl_c,
    deploy,
    destroy,
    holds,
    is_at,
    never_asked,
    never_says,
    nothing_more,
    parametrized,
    provision,
    release,
    rollback,
    serves_the_release,
    still_serves,
)
from tests.story.service import StoryService
from tests.story.world import World
from tests.support.process_checkout import Done

CONTINUES = "The deployment of ai-assistant-task:2 continues in ECS. To find out, run this again: "
UNKNOWN = "Whether ECS has started to deploy ai-assistant-task:{} is unknown. To find out, run this"
PLAN_IS_LEFT = "may be left in the stack ai-assistant. It changes nothing and does no harm."
CHANGES = "CloudFormation continues to change the stack ai-assistant. To find out, run this again: "
DELETES = "CloudFormation continues to delete the stack ai-assistant. To find out, run this again: "


def told(says: tuple[str, ...]) -> Then:
    """If nothing continues in AWS and no outcome is unknown, the output says neither."""
    return nothing_more if says else never_says("continues", "unknown")


def a_deploy(at: str, *says: str, after: int = 0) -> FailureCase:
    return FailureCase(
        f"a deploy at {at}" + (f" {after + 1}" if after else ""),
        "serving",
        both(release, ctrl_c(at, after=after)),
        deploy,
        130,
        says,
        holds(told(says), still_serves, again(deploy, then=serves_the_release)),
    )


def a_provision(at: str, *says: str, after: int = 0) -> FailureCase:
    return FailureCase(
        f"a provision at {at}" + (f" {after + 1}" if after else ""),
        "nothing",
        ctrl_c(at, after=after),
        provision,
        130,
        says,
        holds(told(says), settles, again(provision, then=is_provisioned)),
    )


def a_destroy(at: str, *says: str) -> FailureCase:
    return FailureCase(
        f"a destroy at {at}",
        "serving",
        ctrl_c(at),
        destroy,
        130,
        says,
        holds(told(says), settles, again(destroy, then=is_gone)),
    )


def settles(service: StoryService, _: Done) -> None:
    """What CloudFormation has begun, it ends."""
    while service.stack.endswith("_IN_PROGRESS") and service.stack != "REVIEW_IN_PROGRESS":
        pass  # each look moves it on


def is_provisioned(service: StoryService, done: Done) -> None:
    assert service.stack == "CREATE_COMPLETE"
    again(deploy, then=serves_the_release)(service, done)


def is_gone(service: StoryService, _: Done) -> None:
    assert (service.stack, service.answers) == ("", "")


ROWS = (
    a_deploy("sts:GetCallerIdentity"),
    a_deploy("ecr:GetAuthorizationToken"),
    a_deploy("ecr:UploadLayerPart"),
    a_deploy("ecr:PutImage"),
    a_deploy("ecs:RegisterTaskDefinition"),
    a_deploy("ecs:UpdateService", UNKNOWN.format(2)),
    a_deploy("ecs:DescribeServices", CONTINUES, after=2),
    FailureCase(
        "a deploy while it sets the scaling",
        "serving",
        both(release, ctrl_c("application-autoscaling:PutScalingPolicy")),
        deploy,
        130,
        (),
        holds(
            told(()),
            serves_the_release,
            again(deploy, 0, "in steady state already", then=never_asked("ecs:UpdateService")),
        ),
    ),
    FailureCase(
        "the first deploy at ecs:CreateService",
        "provisioned",
        ctrl_c("ecs:CreateService"),
        deploy,
        130,
        (UNKNOWN.format(1),),
        again(deploy, 0, "in steady state", then=serves_the_release),
    ),
    FailureCase(
        "a rollback at ecs:UpdateService",
        "twice deployed",
        ctrl_c("ecs:UpdateService"),
        rollback,
        130,
        (
            "Whether ECS rolls back to ai-assistant-task:1 is unknown",
            "run this again: uv run --frozen -m infra rollback 1",
        ),
        holds(still_serves, again(rollback, 0, "in progress already", then=is_at(1))),
    ),
    a_provision("ec2:DescribeVpcs"),
    a_provision("cloudformation:CreateChangeSet", PLAN_IS_LEFT),
    a_provision("iam:CreateOpenIDConnectProvider", PLAN_IS_LEFT),
    a_provision("iam:CreateServiceLinkedRole", PLAN_IS_LEFT),
    a_provision("cloudformation:ExecuteChangeSet", CHANGES),
    a_provision("cloudformation:DescribeStackEvents", CHANGES, after=3),
    a_provision("ecr:PutLifecyclePolicy"),
    a_destroy("ecs:DeleteService", "ECS continues to stop the service ai-assistant-service."),
    a_destroy("iam:DeleteRolePolicy"),
    a_destroy("cloudformation:DeleteStack", DELETES),
)


@pytest.mark.parametrize("row", parametrized(ROWS))
def test_ctrl_c_is_obeyed_and_the_next_run_goes_on(world: World, row: FailureCase) -> None:
    row.holds(world)
