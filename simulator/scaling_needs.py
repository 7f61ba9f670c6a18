"""The permissions that the operations of Application Auto Scaling need."""

from typing import Any

from simulator.account import Account
from simulator.needs import Needs, anything
from simulator.policies import Context, Need

Json = dict[str, Any]

# DescribeAlarms is authorized on all alarms, even if the request names some.
EVERY_ALARM = "alarm:*"
# The ARN of an alarm without a name.
NO_ALARM = "alarm:"


def scaling(action: str, *, probes: tuple[str, ...] = (), alarms: tuple[str, ...] = ()) -> Needs:
    """Application Auto Scaling checks with its caller's permissions whether the caller may call the
    target's service and CloudWatch, there with an alarm without a name: "Permissions validation for
    Application Auto Scaling API calls on target resources" (its User Guide). The calls for an ECS
    service are from "IAM permissions required for Amazon ECS service auto scaling" (ECS Developer
    Guide); their resources are an assumption. `alarms` are the operations on the alarms of a
    policy, whose one action is the policy, by the ARN in "PutScalingPolicy" (API Reference)."""

    def found(p: Json, account: Account) -> list[Need]:
        target = account.arn("application-autoscaling", "scalable-target/*")
        context = {
            "application-autoscaling:service-namespace": p["ServiceNamespace"],
            "application-autoscaling:scalable-dimension": p["ScalableDimension"],
        }
        service = account.arn("ecs", p["ResourceId"])
        no_alarm = account.arn("cloudwatch", NO_ALARM)
        tracking = f"alarm:TargetTracking-{p['ResourceId']}-AlarmHigh-0"  # and a Low one
        resource = f"resource/{p['ServiceNamespace']}/{p['ResourceId']}"
        policy = account.arn(
            "autoscaling", f"scalingPolicy:0-0:{resource}:policyName/{p.get('PolicyName')}"
        )
        does: dict[str, Context] = {
            "cloudwatch:DeleteAlarms": {},
            "cloudwatch:PutMetricAlarm": {"cloudwatch:AlarmActions": [policy]},
        }
        about = {
            "cloudwatch:DeleteAlarms": no_alarm,
            "cloudwatch:DescribeAlarms": account.arn("cloudwatch", EVERY_ALARM),
            "cloudwatch:PutMetricAlarm": no_alarm,
            "ecs:DescribeServices": service,
            "ecs:UpdateService": service,
        }
        return [
            Need(action, target, context),
            *(Need(probe, about[probe], is_probe=True) for probe in probes),
            *(Need(alarm, account.arn("cloudwatch", tracking), does[alarm]) for alarm in alarms),
        ]

    return found


PROBES = (
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:DeleteAlarms",
    "ecs:DescribeServices",
    "ecs:UpdateService",
)

APPLICATION_AUTOSCALING: dict[str, Needs] = {
    "DeleteScalingPolicy": scaling(
        "application-autoscaling:DeleteScalingPolicy", alarms=("cloudwatch:DeleteAlarms",)
    ),
    "DeleteScheduledAction": scaling("application-autoscaling:DeleteScheduledAction"),
    "DeregisterScalableTarget": scaling("application-autoscaling:DeregisterScalableTarget"),
    "DescribeScalableTargets": anything("application-autoscaling:DescribeScalableTargets"),
    "DescribeScalingPolicies": anything("application-autoscaling:DescribeScalingPolicies"),
    "DescribeScheduledActions": anything("application-autoscaling:DescribeScheduledActions"),
    "PutScalingPolicy": scaling(
        "application-autoscaling:PutScalingPolicy",
        probes=PROBES,
        alarms=("cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
    ),
    "PutScheduledAction": scaling("application-autoscaling:PutScheduledAction"),
    "RegisterScalableTarget": scaling(
        "application-autoscaling:RegisterScalableTarget", probes=PROBES
    ),
}
