"""Application Auto Scaling: targets, policies and scheduled actions. Their state is moto's."""

import math
import re
from typing import Any

from simulator.iam import SERVICE_LINKED_ROLES
from simulator.refusal import Refused
from simulator.service import Service

Json = dict[str, Any]

TARGET = ("ServiceNamespace", "ResourceId", "ScalableDimension")
# The three forms of "Schedule" (PutScheduledAction). Of a cron expression the number of fields is
# checked ("Schedule recurring scaling actions", Application Auto Scaling User Guide).
SCHEDULE = re.compile(
    r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)"
    r"|rate\([1-9]\d* (minute|hour|day)s?\)"
    r"|cron\([^() ]+( [^() ]+){5}\)"
)


def check_bounds(bounds: Json) -> None:
    if bounds.get("MinCapacity", 0) > bounds.get("MaxCapacity", math.inf):
        raise Refused(
            "ValidationException", "Maximum capacity cannot be less than minimum capacity"
        )


class Scaling(Service):
    """Error codes of Application Auto Scaling's model; moto uses one code for all of them."""

    name = "application-autoscaling"

    def deregister_scalable_target(self, parameters: Json) -> Json:
        """Its policies, their alarms and its scheduled actions are deleted too (API Reference)."""
        answer = self._or_not_found("DeregisterScalableTarget", parameters)
        for action in self._scheduled_actions(parameters):
            self.moto("DeleteScheduledAction", parameters | {"ScheduledActionName": action})
        for policy in self._policies(parameters):
            self.moto("DeleteScalingPolicy", parameters | {"PolicyName": policy})
        return answer

    def _policies(self, target: Json) -> list[str]:
        found = self.moto("DescribeScalingPolicies", target)["ScalingPolicies"]
        return [policy["PolicyName"] for policy in found]

    def delete_scaling_policy(self, parameters: Json) -> Json:
        return self._or_not_found("DeleteScalingPolicy", parameters)

    def put_scaling_policy(self, parameters: Json) -> Json:
        self._check_registered(parameters)
        target = {key: parameters[key] for key in TARGET}
        if parameters["PolicyName"] in self._policies(target):
            # moto would create more alarms and keep the earlier ones.
            self.moto("DeleteScalingPolicy", target | {"PolicyName": parameters["PolicyName"]})
        return self.moto("PutScalingPolicy", parameters)

    def put_scheduled_action(self, parameters: Json) -> Json:
        """Refusals: "PutScheduledAction" and "ScalableTargetAction" of the API Reference. The model
        requires only names, but a first request needs a schedule and an action."""
        self._check_registered(parameters)
        is_new = parameters["ScheduledActionName"] not in self._scheduled_actions(parameters)
        if is_new and not {"Schedule", "ScalableTargetAction"} <= parameters.keys():
            raise Refused("ValidationException", "A schedule and an action must be specified")
        if "Schedule" in parameters and not SCHEDULE.fullmatch(parameters["Schedule"]):
            raise Refused("ValidationException", f"Invalid schedule: {parameters['Schedule']}")
        check_bounds(parameters.get("ScalableTargetAction", {}))
        return self.moto("PutScheduledAction", parameters)

    def delete_scheduled_action(self, parameters: Json) -> Json:
        name = parameters["ScheduledActionName"]
        if name not in self._scheduled_actions(parameters):
            raise Refused("ObjectNotFoundException", f"No scheduled action found: {name}")
        return self.moto("DeleteScheduledAction", parameters)

    def _scheduled_actions(self, parameters: Json) -> list[str]:
        target = {key: parameters[key] for key in TARGET}
        found = self.moto("DescribeScheduledActions", target)["ScheduledActions"]
        return [action["ScheduledActionName"] for action in found]

    def _check_registered(self, parameters: Json) -> None:
        where = {key: parameters[key] for key in ("ServiceNamespace", "ScalableDimension")}
        asked = where | {"ResourceIds": [parameters["ResourceId"]]}
        if not self.moto("DescribeScalableTargets", asked)["ScalableTargets"]:
            raise Refused(
                "ObjectNotFoundException",
                f"No scalable target registered for service namespace: "
                f"{parameters['ServiceNamespace']}, resource ID: {parameters['ResourceId']}, "
                f"scalable dimension: {parameters['ScalableDimension']}",
            )

    def register_scalable_target(self, parameters: Json) -> Json:
        check_bounds(parameters)
        return self.moto("RegisterScalableTarget", parameters)

    def describe_scalable_targets(self, parameters: Json) -> Json:
        """Each target has a role; by default the service-linked one.

        API Reference, "ScalableTarget"; User Guide, "Service-linked roles".
        """
        answer = self.moto("DescribeScalableTargets", parameters)
        principal = "ecs.application-autoscaling.amazonaws.com"
        role = f"role/aws-service-role/{principal}/{SERVICE_LINKED_ROLES[principal]}"
        own = self.account.arn("iam", role, region="")
        for target in answer["ScalableTargets"]:
            target.setdefault("RoleARN", own)
        return answer

    def _or_not_found(self, operation: str, parameters: Json) -> Json:
        try:
            return self.moto(operation, parameters)
        except Refused as refused:
            if not refused.message.startswith("No scal"):
                raise
            raise Refused("ObjectNotFoundException", refused.message) from refused
