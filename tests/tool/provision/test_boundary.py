"""[security] permissions_boundary: on every role of the stack, and never too narrow for tasks."""

import json
from typing import Any

import pytest

from simulator import boundaries
from tests.support.checkout import Checkout
from tests.support.company_settings import BOUNDARY, create_boundary

ROLES = ["execution", "task", "github-actions"]
LOG = ["logs:CreateLogStream", "logs:PutLogEvents"]
PULL = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
]


def bounds(checkout: Checkout) -> dict[str, str]:
    """The boundary of each role of the service; empty for a role without one."""
    iam, found = checkout.aws.client("iam"), {}
    for kind in ROLES:
        role = iam.get_role(RoleName=f"ai-assistant-us-east-1-{kind}")["Role"]
        found[kind] = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
    return found


def demand_a_boundary(checkout: Checkout, boundary: str = BOUNDARY) -> None:
    checkout.aws.world.service_control_policies.append(boundaries.demand(boundary))


def test_every_role_of_a_new_stack_has_the_boundary(new: Checkout) -> None:
    create_boundary(new.aws)
    new.set("security.permissions_boundary", BOUNDARY)
    run = new.administer("provision").expect(0)
    assert "keeps the deploy role" not in run.err
    assert bounds(new) == dict.fromkeys(ROLES, BOUNDARY)
    new.release()
    new.run("deploy").expect(0)


def test_the_boundary_can_be_added_and_removed_while_the_service_runs(running: Checkout) -> None:
    create_boundary(running.aws)
    tasks = running.ecs_service["runningCount"]
    for value in BOUNDARY, "":
        running.set("security.permissions_boundary", value)
        running.administer("provision").expect(0)
        assert bounds(running) == dict.fromkeys(ROLES, value)
        assert running.ecs_service["runningCount"] == tasks > 0
        running.release()
        running.run("deploy").expect(0)


def test_if_a_service_control_policy_requires_a_boundary_the_error_names_the_setting(
    new: Checkout,
) -> None:
    create_boundary(new.aws)
    demand_a_boundary(new)
    run = new.administer("provision").expect(1, "role-denied")
    assert "explicit deny in a service control policy" in run.err
    assert "[security] permissions_boundary" in run.err
    assert "this role has none" in run.err
    new.set("security.permissions_boundary", BOUNDARY)
    new.administer("provision").expect(0)
    assert bounds(new) == dict.fromkeys(ROLES, BOUNDARY)
    new.release()
    new.run("deploy").expect(0)
    new.run("destroy", principal="root", typed="ai-assistant").expect(0)


def test_a_boundary_other_than_the_required_one_is_named(new: Checkout) -> None:
    another = BOUNDARY.replace("team/boundary", "another")
    create_boundary(new.aws, arn=another)
    demand_a_boundary(new)
    new.set("security.permissions_boundary", another)
    run = new.administer("provision").expect(1, "role-denied")
    assert f"this role has {another}" in run.err


def test_a_required_boundary_cannot_be_removed(running: Checkout) -> None:
    create_boundary(running.aws)
    running.set("security.permissions_boundary", BOUNDARY)
    running.administer("provision").expect(0)
    demand_a_boundary(running)
    running.set("security.permissions_boundary", "")
    running.administer("provision").expect(1, "role-denied")
    assert bounds(running) == dict.fromkeys(ROLES, BOUNDARY)


def test_a_boundary_that_does_not_exist_is_refused_first(new: Checkout) -> None:
    new.set("security.permissions_boundary", BOUNDARY)
    new.administer("provision").expect(2, "boundary-missing").expect_no_change()


@pytest.mark.parametrize("lost", [*PULL, *LOG])
def test_a_boundary_that_would_cut_tasks_off_is_refused_first(running: Checkout, lost: str) -> None:
    create_boundary(running.aws, *(each for each in [*PULL, *LOG] if each != lost))
    running.set("security.permissions_boundary", BOUNDARY)
    run = running.administer("provision").expect(2, "boundary-narrow").expect_no_change()
    assert lost in run.err


def test_a_refused_boundary_would_keep_tasks_from_starting(running: Checkout) -> None:
    create_boundary(running.aws, *LOG)
    iam = running.aws.client("iam")
    for kind in "execution", "task":
        iam.put_role_permissions_boundary(
            RoleName=f"ai-assistant-us-east-1-{kind}", PermissionsBoundary=BOUNDARY
        )
    running.release()
    run = running.run("deploy").expect(1, "deployment-rolled-back")
    assert "no permissions boundary allows the ecr:GetAuthorizationToken action" in run.text


def test_the_permissions_of_the_app_are_checked_too(new: Checkout) -> None:
    create_boundary(new.aws, *PULL, *LOG)
    new.set("security.permissions_boundary", BOUNDARY)
    new.set("permissions.s3_read_buckets", ["reports"])
    run = new.administer("provision").expect(2, "boundary-narrow").expect_no_change()
    assert "s3:ListBucket" in run.err


def test_a_boundary_that_keeps_the_deploy_role_from_its_policy_is_a_warning(
    running: Checkout,
) -> None:
    """A deploy under it is denied, and the error names who can allow it."""
    create_boundary(running.aws, "logs:*", "ecr:*", "ecs:*")
    running.set("security.permissions_boundary", BOUNDARY)
    run = running.administer("provision").expect(0)
    assert "keeps the deploy role from cloudformation:DescribeStacks" in run.err
    assert "ecs:UpdateService" not in run.err
    running.release()
    run = running.run("deploy").expect(2, "aws-denied")
    assert "have cloudformation:DescribeStacks allowed by the permissions boundary" in run.err


def conditional(aws: Any) -> None:
    """A boundary that allows everything in one region."""
    here = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": here}
    aws.client("iam").create_policy(
        PolicyName="boundary",
        Path="/team/",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )


def test_a_boundary_that_depends_on_a_real_request_is_a_warning(new: Checkout) -> None:
    conditional(new.aws)
    new.set("security.permissions_boundary", BOUNDARY)
    run = new.administer("provision", "--plan").expect(0)
    assert "cannot be checked whether the permissions boundary" in run.err


@pytest.mark.parametrize("operation", ["iam:GetPolicyVersion", "iam:SimulateCustomPolicy"])
def test_a_boundary_that_may_not_be_read_is_a_warning(new: Checkout, operation: str) -> None:
    create_boundary(new.aws)
    new.aws.faults.refuse(operation, "AccessDenied", "not allowed")
    new.set("security.permissions_boundary", BOUNDARY)
    run = new.administer("provision", "--plan").expect(0)
    assert "cannot be checked whether the permissions boundary" in run.err
