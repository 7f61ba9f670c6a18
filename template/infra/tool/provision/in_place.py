"""Changes in place that cut running tasks off from requests: a listener with another target, a
removed rule between security groups, and a load balancer that leaves a zone.

Some values are not known before CloudFormation executes the change set. Each of them refers to a
resource of the same change set, which is judged by itself, so it counts as unchanged.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from infra.tool.errors import Problem
from infra.tool.provision.change import Action, Change
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
SECURITY_GROUP = "AWS::EC2::SecurityGroup"
JUDGED = (LISTENER, LISTENER_RULE, LOAD_BALANCER, SECURITY_GROUP)

NOT_KNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"  # of DescribeChangeSet
OTHER_GROUP = {
    "SecurityGroupEgress": "DestinationSecurityGroupId",
    "SecurityGroupIngress": "SourceSecurityGroupId",
}
Properties = Mapping[str, Any]


def is_judged(change: Change) -> bool:
    return change.action == Action.CHANGE.value and change.type in JUDGED


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
    """The zone of each subnet. One that the change set itself creates has none yet."""
    ids = sorted({id for id in subnets if id.startswith("subnet-")})
    pages = target.aws.ec2.get_paginator("describe_subnets").paginate(SubnetIds=ids)
    return {
        each["SubnetId"]: each["AvailabilityZone"] for page in pages for each in page["Subnets"]
    }


# --- decisions, pure ---


def loss(change: Change, used: AbstractSet[str]) -> str:
    """Why requests would not reach the tasks after the change; empty if they would."""
    if not is_judged(change):
        return ""
    if change.type in (LISTENER, LISTENER_RULE):
        before, after = (
            leads_to_tasks(change.type, each, used) for each in (change.before, change.after)
        )
        return "would no longer lead to the tasks" if before and not after else ""
    lost = [] if change.type != SECURITY_GROUP else [*lost_rules(change, used)]
    return f"would lose its rule for {', '.join(lost)}" if lost else ""


def leads_to_tasks(type: str, properties: Properties, used: AbstractSet[str]) -> bool:
    """False for a listener or rule that forwards to no target group that is used. A listener that
    redirects may lead to one that does."""
    if type not in (LISTENER, LISTENER_RULE):
        return True
    defaults = properties.get("DefaultActions", [])
    named = {*texts([defaults, properties.get("Actions", [])])}
    return bool(named & (used | {NOT_KNOWN})) or "redirect" in texts(defaults)


def lost_rules(change: Change, used: AbstractSet[str]) -> Iterator[str]:
    """Groups in use that a group in use no longer has a rule for, at the same ports."""
    for member, other in OTHER_GROUP.items():
        after = rules(change.after.get(member, []), other)
        for rule in rules(change.before.get(member, []), other):
            group, *ports = rule
            if group in used and not ({rule, (NOT_KNOWN, *ports)} & {*after}):
                yield group


def rules(found: Iterable[Properties], other: str) -> list[tuple[str, ...]]:
    """The group and ports of each rule for another group."""
    keys = (other, "IpProtocol", "FromPort", "ToPort")
    return [tuple(str(each.get(key, "")) for key in keys) for each in found if other in each]


def subnets(properties: Properties) -> Sequence[str]:
    """Of a load balancer."""
    mappings = properties.get("SubnetMappings", [])
    return [*properties.get("Subnets", []), *(each.get("SubnetId", "") for each in mappings)]


def zones_left(
    before: Iterable[str], after: Iterable[str], used: Iterable[str], zones: Mapping[str, str]
) -> list[str]:
    """Subnets with tasks, in zones that the load balancer leaves: until the next deploy, their
    tasks would get no requests."""
    leaving = {zones.get(id) for id in before} - {zones.get(id) for id in after}
    return [f"{id} ({zones[id]})" for id in sorted(used) if zones.get(id) in leaving - {None}]
