"""PAUSE hooks: a deployment waits at a stage until ContinueServiceDeployment answers.

Source: botocore's model of the ECS API, "DeploymentLifecycleHook", "DeploymentLifecycleHookDetail"
and "ContinueServiceDeployment". It does not say which stages a rolling deployment has; these are
the two that need no second target group.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from simulator.clock import Clock
from simulator.refusal import Refused

Json = dict[str, Any]

STAGES = frozenset({"PRE_SCALE_UP", "POST_SCALE_UP"})
FOR_LAMBDA_ALONE = frozenset({"TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"})
DAY = 1440  # minutes, the default of "timeoutInMinutes"


def check(hooks: list[Json]) -> None:
    """Raises Refused, or NotImplementedError for hooks that are not simulated."""
    for hook in hooks:
        stages = set(hook["lifecycleStages"])
        if hook.get("targetType", "AWS_LAMBDA") != "PAUSE":
            raise NotImplementedError("a lifecycle hook that calls a Lambda function")
        if stages & FOR_LAMBDA_ALONE:
            raise Refused(
                "InvalidParameterException",
                f"PAUSE hooks cannot be configured at {min(stages & FOR_LAMBDA_ALONE)}.",
            )
        if stages - STAGES:
            raise NotImplementedError(f"a PAUSE hook at {sorted(stages - STAGES)}")


@dataclass
class Pauses:
    """The hooks of one deployment, as it reaches their stages."""

    clock: Clock
    numbers: Iterator[int]  # for ids
    reached: set[str] = field(default_factory=set)  # stages
    details: list[Json] = field(default_factory=list)  # as DescribeServiceDeployments names them

    def hold(self, stage: str, hooks: list[Json]) -> bool:
        """Whether the deployment, which is at this stage, waits for an answer now."""
        if stage not in self.reached:
            self.reached.add(stage)
            self.details += [
                self._detail(each) for each in hooks if stage in each["lifecycleStages"]
            ]
        if any(detail["expiresAt"] <= self.clock.now() for detail in self._waiting()):
            raise NotImplementedError("a PAUSE hook that expires")
        return bool(self._waiting())

    def answer(self, hook_id: str, action: str) -> None:
        """Raises Refused if no such hook waits."""
        found = [detail for detail in self._waiting() if detail["hookId"] == hook_id]
        if not found:
            raise Refused("InvalidParameterException", f"No hook {hook_id} is awaiting action.")
        if action != "CONTINUE":
            raise NotImplementedError("what ECS says of a deployment that a hook rolls back")
        found[0]["status"] = "SUCCEEDED"

    def _waiting(self) -> list[Json]:
        return [detail for detail in self.details if detail["status"] == "AWAITING_ACTION"]

    def _detail(self, hook: Json) -> Json:
        limit = hook.get("timeoutConfiguration", {})
        return {
            "hookId": f"hook-{next(self.numbers):08}",
            "targetType": "PAUSE",
            "status": "AWAITING_ACTION",
            "expiresAt": self.clock.now() + timedelta(minutes=limit.get("timeoutInMinutes", DAY)),
            "timeoutAction": limit.get("action", "ROLLBACK"),
        }
