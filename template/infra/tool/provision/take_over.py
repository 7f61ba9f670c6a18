"""What changes for the present users of resources that the stack takes over."""

from collections.abc import Iterator, Sequence

from infra.tool.api_model import Json
from infra.tool.provision import policies
from infra.tool.provision.change import Change, takes_over
from infra.tool.settings import Settings


def consequences(
    changes: Sequence[Change], settings: Settings, lifecycle: Json
) -> Iterator[tuple[str, str]]:
    """Facts, none if nothing is taken over."""
    names = settings.names
    if takes_over(changes, "Repository"):
        yield (
            "images",
            f"in {names.repository}, no tag can be moved from now on: pushing a tag such as "
            "latest again fails",
        )
        rules = "; ".join(str(rule.get("description", "")) for rule in lifecycle.get("rules", []))
        yield "images", f"in {names.repository}, {policies.LIFECYCLE} decides what expires: {rules}"
    if takes_over(changes, "LogGroup"):
        days = settings.logs.retention_days
        yield "log", f"in {names.log_group}, lines are deleted after {days} days"
