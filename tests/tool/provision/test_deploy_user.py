"""The deploy user gets the permissions of the deploy role; a user no longer named loses them."""

import json

import pytest
from infra.tool.provision.limits import Limits
from infra.tool.provision.policies import limits_text

from tests.support.checkout import SUBJECT, Checkout, Run

DOCUMENT = "ops/iam-policy-github-actions.json"
PUTS, DELETES_POLICY = "iam:PutGroupPolicy", "iam:DeleteGroupPolicy"
CREATES = ["iam:CreateGroup", PUTS, PUTS, "iam:AddUserToGroup"]
DELETES = ["iam:RemoveUserFromGroup", DELETES_POLICY, DELETES_POLICY, "iam:DeleteGroup"]


def provision(checkout: Checkout, *options: str, user: str = "") -> Run:
    """Provision with this deploy user in the settings, or with none."""
    checkout.set("github.subject", SUBJECT)
    checkout.set("github.deploy_user", user)
    return checkout.run("provision", *options, principal="root")


def create_users(checkout: Checkout, *names: str) -> None:
    for name in names:
        checkout.aws.client("iam").create_user(UserName=name)


def join(checkout: Checkout, *names: str) -> None:
    """Add users to the group, by hand."""
    group = checkout.settings.names.deploy_role
    for name in names:
        checkout.aws.client("iam").add_user_to_group(GroupName=group, UserName=name)


def members(checkout: Checkout) -> list[str] | None:
    """Of the group; None if it does not exist."""
    iam, group = checkout.aws.client("iam"), checkout.settings.names.deploy_role
    if group not in [each["GroupName"] for each in iam.list_groups()["Groups"]]:
        return None
    pages = iam.get_paginator("get_group").paginate(GroupName=group)
    return [user["UserName"] for page in pages for user in page["Users"]]


def of_users(names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(("Group", "GroupPolicy", "User", "AccessKey"))]


def test_a_user_gets_the_unchanged_document_through_a_group(provisioned: Checkout) -> None:
    create_users(provisioned, "github")
    run = provision(provisioned, user="github").expect(0)
    assert of_users(run.changes) == CREATES, "users and keys are created by hand only"
    group = provisioned.settings.names.deploy_role
    assert run.request(PUTS, PolicyName="deploy") == {
        "GroupName": group,
        "PolicyName": "deploy",
        "PolicyDocument": (provisioned.folder / DOCUMENT).read_text(encoding="utf-8"),
    }
    assert members(provisioned) == ["github"]


def test_the_longest_document_of_a_render_fits_a_group_with_three_subnets(
    provisioned: Checkout,
) -> None:
    """Of "IAM and AWS STS quotas": 5,120 characters for the inline policies of a group, without
    white space."""
    longest = {
        "us-east-1": "us-gov-west-1",
        "arn:aws:": "arn:aws-us-gov:",
        "ai-assistant": "a" * 24,
    }
    text = (provisioned.folder / DOCUMENT).read_text(encoding="utf-8")
    for part, other in longest.items():
        text = text.replace(part, other)
    subnets = frozenset(f"subnet-{number:017x}" for number in range(3))
    text += limits_text(Limits(subnets, public_ip=False, execute_command=False))
    assert len("".join(text.split())) <= 5120


@pytest.mark.parametrize(("user", "fits"), [("github", False), ("", True)])
def test_limits_that_do_not_fit_a_group_are_refused_before_any_change(
    provisioned: Checkout, user: str, fits: bool
) -> None:
    create_users(provisioned, "github")
    name = f"{DOCUMENT}"
    document = provisioned.document(name)
    room = {
        "Sid": "More",
        "Effect": "Allow",
        "Action": "a:b",
        "Resource": f"arn:aws:s3:::{'x' * 700}",
    }
    document["Statement"].append(room)
    provisioned.write(name, json.dumps(document))
    run = provision(provisioned, user=user)
    if fits:
        run.expect(0)
    else:
        run.expect(2, "quota-exceeded").expect_no_change()
        assert "IAM for a group takes 5,120" in run.err


def test_a_second_run_keeps_the_group(provisioned: Checkout) -> None:
    create_users(provisioned, "github")
    provision(provisioned, user="github").expect(0)
    run = provision(provisioned, user="github").expect(0)
    assert of_users(run.changes) == CREATES[1:]
    assert CREATES[0] not in run.operations


def test_only_the_user_of_the_settings_keeps_the_permissions(provisioned: Checkout) -> None:
    create_users(provisioned, "former", "github", "guest")
    provision(provisioned, user="github").expect(0)
    join(provisioned, "former", "guest")
    run = provision(provisioned, user="github").expect(0)
    assert members(provisioned) == ["github"]
    assert "revoked access: former" in run.out
    assert "revoked access: guest" in run.out


def test_without_a_user_the_group_is_deleted_and_the_users_stay(provisioned: Checkout) -> None:
    create_users(provisioned, "former")
    provision(provisioned, user="former").expect(0)
    run = provision(provisioned).expect(0)
    assert of_users(run.changes) == DELETES
    assert members(provisioned) is None
    users = provisioned.aws.client("iam").list_users()["Users"]
    assert [user["UserName"] for user in users] == ["former"]
    assert "Kept: the user and its access keys" in run.out


def test_without_a_user_and_without_a_group_nothing_is_changed(provisioned: Checkout) -> None:
    run = provision(provisioned).expect(0)
    assert of_users(run.operations) == ["iam:GetGroup"]


def test_every_page_of_the_members_is_read(provisioned: Checkout) -> None:
    """IAM answers with 100 members at once; the others would keep the permissions."""
    names = [f"guest-{number}" for number in range(130)]
    create_users(provisioned, "github", *names)
    provision(provisioned, user="github").expect(0)
    join(provisioned, *names)
    provision(provisioned, user="github").expect(0)
    assert members(provisioned) == ["github"]


@pytest.mark.parametrize("options", [[], ["--plan"]])
def test_a_user_that_does_not_exist_is_named_before_any_change(
    provisioned: Checkout, options: list[str]
) -> None:
    run = provision(provisioned, *options, user="github").expect(2, "deploy-user-missing")
    run.expect_no_change()
    assert "aws iam create-user --user-name github" in run.err


@pytest.mark.parametrize("operation", ["iam:GetUser", "iam:GetGroup"])
def test_a_refused_read_stops_provision_before_any_change(
    provisioned: Checkout, operation: str
) -> None:
    create_users(provisioned, "github")
    provisioned.aws.faults.refuse(operation, "AccessDenied")
    provision(provisioned, user="github").expect(2, "aws-denied").expect_no_change()


def test_a_plan_names_who_is_granted_and_who_is_revoked(provisioned: Checkout) -> None:
    create_users(provisioned, "former", "github")
    provision(provisioned, user="former").expect(0)
    run = provision(provisioned, "--plan", user="github").expect(0)
    assert "to revoke access: former" in run.out
    assert "to grant access: github" in run.out
    assert of_users(run.changes) == []
    assert members(provisioned) == ["former"]


@pytest.mark.parametrize("operation", [*dict.fromkeys(CREATES), "iam:RemoveUserFromGroup"])
def test_a_refused_change_is_an_error_and_the_next_run_completes_it(
    provisioned: Checkout, operation: str
) -> None:
    create_users(provisioned, "former", "github")
    if operation == "iam:RemoveUserFromGroup":
        provision(provisioned, user="former").expect(0)
    provisioned.aws.faults.refuse(operation, "AccessDenied")
    provision(provisioned, user="github").expect(1, "aws-denied")
    provision(provisioned, user="github").expect(0)
    assert members(provisioned) == ["github"]
