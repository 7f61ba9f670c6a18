"""infra/autoscaling.json: scaling policies, and scheduled actions (schedule_document.py). Pure."""

from collections.abc import Iterator

from infra.tool import quotas, schedule_document
from infra.tool.api_model import Json, about_shape
from infra.tool.scaling_items import ADDED, about_added, about_items

# The member with the rules of a scaling policy, by the policy's type.
CONFIGURATIONS = {
    kind: f"{kind}PolicyConfiguration"
    for kind in ("TargetTrackingScaling", "StepScaling", "PredictiveScaling")
}


def complaints(autoscaling: Json) -> Iterator[str]:
    """Complaints about the document."""
    policies = autoscaling.get("policies")
    if not isinstance(policies, list) or not all(isinstance(policy, dict) for policy in policies):
        yield 'it needs a list of scaling policies, for example {"policies": []}'
        return
    if unknown := autoscaling.keys() - {"policies", schedule_document.MEMBER}:
        yield f"unknown members: {', '.join(sorted(unknown))}"
    yield from schedule_document.complaints(autoscaling)
    yield from about_items("policy", "PolicyName", policies, quotas.SCALING_POLICIES, about_policy)


def about_policy(policy: Json) -> Iterator[str]:
    """Complaints about one scaling policy."""
    yield from about_added(policy)
    if wrong := about_shape("PutScalingPolicy", policy | ADDED):
        yield from wrong
        return
    kind = policy.get("PolicyType")
    if kind not in CONFIGURATIONS:
        yield f"PolicyType must be one of {', '.join(CONFIGURATIONS)}"
    elif CONFIGURATIONS[kind] not in policy:
        yield f"{kind} needs a {CONFIGURATIONS[kind]}"
    tracking = policy.get("TargetTrackingScalingPolicyConfiguration", {})
    metric = tracking.get("PredefinedMetricSpecification", {})
    if "ResourceLabel" in metric:
        yield "ResourceLabel comes from the stack: remove it from this file"
