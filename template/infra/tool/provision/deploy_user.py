"""An IAM user that may deploy beside the deploy role, by its two access keys.

The user gets the policy of the deploy role through a group of the role's name: the document is
longer than the 2,048 characters that IAM allows for the policies of a user; a group may have 5,120
("IAM and AWS STS quotas"). Users and keys are created and deleted by hand only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.tool.aws_errors import AwsError, tolerating
from infra.tool.errors import Problem
from infra.tool.provision import policies
from infra.tool.provision.limits import Limits
from infra.tool.target import Target

USER_MISSING = Problem(
    "deploy-user-missing",
    "the IAM user {user}, which [github] deploy_user in infra/settings.toml names, does not exist",
    'create it: aws iam create-user --user-name {user}; or set deploy_user = "" to deploy only '
    "with the deploy role",
)


@dataclass(frozen=True)
class UserPlan:
    user: str  # by the settings; empty: none
    group: str  # its name
    group_exists: bool
    members: Sequence[str]

    @property
    def others(self) -> list[str]:
        """Users that lose the permissions."""
        return [member for member in self.members if member != self.user]


def read(target: Target) -> UserPlan:
    """Raises ToolError if the user of the settings does not exist."""
    found, user = read_group(target), target.settings.github.deploy_user
    if user:
        try:
            target.aws.iam.get_user(UserName=user)
        except AwsError as error:
            if error.aws_code == "NoSuchEntity":
                raise USER_MISSING(user=user) from None
            raise
    return UserPlan(user, found.group, found.group_exists, found.members)


def read_group(target: Target) -> UserPlan:
    """The group as it is, for no user. Raises AwsError."""
    group = target.settings.names.deploy_role
    pages = target.aws.iam.get_paginator("get_group").paginate(GroupName=group)
    try:
        members = [user["UserName"] for page in pages for user in page["Users"]]
    except AwsError as error:
        if error.aws_code == "NoSuchEntity":
            return UserPlan("", group, group_exists=False, members=())
        raise
    return UserPlan("", group, group_exists=True, members=members)


def print_plan(target: Target, plan: UserPlan) -> None:
    """Say what `apply` would do."""
    for user in plan.others:
        target.fact("user", f"to revoke access: {user}")
    if plan.user:
        target.fact("user", f"to grant access: {plan.user}, by the group {plan.group}")


def apply(target: Target, plan: UserPlan, limits: Limits) -> None:
    """Grant that user what the deploy role may do, and revoke it from all others."""
    if not plan.user:
        delete_group(target, plan)
        return
    iam, document = target.aws.iam, policies.text(target, policies.DEPLOY)
    if not plan.group_exists:
        with tolerating("EntityAlreadyExists"):  # another run has created it meanwhile
            iam.create_group(GroupName=plan.group)
    revoke(target, plan)
    put_limits(target, plan, limits)  # before what they limit
    iam.put_group_policy(GroupName=plan.group, PolicyName=policies.NAME, PolicyDocument=document)
    iam.add_user_to_group(GroupName=plan.group, UserName=plan.user)
    target.fact("user", f"granted access: {plan.user}, by the group {plan.group}")


def put_limits(target: Target, plan: UserPlan, limits: Limits) -> None:
    target.aws.iam.put_group_policy(
        GroupName=plan.group,
        PolicyName=policies.LIMITS,
        PolicyDocument=policies.limits_text(limits),
    )


def remove(target: Target) -> None:
    """Revoke the access of every user. Users and keys stay."""
    delete_group(target, read_group(target))


def revoke(target: Target, plan: UserPlan) -> None:
    for user in plan.others:
        with tolerating("NoSuchEntity"):
            target.aws.iam.remove_user_from_group(GroupName=plan.group, UserName=user)
        target.fact("user", f"revoked access: {user}")


def delete_group(target: Target, plan: UserPlan) -> None:
    if not plan.group_exists:
        return
    iam = target.aws.iam
    revoke(target, plan)
    for name in policies.NAMES:
        with tolerating("NoSuchEntity"):
            iam.delete_group_policy(GroupName=plan.group, PolicyName=name)
    with tolerating("NoSuchEntity"):
        iam.delete_group(GroupName=plan.group)
    if plan.members:
        target.runtime.console.say(
            "Kept: the user and its access keys. To delete a key: aws iam delete-access-key"
        )
