"""The names that a stack cannot change, and resources that were deleted by hand.

CloudFormation believes that a resource exists until it deletes it itself. A repository, a log group
or a cluster that is created again under its name is the stack's again. A role that is created again
has none of the policies that the stack gave it, so CloudFormation must create another one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.tool.aws import Aws
from infra.tool.aws_errors import AwsError
from infra.tool.errors import Problem
from infra.tool.provision.stack_state import StackState
from infra.tool.settings import Settings
from infra.tool.target import Target

RENAMED = Problem(
    "stack-renamed",
    "infra/settings.toml renames resources of the stack {stack}, which would break the running "
    "service",
    "restore the names: {names}; to rename the resources, delete the service first: "
    "uv run --frozen -m infra destroy",
)
ROLES_DELETED = Problem(
    "roles-deleted",
    "these roles of the stack {stack} were deleted outside CloudFormation: {roles}; CloudFormation "
    "creates a role again only under another name",
    "set {names} in infra/settings.toml, and replace the old names in the files of infra/ and ops/",
)
RESOURCES_DELETED = Problem(
    "resources-deleted",
    "these resources of the stack {stack} were deleted outside CloudFormation: {resources}",
    "create them again, empty: {commands}; then {again}",
)


@dataclass(frozen=True)
class Name:
    """A name in the settings that a stack keeps."""

    setting: str
    parameter: str  # of the stack
    is_role: bool
    now: str  # by the settings
    before: str  # by the stack; empty for a stack that lacks the parameter

    @property
    def is_other(self) -> bool:
        return bool(self.before) and self.before != self.now


def names_of(settings: Settings, parameters: Mapping[str, str]) -> list[Name]:
    """Every name that a stack with these parameters keeps."""
    names = settings.names
    rows = (
        ("[service] name", "AppName", settings.service.name),
        ("[names] repository", "RepositoryName", names.repository),
        ("[names] log_group", "LogGroupName", names.log_group),
        ("[names] cluster", "ClusterName", names.cluster),
        ("[names] service", "ServiceName", names.service),
        ("[names] execution_role", "ExecutionRoleName", names.execution_role),
        ("[names] task_role", "TaskRoleName", names.task_role),
        ("[names] deploy_role", "DeployRoleName", names.deploy_role),
    )
    return [
        Name(setting, parameter, setting.endswith("_role"), now, parameters.get(parameter, ""))
        for setting, parameter, now in rows
    ]


def require_names(target: Target, stack: StackState | None) -> None:
    """Raises ToolError if the settings rename what the stack has. A role may be renamed if IAM no
    longer has the old one."""
    found = names_of(target.settings, stack.parameters) if stack else []
    renamed = [
        name
        for name in found
        if name.is_other and not (name.is_role and not role_exists(target.aws, name.before))
    ]
    if stack and renamed:
        raise RENAMED(stack=stack.name, names=listed(renamed))


def listed(names: list[Name]) -> str:
    """As in infra/settings.toml, with the names that the stack has."""
    return ", ".join(f'{name.setting} = "{name.before}"' for name in names)


def require_existing(target: Target, stack: StackState | None) -> None:
    """Raises ToolError if a resource that the stack has and the service keeps was deleted by hand.

    Call it after `require_names`. A stack that never came up has no parameters, and keeps nothing.
    """
    if not stack or not stack.parameters:
        return
    roles = [
        name
        for name in names_of(target.settings, stack.parameters)
        if name.is_role and name.before == name.now and not role_exists(target.aws, name.before)
    ]
    if roles:
        raise ROLES_DELETED(
            stack=stack.name,
            roles=", ".join(role.before for role in roles),
            names=", ".join(f'{role.setting} = "{role.before}-2"' for role in roles),
        )
    commands = dict(deleted(target.aws, target.settings))
    if commands:
        raise RESOURCES_DELETED(
            stack=stack.name,
            resources=", ".join(commands),
            commands=" && ".join(commands.values()),
            again=target.again,
        )


def deleted(aws: Aws, settings: Settings) -> Iterator[tuple[str, str]]:
    """Each resource that does not exist, and the command that creates it. Raises AwsError."""
    names, region = settings.names, f"--region {settings.service.region}"
    if not repository_exists(aws, names.repository):
        yield (
            f"the repository {names.repository}",
            f"aws ecr create-repository {region} --repository-name {names.repository}",
        )
    if not log_group_exists(aws, names.log_group):
        yield (
            f"the log group {names.log_group}",
            f"aws logs create-log-group {region} --log-group-name {names.log_group}",
        )
    if not cluster_exists(aws, names.cluster):
        yield (
            f"the cluster {names.cluster}",
            f"aws ecs create-cluster {region} --cluster-name {names.cluster}",
        )


def role_exists(aws: Aws, name: str) -> bool:
    try:
        aws.iam.get_role(RoleName=name)
    except AwsError as error:
        if error.aws_code == "NoSuchEntity":
            return False
        raise
    return True


def repository_exists(aws: Aws, name: str) -> bool:
    try:
        aws.ecr.describe_repositories(repositoryNames=[name])
    except AwsError as error:
        if error.aws_code == "RepositoryNotFoundException":
            return False
        raise
    return True


def log_group_exists(aws: Aws, name: str) -> bool:
    pages = aws.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    return any(group["logGroupName"] == name for page in pages for group in page["logGroups"])


def cluster_exists(aws: Aws, name: str) -> bool:
    """A deleted cluster stays listed as INACTIVE for a while."""
    found = aws.ecs.describe_clusters(clusters=[name])["clusters"]
    return any(cluster["status"] == "ACTIVE" for cluster in found)
