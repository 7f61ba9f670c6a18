"""Scheduled actions of Application Auto Scaling, started by a test.

Schedules are checked, but not computed, so no clock starts an action.
Source: "How scheduled scaling for Application Auto Scaling works" (its User Guide).
"""

from typing import Any

from simulator.simulation import SimulatedAws

Json = dict[str, Any]


def run_scheduled_action(aws: SimulatedAws, name: str) -> None:
    """Apply the bounds of a scheduled action, and adjust the number of tasks to them."""
    scaling, ecs = aws.client("application-autoscaling"), aws.client("ecs")
    actions = scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    [action] = [action for action in actions if action["ScheduledActionName"] == name]
    keys = ("ServiceNamespace", "ResourceId", "ScalableDimension")
    target = {key: action[key] for key in keys}
    scaling.register_scalable_target(**target, **action["ScalableTargetAction"])
    [bounds] = scaling.describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[target["ResourceId"]]
    )["ScalableTargets"]
    _, cluster, service = target["ResourceId"].split("/")
    present = aws.ecs.services[cluster, service].desired
    wanted = min(max(present, bounds["MinCapacity"]), bounds["MaxCapacity"])
    if wanted != present:
        ecs.update_service(cluster=cluster, service=service, desiredCount=wanted)
