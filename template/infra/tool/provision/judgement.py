"""Whether a change set may be executed.

While tasks run, it may not replace or remove what they use, whatever edit of infra/stack.yml or of
the settings led to it. They use each resource of the stack
- that the service, its deployments with tasks, or their revisions name: target group, security
  groups, subnets, cluster, roles, log group, repository, secrets and volumes;
- that is a load balancer before those target groups, or its security groups and subnets;
- that is a part of these: a listener or rule that leads to the target groups, a rule of a security
  group, a policy of a role.
They do not use other resources, such as alarms, event rules, topics and the deploy role.

Changes in place are allowed, except those of in_place.py.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from infra.tool.errors import Problem
from infra.tool.provision import in_place, kept_names, running
from infra.tool.provision.change import Action, Change
from infra.tool.provision.change_set import ChangeSet
from infra.tool.provision.in_place import LISTENER, LISTENER_RULE, ROLE, Use
from infra.tool.provision.lost import role_exists
from infra.tool.provision.survey import Survey
from infra.tool.target import COMMAND, Target

CUT_OFF = Problem(
    "tasks-cut-off",
    "this change set would cut off running tasks of {service}: {effects}",
    "add the new resource beside the old one in infra/stack.yml, under another logical id and "
    "name, point Outputs and references to it, provision, deploy, and only then remove the old "
    f"one; to see the effect of each step first: {COMMAND} provision --plan",
)

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

# Resources that a setting turns off, and its parameters. To empty all of them is to ask for the
# removal.
TURNED_OFF_BY = {
    "CreateLogGroups": "CreatedLogGroupArns",
    "DecryptSecrets": "SecretsKeyArn",
    "HttpsListener": "CertificateArn CertificateZoneId",
    "InvokeModels": "BedrockModelArns",
    "PullOtherImages": "ImageRepositoryArns",
    "ReadBuckets": "S3BucketArns",
    "ReadFiles": "FileArns",
    "ReadParameters": "ParameterArns",
    "ReadSecrets": "SecretArns",
    "SendTraces": "Tracing",
    "WriteOtherLogs": "OtherLogGroupArns",
}

ENDS = {
    **kept_names.REPLACED,
    Action.REMOVE.value: "would be removed",
}


def require_good(target: Target, survey: Survey, planned: ChangeSet) -> None:
    """Raises ToolError if the change set would cut off running tasks, or cannot be executed."""
    require_harmless(target, survey, planned)
    kept_names.require_replaceable(target, planned.changes)


def require_harmless(target: Target, survey: Survey, planned: ChangeSet) -> None:
    """Raises ToolError if the change set would cut off running tasks."""
    now = survey.running
    if not now.has_tasks:
        return
    judged = [each for each in planned.changes if each.action in ENDS or in_place.is_judged(each)]
    if not judged:
        return
    used = running.read_used(target, now) - deleted_roles(target, judged)
    parameters = Parameters(survey.had, survey.parameters)
    changed = {each.id for each in planned.changes if each.action == Action.CHANGE.value}
    ends_https = parameters.empties(TURNED_OFF_BY["HttpsListener"])
    use = Use(used, now.security_groups, changed, ends_https)
    if effects := [text for each in judged if (text := effect(each, use, parameters))]:
        raise CUT_OFF(service=target.settings.names.service, effects="; ".join(effects))
    in_place.require_zones(target, judged, now, used)


def deleted_roles(target: Target, changes: Iterable[Change]) -> set[str]:
    """Roles that were deleted by hand. Tasks have lost them, so another one may replace them."""
    roles = {each.id for each in changes if each.type == ROLE and each.action in ENDS}
    return {name for name in roles if not role_exists(target.aws, name)}


# --- decisions, pure ---


@dataclass(frozen=True)
class Parameters:
    """Of the stack."""

    before: Mapping[str, str]
    after: Mapping[str, str]

    def empties(self, names: str) -> bool:
        before, after = (
            any(each.get(name) for name in names.split()) for each in (self.before, self.after)
        )
        return before and not after


def effect(change: Change, use: Use, parameters: Parameters) -> str:
    """How it cuts off running tasks, in words; empty if it does not."""
    if cuts_off(change, use.ids, parameters):
        return describe(change)
    lost = in_place.loss(change, use) if is_used(change, use.ids) else ""
    return f"{change.resource} ({change.type}) {lost}" if lost else ""


def cuts_off(change: Change, used: AbstractSet[str], parameters: Parameters) -> bool:
    """Whether it replaces, may replace or removes what running tasks use."""
    return change.action in ENDS and is_used(change, used) and not is_turned_off(change, parameters)


def is_turned_off(change: Change, parameters: Parameters) -> bool:
    names = TURNED_OFF_BY.get(change.resource, "")
    return change.action == Action.REMOVE.value and parameters.empties(names)


def is_used(change: Change, used: AbstractSet[str]) -> bool:
    """Whether running tasks use it, by the ids of all that they use. A part whose properties are
    not in the change set counts as used."""
    if change.id in used or change.type not in PART_OF:
        return change.id in used
    if not change.before:
        return True
    owners = {balancer_of(text) for text in running.texts(change.before.get(PART_OF[change.type]))}
    return bool(owners & used) and in_place.leads_to_tasks(change.type, change.before, used)


def balancer_of(arn: str) -> str:
    """The load balancer of a listener, whose ARN contains it; anything else as it is."""
    if ":listener/" not in arn:
        return arn
    return arn.replace(":listener/", ":loadbalancer/").rpartition("/")[0]


def describe(change: Change) -> str:
    """The change of a resource, and the properties that cause it."""
    causes = f" for its {', '.join(change.causes)}" if change.causes else ""
    return f"{change.resource} ({change.type}) {ENDS[change.action]}{causes}"
