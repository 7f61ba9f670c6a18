"""PAUSE hooks: a deployment waits at a stage until ContinueServiceDeployment answers.

Source: botocore's model of the ECS API, "DeploymentLifecycleHook", "DeploymentLifecycleHookDetail"
and "ContinueServiceDeployment". It does not say which stages a rolling deployment has; these are
the two that need no second target group.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from simulator.refusal import Refused

if TYPE_CHECKING:
    from simulator.deployments import Deployment

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

    deployment: "Deployment"
    reached: set[str] = field(default_factory=set)  # stages

    def holds(self) -> bool:
        """Whether the deployment waits for an answer now."""
        stage = self._stage()
        self.deployment.history["lifecycleStage"] = stage
        if stage not in self.reached:
            self.reached.add(stage)
            self._details += [self._detail(hook) for hook in self._hooks_at(stage)]
        if any(detail["expiresAt"] <= self._now() for detail in self._waiting()):
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

    @property
    def _details(self) -> list[Json]:
        details: list[Json] = self.deployment.history.setdefault("lifecycleHookDetails", [])
        return details

    @_details.setter
    def _details(self, details: list[Json]) -> None:
        self.deployment.history["lifecycleHookDetails"] = details

    def _waiting(self) -> list[Json]:
        return [detail for detail in self._details if detail["status"] == "AWAITING_ACTION"]

    def _stage(self) -> str:
        if self.deployment.steps is None:
            return "PRE_SCALE_UP"
        wanted = self.deployment.service.desired
        return "POST_SCALE_UP" if self.deployment.count("RUNNING") >= wanted else "SCALE_UP"

    def _hooks_at(self, stage: str) -> list[Json]:
        hooks: list[Json] = self.deployment.service.configuration.get("lifecycleHooks", [])
        return [hook for hook in hooks if stage in hook["lifecycleStages"]]

    def _detail(self, hook: Json) -> Json:
        limit = hook.get("timeoutConfiguration", {})
        return {
            "hookId": f"hook-{next(self.deployment.service.ecs.numbers):08}",
            "targetType": "PAUSE",
            "status": "AWAITING_ACTION",
            "expiresAt": self._now() + timedelta(minutes=limit.get("timeoutInMinutes", DAY)),
            "timeoutAction": limit.get("action", "ROLLBACK"),
        }

    def _now(self) -> Any:
        return self.deployment.service.ecs.clock.now()
