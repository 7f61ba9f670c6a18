"""Changes in place that cut running tasks off.

| a change of | cuts tasks off if it |
| --- | --- |
| a security group that tasks are in | removes a rule, or a part of one |
| a security group of their load balancer | removes its rules for tasks, or a port of clients |
| their load balancer | leaves a security group, or a zone |
| a listener or rule that leads to them | forwards to another target, or listens on another port |
| a role of theirs | no longer allows ECS to assume it for tasks |

Which clients may reach the load balancer is a setting, so their ranges are not judged. Whether the
app answers at another path of a health check, and what tasks do with the grants of their roles, is
not known here.

Some values are not known before CloudFormation executes the change set. They belong to resources of
the same change set: to those that are changed in place, and keep their ids, or to new ones.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from infra.tool.errors import Problem
from infra.tool.provision import group_rules
from infra.tool.provision.change import NOT_KNOWN, Action, Change
from infra.tool.provision.group_rules import EGRESS, INGRESS, Rule
from infra.tool.provision.running import Running, texts
from infra.tool.shapes import quoted
from infra.tool.target import Target

ZONE = Problem(
    "network-zone-in-use",
    "tasks run in {subnets}, but this change set removes the load balancer from that zone: these "
    "tasks would get no more requests",
    "set [network] subnets = {had} in infra/settings.toml and [tasks] subnets to subnets of the "
    "zones that stay, provision, deploy, and only then change [network] subnets",
)

LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
LISTENER_RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
ROLE = "AWS::IAM::Role"
SECURITY_GROUP = "AWS::EC2::SecurityGroup"

TASKS = "ecs-tasks.amazonaws.com"
HTTPS = (443, 443)
Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Use:
    """The resources that running tasks use."""

    ids: AbstractSet[str]  # physical ids of everything
    groups: AbstractSet[str] = frozenset()  # security groups that they are in
    changed: AbstractSet[str] = frozenset()  # ids of what the change set changes and keeps
    ends_https: bool = False  # by the setting

    @property
    def unknown(self) -> AbstractSet[str]:
        """The ids that an unknown value may have, among those that tasks use."""
        return self.changed & self.ids


def is_judged(change: Change) -> bool:
    return change.action == Action.CHANGE.value and change.type in LOSSES


def require_zones(
    target: Target, changes: Iterable[Change], now: Running, used: AbstractSet[str]
) -> None:
    """Raises ToolError if a load balancer leaves a zone in which tasks run."""
    for change in changes:
        before, after = subnets(change.before), subnets(change.after)
        if change.type == LOAD_BALANCER and change.id in used and before != after:
            zones = read_zones(target, [*before, *after, *now.subnets])
            if leaving := zones_left(before, after, now.subnets, zones):
                raise ZONE(subnets=", ".join(leaving), had=quoted(before))


def read_zones(target: Target, subnets: Iterable[str]) -> Mapping[str, str]:
    """The zone of each subnet. A subnet that the change set creates has none yet."""
    ids = sorted({id for id in subnets if id.startswith("subnet-")})
    pages = target.aws.ec2.get_paginator("describe_subnets").paginate(SubnetIds=ids)
    return {
        each["SubnetId"]: each["AvailabilityZone"] for page in pages for each in page["Subnets"]
    }


# --- decisions, pure ---


def loss(change: Change, use: Use) -> str:
    """How the change cuts off tasks, as part of a sentence; empty if it does not."""
    return ", and ".join(LOSSES[change.type](change, use)) if is_judged(change) else ""


def of_listener(change: Change, use: Use) -> Iterator[str]:
    before, after = change.before, change.after
    if not leads_to_tasks(change.type, before, use.ids):
        return
    if not leads_to_tasks(change.type, after, use.ids, use.unknown):
        yield "would no longer lead to the tasks"
    was, is_now = (tuple(map(each.get, ("Protocol", "Port"))) for each in (before, after))
    if [*map(str, was)] != [*map(str, is_now)]:
        yield f"would no longer answer {was[0]} at port {was[1]}"


def of_load_balancer(change: Change, use: Use) -> Iterator[str]:
    """Its zones: require_zones."""
    before, after = ({*each.get("SecurityGroups", [])} for each in (change.before, change.after))
    if NOT_KNOWN in after:
        after |= use.unknown
    if left := before - after:
        yield f"would leave {', '.join(sorted(left))}"


def of_role(change: Change, _: Use) -> Iterator[str]:
    if trusts_tasks(change.before) and not trusts_tasks(change.after):
        yield f"would no longer trust {TASKS}"


def of_group(change: Change, use: Use) -> Iterator[str]:
    ways = (("from", INGRESS), ("to", EGRESS))
    for word, direction in ways:
        before = group_rules.read_before(change.before, direction)
        after = group_rules.read(change.after, direction)
        lost = group_rules.lost(before, after, use.unknown)
        if change.id in use.groups:
            named = [rule.text for rule in lost]
        elif direction == EGRESS:
            named = [rule.text for rule in lost if leads_out(rule, after, use)]
        else:
            named = [*lost_ports(before, after, use)]
        if named:
            yield f"would lose its rule {word} {', '.join(named)}"


def leads_out(lost: Rule, after: Iterable[Rule], use: Use) -> bool:
    """Whether a lost rule allowed the load balancer to reach tasks, and no remaining rule does."""
    if lost.is_group:
        return lost.peer in use.ids
    peers = {rule.peer for rule in after if rule.is_group}
    if NOT_KNOWN in peers:
        peers |= use.unknown
    return not peers & use.ids


def lost_ports(before: Iterable[Rule], after: Sequence[Rule], use: Use) -> Iterator[str]:
    """Ports of a load balancer that no client may reach any more."""
    for rule in before:
        is_closed = use.ends_https and rule.ports == HTTPS
        if not (is_closed or any(each.has_a_port_of(rule) for each in after)):
            yield f"clients ({rule.port_text})"


LOSSES: Mapping[str, Callable[[Change, Use], Iterator[str]]] = {
    LISTENER: of_listener,
    LISTENER_RULE: of_listener,
    LOAD_BALANCER: of_load_balancer,
    ROLE: of_role,
    SECURITY_GROUP: of_group,
}


def leads_to_tasks(
    type: str,
    properties: Properties,
    used: AbstractSet[str],
    unknown: AbstractSet[str] = frozenset(),
) -> bool:
    """False for a listener or rule that forwards to no target group that is used. A listener that
    redirects may lead to one that does."""
    if type not in (LISTENER, LISTENER_RULE):
        return True
    defaults = properties.get("DefaultActions", [])
    named = {*texts([defaults, properties.get("Actions", [])])}
    if NOT_KNOWN in named:
        named |= unknown
    return bool(named & used) or "redirect" in texts(defaults)


def trusts_tasks(properties: Properties) -> bool:
    """Whether the trust policy allows ECS tasks to assume the role. Conditions are not judged."""
    document = properties.get("AssumeRolePolicyDocument", {})
    if not isinstance(document, Mapping):
        return True
    found = document.get("Statement", [])
    return any(
        each.get("Effect") == "Allow"
        and {TASKS, "*"} & {*texts(each.get("Principal", {}))}
        and {"sts:AssumeRole", "sts:*", "*"} & {*texts(each.get("Action", []))}
        for each in (found if isinstance(found, list) else [found])
    )


def subnets(properties: Properties) -> Sequence[str]:
    """Of a load balancer."""
    mappings = properties.get("SubnetMappings", [])
    return [*properties.get("Subnets", []), *(each.get("SubnetId", "") for each in mappings)]


def zones_left(
    before: Iterable[str], after: Iterable[str], used: Iterable[str], zones: Mapping[str, str]
) -> list[str]:
    """The subnets with tasks in zones that the load balancer leaves: until the next deploy, their
    tasks would get no requests."""
    leaving = {zones.get(id) for id in before} - {zones.get(id) for id in after}
    return [f"{id} ({zones[id]})" for id in sorted(used) if zones.get(id) in leaving - {None}]
