"""Whether a change set may be executed while tasks run.

It may not replace or remove what running tasks use, whatever edit of infra/stack.yml or of the
settings led to it. They use each resource of the stack
- that the service, its deployments with tasks, or their revisions name: target group, security
  groups, subnets, cluster, roles, log group, repository, secrets and volumes;
- that is a load balancer before those target groups, or its security groups and subnets;
- that is a part of these: a listener or rule that leads to the target groups, a rule of a security
  group, a policy of a role.
They do not use other resources, such as alarms, event rules, topics and the deploy role.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from infra.tool.errors import Problem
from infra.tool.provision import running
from infra.tool.provision.change import Action, Change
from infra.tool.provision.change_set import ChangeSet
from infra.tool.provision.survey import Survey
from infra.tool.target import COMMAND, Target

CUT_OFF = Problem(
    "tasks-cut-off",
    "running tasks of {service} use what this change set would replace or remove: {effects}",
    "take the edit back, or change it in this order: add a new resource under another logical id "
    f"and name beside the old one, and let Outputs and references name the new one; {COMMAND} "
    f"provision; deploy; then remove the old one, and {COMMAND} provision",
)
ZONE = Problem(
    "network-zone-in-use",
    "tasks run in {subnets}, and this change set takes the load balancer out of that zone: they "
    "would get no more requests",
    'set SUBNET_IDS="{had}" and TASK_SUBNET_IDS to subnets of the zones that stay, provision, '
    "deploy, and only then change SUBNET_IDS",
)

LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
LISTENER_RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"

# The property of a part that names the resource that it is a part of.
PART_OF = {
    "AWS::EC2::SecurityGroupEgress": "GroupId",
    "AWS::EC2::SecurityGroupIngress": "GroupId",
    "AWS::ECS::ClusterCapacityProviderAssociations": "Cluster",
    "AWS::IAM::ManagedPolicy": "Roles",
    "AWS::IAM::Policy": "Roles",
    "AWS::IAM::RolePolicy": "RoleName",
    LISTENER: "LoadBalancerArn",
    LISTENER_RULE: "ListenerArn",
}

# Resources that a setting turns off, and its parameter. To empty it is to ask for the removal.
TURNED_OFF_BY = {
    "DecryptSecrets": "SecretsKeyArn",
    "HttpsListener": "CertificateArn",
    "InvokeModels": "BedrockModelArns",
    "ReadBuckets": "S3BucketArns",
    "ReadParameters": "ParameterArns",
    "ReadSecrets": "SecretArns",
    "SendTraces": "Tracing",
}

# The properties by which a resource has a name of its own: with the same name, CloudFormation does
# not replace it ("Name type" in its user guide).
NAMES = {
    "AWS::EC2::SecurityGroup": ("GroupName",),
    "AWS::ECR::Repository": ("RepositoryName",),
    "AWS::ECS::Cluster": ("ClusterName",),
    "AWS::IAM::Role": ("RoleName",),
    "AWS::IAM::RolePolicy": ("PolicyName", "RoleName"),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    LOAD_BALANCER: ("Name",),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("Name",),
}

ENDS = {
    Action.REPLACE.value: "would be replaced",
    Action.MAY_REPLACE.value: "may be replaced",
    Action.REMOVE.value: "would be removed",
}


def require_harmless(target: Target, survey: Survey, planned: ChangeSet) -> None:
    """Raises ToolError if the change set would cut off running tasks."""
    now = survey.running
    if not (now.has_tasks and any(map(needs_judgement, planned.changes))):
        return
    used = running.read_used(target, now)
    parameters = Parameters(survey.had, survey.parameters)
    if cutting := [each for each in planned.changes if cuts_off(each, used, parameters)]:
        effects = "; ".join(map(describe, cutting))
        raise CUT_OFF(service=target.settings.names.service, effects=effects)
    for before, after in moves(planned.changes, used):
        zones = read_zones(target, [*before, *after, *now.subnets])
        if leaving := zones_left(before, after, now.subnets, zones):
            raise ZONE(subnets=", ".join(leaving), had=",".join(before))


def read_zones(target: Target, subnets: Iterable[str]) -> Mapping[str, str]:
    """The zone of each subnet. One that the change set itself creates has none yet."""
    ids = sorted({id for id in subnets if id.startswith("subnet-")})
    pages = target.aws.ec2.get_paginator("describe_subnets").paginate(SubnetIds=ids)
    return {
        each["SubnetId"]: each["AvailabilityZone"] for page in pages for each in page["Subnets"]
    }


# --- decisions, pure ---


@dataclass(frozen=True)
class Parameters:
    """Of the stack."""

    before: Mapping[str, str]
    after: Mapping[str, str]

    def empties(self, name: str) -> bool:
        return bool(self.before.get(name)) and not self.after.get(name)


def needs_judgement(change: Change) -> bool:
    return change.action in ENDS or is_move(change)


def cuts_off(change: Change, used: AbstractSet[str], parameters: Parameters) -> bool:
    """Whether it replaces, may replace or removes what running tasks use."""
    return change.action in ENDS and is_used(change, used) and not is_turned_off(change, parameters)


def is_turned_off(change: Change, parameters: Parameters) -> bool:
    parameter = TURNED_OFF_BY.get(change.resource, "")
    return change.action == Action.REMOVE.value and parameters.empties(parameter)


def is_used(change: Change, used: AbstractSet[str]) -> bool:
    """By the ids of what running tasks use. A part of which CloudFormation tells no properties is
    taken for used."""
    if change.id in used or change.type not in PART_OF:
        return change.id in used
    if not change.before:
        return True
    owners = {balancer_of(text) for text in running.texts(change.before.get(PART_OF[change.type]))}
    return bool(owners & used) and leads_to(change, used)


def balancer_of(arn: str) -> str:
    """The load balancer of a listener, whose ARN contains it; anything else as it is."""
    if ":listener/" not in arn:
        return arn
    return arn.replace(":listener/", ":loadbalancer/").rpartition("/")[0]


def leads_to(change: Change, used: AbstractSet[str]) -> bool:
    """False for a listener or rule that forwards to no target group that is used. A listener that
    redirects may lead to one that does."""
    if change.type not in (LISTENER, LISTENER_RULE):
        return True
    defaults = change.before.get("DefaultActions", [])
    named = {*running.texts([defaults, change.before.get("Actions", [])])}
    return bool(named & used) or "redirect" in running.texts(defaults)


def describe(change: Change) -> str:
    """What becomes of a resource, and for which properties."""
    causes = f" for its {', '.join(change.causes)}" if change.causes else ""
    text = f"{change.resource} ({change.type}) {ENDS[change.action]}{causes}"
    if name := kept_name(change):
        text += (
            f", which CloudFormation refuses as long as it has the name {name}: a resource with a "
            "name of its own needs another one"
        )
    return text


def kept_name(change: Change) -> str:
    """The name that keeps CloudFormation from replacing a resource; empty if nothing does."""
    keys = NAMES.get(change.type, ())
    before, after = ([each.get(key, "") for key in keys] for each in (change.before, change.after))
    if not all(before) or before != after or change.action != Action.REPLACE.value:
        return ""
    return str(next(iter(before), ""))


def is_move(change: Change) -> bool:
    """Whether a load balancer gets other subnets in place."""
    is_balancer = change.type == LOAD_BALANCER and change.action == Action.CHANGE.value
    return is_balancer and subnets(change.before) != subnets(change.after)


def moves(
    changes: Iterable[Change], used: AbstractSet[str]
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """The subnets of each load balancer before and after."""
    for change in changes:
        if is_move(change) and change.id in used:
            yield subnets(change.before), subnets(change.after)


def subnets(properties: Mapping[str, Any]) -> list[str]:
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
