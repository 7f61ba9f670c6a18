"""Deployment alarms: ECS watches them while a deployment is in progress, and for its bake time.

Source: "How CloudWatch alarms detect Amazon ECS deployment failures" (ECS Developer Guide),
"DeploymentAlarms" and "ServiceDeploymentAlarms" (API Reference). Neither says how ECS computes the
bake time from the alarms (the guide: "less than 5 minutes"), nor the status of alarms that it
ignores: the longest time that one of the alarms looks back, and DISABLED, are ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulator.clock import Clock

Json = dict[str, Any]

OFF: Json = {"alarmNames": [], "enable": False, "rollback": False}

Describe = Callable[[Sequence[str]], list[Json]]  # the alarms of these names that exist


def check(alarms: Json, describe: Describe) -> None:
    """Raises NotImplementedError for alarms that do not exist: no source says whether ECS refuses
    them."""
    names = alarms.get("alarmNames", [])
    if not alarms.get("enable"):
        return
    if lacking := sorted(set(names) - {alarm["AlarmName"] for alarm in describe(names)}):
        raise NotImplementedError(f"a deployment with alarms that do not exist: {lacking}")


@dataclass
class AlarmWatch:
    """The alarms of one deployment."""

    clock: Clock
    describe: Describe
    settings: Json  # "alarms" of its deploymentConfiguration
    triggered: list[str] = field(default_factory=list)
    is_over: bool = False

    def __post_init__(self) -> None:
        """An alarm that is in ALARM at the start turns the watch off for the whole deployment."""
        self.baked: datetime = self.clock.now()  # when the bake time ends
        self.is_on = bool(self.settings.get("enable")) and not self._in_alarm()

    def has_gone_off(self) -> bool:
        """Whether an alarm is in ALARM. One that was deleted is not: ECS polls DescribeAlarms."""
        if self.is_on and not self.is_over and not self.triggered:
            self.triggered = self._in_alarm()
        return bool(self.triggered)

    def begin_to_bake(self) -> None:
        if self.is_on:
            spans = [
                alarm["Period"] * alarm["EvaluationPeriods"]
                for alarm in self.describe(self.settings["alarmNames"])
            ]
            self.baked = self.clock.now() + timedelta(seconds=max(spans, default=0))

    @property
    def is_baking(self) -> bool:
        return self.clock.now() < self.baked

    def end(self) -> None:
        self.is_over = True

    @property
    def described(self) -> Json:
        """As DescribeServiceDeployments shows it."""
        on = "MONITORING_COMPLETE" if self.is_over else "MONITORING"
        status = "TRIGGERED" if self.triggered else on if self.is_on else "DISABLED"
        return {
            "status": status,
            "alarmNames": list(self.settings.get("alarmNames", [])),
            "triggeredAlarmNames": self.triggered,
        }

    def _in_alarm(self) -> list[str]:
        alarms = self.describe(self.settings.get("alarmNames", []))
        return [alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"]
