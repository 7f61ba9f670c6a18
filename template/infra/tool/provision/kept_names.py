"""Replacements that CloudFormation cannot carry out: it creates the new resource before it deletes
the old one, and both would have one name ("Name type", CloudFormation User Guide)."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from infra.tool.errors import Problem
from infra.tool.provision import lost
from infra.tool.provision.change import Action, Change
from infra.tool.settings import Settings
from infra.tool.target import COMMAND, Target

KEPT = Problem(
    "name-kept",
    "this change set cannot be executed: {effects}, and CloudFormation cannot replace a resource "
    "that keeps its name",
    "undo this change in infra/stack.yml; or {other}",
)
RENAME = "give each of them another name in infra/stack.yml, too"
DESTROY = f"delete everything first, because infra/settings.toml names it: {COMMAND} destroy"

# By type: the property with the name of the resource. A change of another property can replace it.
NAMES = {
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::IAM::Role": "RoleName",
}
REPLACED = {
    Action.REPLACE.value: "would be replaced",
    Action.MAY_REPLACE.value: "may be replaced",
}


def require_replaceable(target: Target, changes: Iterable[Change]) -> None:
    """Raises ToolError if a change set replaces, or may replace, a resource that keeps its name."""
    kept = [each for each in changes if kept_name(each)]
    if kept:
        fixed = {*map(kept_name, kept)} & names_of(target.settings)
        raise KEPT(
            effects="; ".join(map(describe, kept)),
            other=DESTROY if fixed else RENAME,
        )


# --- pure ---


def names_of(settings: Settings) -> AbstractSet[str]:
    """The names in the settings that a stack keeps."""
    return {each.now for each in lost.names_of(settings, {})}


def kept_name(change: Change) -> str:
    """The name that a replacement would keep; empty if CloudFormation can replace the resource."""
    key = NAMES.get(change.type, "")
    before, after = (str(each.get(key, "")) for each in (change.before, change.after))
    return before if change.action in REPLACED and before == after else ""


def describe(change: Change) -> str:
    causes = f" for its {', '.join(change.causes)}" if change.causes else ""
    how = REPLACED[change.action]
    return f"{change.resource} ({change.type}), {kept_name(change)}, {how}{causes}"
