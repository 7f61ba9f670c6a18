"""The policies of the deploy role and user, the lifecycle policy, settings of imported resources.

Both documents are applied as they are in git; the limits are written by provisioning.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from infra.tool import documents, quotas
from infra.tool.api_model import Json
from infra.tool.aws_errors import AwsError
from infra.tool.errors import Problem
from infra.tool.provision import limits
from infra.tool.provision.limits import Limits
from infra.tool.target import Target
from infra.tool.text import counted

QUOTA = Problem(
    "quota-exceeded",
    "AWS would refuse this: {complaints}",
    "correct what is named, then {again}",
)

LIFECYCLE = "infra/ecr-lifecycle-policy.json"
DEPLOY = "ops/iam-policy-github-actions.json"
# Of the inline policies of the deploy role and of the deploy user's group.
NAME = "deploy"
LIMITS = "deploy-limits"
NAMES = (NAME, LIMITS)


@dataclass(frozen=True)
class Live:
    """The policies of the deploy role as they are now."""

    deploy: Json | None = None  # None: no policy
    limits: Limits | None = None  # None: no policy, or another than provisioning writes


def require_documents(target: Target) -> None:
    """Raises ToolError if one of the two is not one JSON object, or too long; or the settings name
    more subnets than a service takes."""
    for path in (LIFECYCLE, DEPLOY):
        folder, _, name = path.partition("/")
        documents.parse(target.runtime.root, name, folder=folder)
    deploy = text(target, DEPLOY)
    complaints = [
        *quotas.about_lifecycle(LIFECYCLE, text(target, LIFECYCLE)),
        *quotas.about_policy(DEPLOY, deploy),
        *quotas.TASK_SUBNETS.complaint("[tasks] subnets", len(target.settings.tasks.subnets)),
    ]
    require(target, complaints)


def require(target: Target, complaints: Sequence[str]) -> None:
    """Raises ToolError if there are complaints about the sizes of something."""
    if complaints:
        raise QUOTA(complaints="; ".join(complaints), again=target.again)


def require_short(target: Target, wanted: Limits, live: Live) -> None:
    """Raises ToolError if IAM would refuse the policies because of their length, also while the old
    limits and the new ones are joined."""
    joined = wanted | live.limits if live.limits else wanted
    has_user = bool(target.settings.github.deploy_user)
    quota = quotas.GROUP_POLICIES if has_user else quotas.ROLE_POLICIES
    what = f"{DEPLOY} with the limits for {counted(len(joined.subnets), 'subnet')}"
    size = quotas.policy_size(text(target, DEPLOY) + limits_text(joined))
    remedy = (
        'name fewer [tasks] subnets, or deploy by the role alone: [github] deploy_user = ""'
        if has_user
        else "remove statements"
    )
    require(target, [*quota.complaint(what, size, remedy)])


def text(target: Target, path: str) -> str:
    """A document as it is in git."""
    return (target.runtime.root / path).read_text(encoding="utf-8")


def limits_text(wanted: Limits) -> str:
    return json.dumps(limits.document(wanted))


def read(target: Target) -> Live:
    """Raises AwsError."""
    found = read_policy(target, LIMITS)
    return Live(read_policy(target, NAME), limits.parse(found) if found else None)


def read_policy(target: Target, name: str) -> Json | None:
    """An inline policy of the deploy role; None if it has none of that name, or does not exist."""
    role = target.settings.names.deploy_role
    try:
        answer = target.aws.iam.get_role_policy(RoleName=role, PolicyName=name)
    except AwsError as error:
        if error.aws_code == "NoSuchEntity":
            return None
        raise
    found: object = answer["PolicyDocument"]  # botocore has read it; its type says text
    return found if isinstance(found, dict) else None


def put_limits(target: Target, wanted: Limits) -> None:
    target.aws.iam.put_role_policy(
        RoleName=target.settings.names.deploy_role,
        PolicyName=LIMITS,
        PolicyDocument=limits_text(wanted),
    )


def apply(target: Target, wanted: Limits) -> None:
    """Apply both documents, the limits, and the settings that an import does not change.

    CloudFormation imports a resource as it is, and believes from then on that it is as the stack
    says. So every run sets it right: an earlier run may have been interrupted.
    """
    aws, names = target.aws, target.settings.names
    aws.ecr.put_image_tag_mutability(
        repositoryName=names.repository, imageTagMutability="IMMUTABLE"
    )
    aws.ecr.put_image_scanning_configuration(
        repositoryName=names.repository, imageScanningConfiguration={"scanOnPush": True}
    )
    apply_log_key(target)
    aws.logs.put_retention_policy(
        logGroupName=names.log_group, retentionInDays=target.settings.logs.retention_days
    )
    aws.ecr.put_lifecycle_policy(
        repositoryName=names.repository, lifecyclePolicyText=text(target, LIFECYCLE)
    )
    put_limits(target, wanted)  # before what they limit
    aws.iam.put_role_policy(
        RoleName=names.deploy_role, PolicyName=NAME, PolicyDocument=text(target, DEPLOY)
    )
    target.fact("documents", f"applied: {LIFECYCLE}, {DEPLOY}")


def apply_log_key(target: Target) -> None:
    """The key of the log, if it has another one."""
    logs, name, wanted = (
        target.aws.logs,
        target.settings.names.log_group,
        target.settings.security.log_key,
    )
    if not wanted:
        return
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    found = (group for page in pages for group in page["logGroups"])
    if any(each["logGroupName"] == name and each.get("kmsKeyId") != wanted for each in found):
        logs.associate_kms_key(logGroupName=name, kmsKeyId=wanted)
