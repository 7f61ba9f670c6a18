"""[security] egress_cidrs: what tasks may reach.

The limits are those of a second security group. So running tasks keep theirs until a deploy
replaces them, and that deploy goes back by itself if the app does not work with the limits. As long
as tasks are in that group, its limits may be widened, and not narrowed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from infra.tool.errors import Problem
from infra.tool.provision.parameters import listed
from infra.tool.shapes import is_prefix_list, quoted
from infra.tool.target import COMMAND, Target

IN_USE = Problem(
    "egress-in-use",
    "[security] egress_cidrs in infra/settings.toml would cut running tasks off from {lost}, which "
    "they may reach now",
    "keep {lost} in the list; or do it in two steps: set egress_cidrs = [], then {provision} and "
    "deploy; after that set egress_cidrs = {wanted}, then provision and deploy again",
)
OUTPUT = "LimitedTaskSecurityGroupId"


@dataclass(frozen=True)
class Egress:
    """Of the limited group."""

    entries: tuple[str, ...]  # ranges and prefix lists; none: there is no such group
    limits: bool  # whether the next tasks are in it

    def parameters(self) -> dict[str, str]:
        """Of infra/stack.yml."""
        return {
            "EgressCidrs": ",".join(each for each in self.entries if not is_prefix_list(each)),
            "EgressPrefixLists": ",".join(filter(is_prefix_list, self.entries)),
            "LimitEgress": "true" if self.limits else "",
        }


def choose(
    target: Target, had: Mapping[str, str], outputs: Mapping[str, str], groups: frozenset[str]
) -> Egress:
    """The wanted limits of the stack; `groups` are those of running tasks. Raises ToolError."""
    wanted = target.settings.security.egress_cidrs
    before = of_stack(had) if outputs.get(OUTPUT) in groups else ()
    if before and not wanted:
        target.runtime.console.warn(
            "Running tasks are in the security group with limited egress. It stays until a deploy "
            f"has replaced them; after that, {COMMAND} provision removes it."
        )
        return Egress(before, limits=False)
    if lost := [*narrowed(before, wanted)]:
        provision = f"{COMMAND} provision"
        raise IN_USE(lost=", ".join(lost), provision=provision, wanted=quoted(wanted))
    return Egress(tuple(wanted), limits=bool(wanted))


# --- pure ---


def of_stack(had: Mapping[str, str]) -> tuple[str, ...]:
    return (*listed(had.get("EgressCidrs", "")), *listed(had.get("EgressPrefixLists", "")))


def narrowed(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """Entries that are no longer allowed as a whole."""
    ranges = [IPv4Network(each) for each in after if not is_prefix_list(each)]
    for each in before:
        if each in after:
            continue
        if is_prefix_list(each) or not any(IPv4Network(each).subnet_of(wider) for wider in ranges):
            yield each
