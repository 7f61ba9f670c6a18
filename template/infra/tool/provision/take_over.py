"""Changes for the present users of resources that the stack takes over."""

from collections.abc import Iterator, Sequence

from infra.tool.api_model import Json
from infra.tool.aws_errors import tolerating
from infra.tool.errors import ExitCode, Problem
from infra.tool.provision import policies
from infra.tool.provision.change import Change, takes_over
from infra.tool.settings import Settings
from infra.tool.target import Target

NOT_CONFIRMED = Problem(
    "take-over-not-confirmed",
    'expected the name of the app, got "{typed}": nothing was changed, and {found} may belong to '
    "something else",
    "if all of it belongs to this service, {again}, and type {name}; otherwise choose other "
    "[names] in infra/settings.toml",
    ExitCode.NOT_READY,
)


def consequences(
    changes: Sequence[Change], settings: Settings, lifecycle: Json
) -> Iterator[tuple[str, str]]:
    """Facts, none if nothing is taken over."""
    names = settings.names
    if takes_over(changes, "Repository"):
        yield (
            "images",
            f"in {names.repository}, tags become immutable: pushing a tag such as "
            "latest again fails",
        )
        rules = "; ".join(str(rule.get("description", "")) for rule in lifecycle.get("rules", []))
        yield "images", f"in {names.repository}, {policies.LIFECYCLE} decides what expires: {rules}"
    if takes_over(changes, "LogGroup"):
        days = settings.logs.retention_days
        yield "log", f"in {names.log_group}, lines are deleted after {days} days"


def confirm(target: Target, changes: Sequence[Change]) -> None:
    """Raises ToolError unless the name of the app is typed, if images or lines of something else
    would expire. It does not ask about what `destroy` of this service kept."""
    names, name = target.settings.names, target.settings.service.name
    found = []
    if takes_over(changes, "Repository") and has_other_images(target):
        found.append(f"the images in {names.repository}")
    if takes_over(changes, "LogGroup") and has_older_lines(target):
        found.append(f"the log {names.log_group}")
    if not found:
        return
    listed = " and ".join(found)
    target.runtime.console.say(f"Provisioning takes over {listed}, with the effects shown above.")
    typed = target.runtime.ask(f"To continue, type the name of the app ({name}): ").strip()
    if typed != name:
        raise NOT_CONFIRMED(typed=typed, name=name, found=listed, again=target.again)


def has_other_images(target: Target) -> bool:
    """Whether the repository has images, and is not as provisioning leaves one."""
    ecr, name = target.aws.ecr, target.settings.names.repository
    if not ecr.describe_images(repositoryName=name)["imageDetails"]:
        return False
    [repository] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    return repository["imageTagMutability"] != "IMMUTABLE" or not has_lifecycle(target)


def has_lifecycle(target: Target) -> bool:
    with tolerating("LifecyclePolicyNotFoundException"):
        target.aws.ecr.get_lifecycle_policy(repositoryName=target.settings.names.repository)
        return True
    return False


def has_older_lines(target: Target) -> bool:
    """Whether the log group keeps lines for longer than the settings say, and has any."""
    logs, name = target.aws.logs, target.settings.names.log_group
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    [group] = [
        group for page in pages for group in page["logGroups"] if group["logGroupName"] == name
    ]
    days = group.get("retentionInDays")  # None: for ever
    if days is not None and days <= target.settings.logs.retention_days:
        return False
    return bool(logs.describe_log_streams(logGroupName=name, limit=1)["logStreams"])
