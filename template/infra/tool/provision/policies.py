"""The two documents that provisioning applies as they are in git, and the settings of what a stack
has imported."""

from collections.abc import Sequence

from infra.tool import documents, quotas
from infra.tool.errors import Problem
from infra.tool.target import Target

QUOTA = Problem(
    "quota-exceeded",
    "AWS would refuse this: {complaints}",
    "correct what is named, then {again}",
)

LIFECYCLE = "infra/ecr-lifecycle-policy.json"
DEPLOY = "ops/iam-policy-github-actions.json"
NAME = "deploy"  # of the inline policy of the deploy role, and of the deploy user's group


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
    if target.settings.github.deploy_user:
        complaints += quotas.GROUP_POLICIES.complaint(DEPLOY, quotas.policy_size(deploy))
    require(target, complaints)


def require(target: Target, complaints: Sequence[str]) -> None:
    """Raises ToolError if there are complaints about the sizes of something."""
    if complaints:
        raise QUOTA(complaints="; ".join(complaints), again=target.again)


def text(target: Target, path: str) -> str:
    """A document as it is in git."""
    return (target.runtime.root / path).read_text(encoding="utf-8")


def apply(target: Target) -> None:
    """Apply both documents, and the settings that an import leaves as they were.

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
    aws.logs.put_retention_policy(
        logGroupName=names.log_group, retentionInDays=target.settings.logs.retention_days
    )
    aws.ecr.put_lifecycle_policy(
        repositoryName=names.repository, lifecyclePolicyText=text(target, LIFECYCLE)
    )
    aws.iam.put_role_policy(
        RoleName=names.deploy_role, PolicyName=NAME, PolicyDocument=text(target, DEPLOY)
    )
    target.fact("documents", f"applied: {LIFECYCLE}, {DEPLOY}")
