"""When tasks are added and removed: infra/autoscaling.json, between the bounds of the settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.tool import schedule_document, schedules
from infra.tool.api_model import Json
from infra.tool.aws import Aws
from infra.tool.aws_errors import AwsError
from infra.tool.errors import ExitCode, Problem
from infra.tool.service_names import Names
from infra.tool.target import Target

NOT_SET = Problem(
    "scaling-not-set",
    "this commit is running, but its scaling could not be set: {why}",
    "correct what AWS names (the deploy role has the permissions of "
    "ops/iam-policy-github-actions.json), then {again}",
)


@dataclass(frozen=True)
class Scaled:
    """The result of applying the scaling, as text."""

    deleted: Sequence[str]  # policies that the document does not name
    deleted_schedules: Sequence[str]  # likewise scheduled actions
    schedules: Sequence[str]  # scheduled actions that own the bounds


@dataclass(frozen=True)
class Bounds:
    """Between how many tasks the scaling keeps the service."""

    least: int
    most: int


def target_of(names: Names) -> Json:
    """The number of tasks of the service, as Application Auto Scaling names it."""
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{names.cluster}/{names.service}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }


def policy_requests(autoscaling: Json, names: Names, resource_label: str) -> Sequence[Json]:
    """For PutScalingPolicy. `resource_label` names the load balancer and the target group."""
    policies = autoscaling["policies"]
    return [with_label(policy, resource_label) | target_of(names) for policy in policies]


def with_label(policy: Json, resource_label: str) -> Json:
    """A policy that follows the requests of each target says of which target group."""
    tracking = policy.get("TargetTrackingScalingPolicyConfiguration", {})
    metric = tracking.get("PredefinedMetricSpecification", {})
    if metric.get("PredefinedMetricType") != "ALBRequestCountPerTarget":
        return policy
    labelled = metric | {"ResourceLabel": resource_label}
    return policy | {
        "TargetTrackingScalingPolicyConfiguration": tracking
        | {"PredefinedMetricSpecification": labelled}
    }


def schedules_of_bounds(aws: Aws, names: Names, autoscaling: Json | None = None) -> Sequence[str]:
    """The scheduled actions that set the bounds of the service, and that a deploy of the document
    leaves there. Raises AwsError."""
    return schedule_document.owners(schedules.read(aws, target_of(names)), autoscaling or {})


def read_bounds(aws: Aws, names: Names) -> Bounds | None:
    """The bounds of the scaling, or None if none is set. Raises AwsError."""
    answer = aws.scaling.describe_scalable_targets(
        ServiceNamespace="ecs",
        ResourceIds=[f"service/{names.cluster}/{names.service}"],
        ScalableDimension="ecs:service:DesiredCount",
    )
    found = [Bounds(each["MinCapacity"], each["MaxCapacity"]) for each in answer["ScalableTargets"]]
    return found[0] if found else None


def read_policies(aws: Aws, names: Names) -> list[Json]:
    """The scaling policies of the service. Raises AwsError."""
    pages = aws.scaling.get_paginator("describe_scaling_policies").paginate(**target_of(names))
    return [dict(policy) for page in pages for policy in page["ScalingPolicies"]]


def apply(target: Target, autoscaling: Json, resource_label: str, owners: Sequence[str]) -> Scaled:
    """Register the bounds, put every policy and scheduled action of the document, and delete the
    others of the service.

    Bounds that a schedule sets are left alone. Raises ToolError.
    """
    aws, names, tasks = target.aws, target.settings.names, target.settings.tasks
    scalable = target_of(names)
    try:
        # One that is to go must not set bounds after these.
        deleted = schedules.delete_others(aws, scalable, autoscaling)
        if not owners:
            aws.scaling.register_scalable_target(
                **scalable, MinCapacity=tasks.min, MaxCapacity=tasks.max
            )
        for request in policy_requests(autoscaling, names, resource_label):
            aws.scaling.put_scaling_policy(**request)
        schedules.put(aws, scalable, autoscaling)
        return Scaled(delete_others(aws, names, autoscaling), deleted, owners)
    except AwsError as error:
        if error.exit is ExitCode.UNKNOWN:  # AWS may have done it
            raise
        raise NOT_SET(why=error.message, again=target.again) from None


def delete_others(aws: Aws, names: Names, autoscaling: Json) -> Sequence[str]:
    """Delete the policies that the document does not name, which would continue to scale."""
    named = {policy["PolicyName"] for policy in autoscaling["policies"]}
    found = [policy["PolicyName"] for policy in read_policies(aws, names)]
    others = [name for name in found if name not in named]
    for name in others:
        try:
            aws.scaling.delete_scaling_policy(**target_of(names), PolicyName=name)
        except AwsError as error:
            # Another deploy has deleted it, or this call did before its first answer was lost.
            if error.aws_code != "ObjectNotFoundException":
                raise
    return others
