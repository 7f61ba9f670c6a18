"""CloudWatch alarms: their states, what a deploy says of them, which one ended a deployment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.tool import deployment_alarms, history
from infra.tool.api_model import Json
from infra.tool.aws import Aws
from infra.tool.aws_errors import AwsError
from infra.tool.deployment import Started
from infra.tool.ecs_service import EcsService
from infra.tool.errors import Problem
from infra.tool.service_names import Names
from infra.tool.target import COMMAND, Target
from infra.tool.text import one_line

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import CompositeAlarmTypeDef, MetricAlarmTypeDef

MISSING = Problem(
    "alarm-missing",
    "[alarms] roll_back needs these alarms, which do not exist in {region}: {names}",
    f"create them ({COMMAND} provision creates those of the stack); or set roll_back = false and "
    "commit that",
)

MOST_AT_ONCE = 100  # names that DescribeAlarms takes


@dataclass(frozen=True)
class Alarm:
    name: str
    state: str  # OK, ALARM or INSUFFICIENT_DATA
    reason: str  # of the state, in the words of CloudWatch
    seconds: int  # how far it looks back: its period times its evaluation periods; 0 if composite

    @property
    def is_on(self) -> bool:
        return self.state == "ALARM"

    @property
    def text(self) -> str:
        """The name, and the state if it is known."""
        if not self.state:
            return self.name
        return f"{self.name} (now {self.state}: {self.reason or 'CloudWatch gives no reason'})"


def read(aws: Aws, names: Sequence[str]) -> Mapping[str, Alarm]:
    """The alarms of these names that exist. Raises AwsError."""
    found: dict[str, Alarm] = {}
    for start in range(0, len(names), MOST_AT_ONCE):
        pages = aws.cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmNames=names[start : start + MOST_AT_ONCE],
            AlarmTypes=["CompositeAlarm", "MetricAlarm"],
        )
        for page in pages:
            for metric in page.get("MetricAlarms", []):
                seconds = metric.get("Period", 0) * metric.get("EvaluationPeriods", 0)
                found[metric["AlarmName"]] = as_alarm(metric, seconds)
            for composite in page.get("CompositeAlarms", []):
                found[composite["AlarmName"]] = as_alarm(composite, 0)
    return found


def as_alarm(answer: "MetricAlarmTypeDef | CompositeAlarmTypeDef", seconds: int) -> Alarm:
    return Alarm(
        name=one_line(answer["AlarmName"]),
        state=answer.get("StateValue", ""),
        reason=one_line(answer.get("StateReason", "")),
        seconds=seconds,
    )


def required(target: Target, document: Json, service: EcsService | None) -> Sequence[str]:
    """The names of the alarms that may end the deployment, because [alarms] roll_back or
    infra/service.json, the document, says so. Raises ToolError if one does not exist."""
    settings = target.settings
    answer = service.answer if service else None
    sent = deployment_alarms.for_update(document, settings, answer) if answer else document
    wanted = deployment_alarms.configured(sent)
    names: Sequence[str] = wanted.get("alarmNames", []) if wanted.get("enable") else []
    found = read(target.aws, names)
    if missing := [name for name in names if name not in found]:
        raise MISSING(region=target.settings.service.region, names=", ".join(missing))
    warn_of_long_ones(target, found)
    return names


def announce(target: Target, names: Sequence[str]) -> None:
    """Before an update, print which of these alarms ECS will watch. If their states cannot be read,
    the deploy continues."""
    try:
        target.fact("alarms", prospect(names, read(target.aws, names)))
    except AwsError as error:
        target.fact("alarms", f"their states cannot be read: {error.message}")


def prospect(names: Sequence[str], found: Mapping[str, Alarm]) -> str:
    """The alarms that ECS will watch during a deployment that begins now, in words.

    Source of the rule: "How CloudWatch alarms detect Amazon ECS deployment failures" (ECS Developer
    Guide).
    """
    if not names:
        return "ECS watches none during this deployment: the service has nothing to roll back to"
    if on := [alarm.text for alarm in found.values() if alarm.is_on]:
        return f"ECS watches none during this deployment, because of {', '.join(on)}"
    return f"ECS watches {', '.join(names)}, and bakes the deployment for some minutes"


def warn_of_long_ones(target: Target, found: Mapping[str, Alarm]) -> None:
    """Warn of alarms that look back further than a deploy waits: ECS computes the bake time from
    the alarms."""
    limit = target.settings.deploy.timeout_seconds
    for alarm in found.values():
        if alarm.seconds >= limit:
            target.runtime.console.warn(
                f"The alarm {alarm.name} looks back {alarm.seconds} s, but a deploy waits only "
                f"{limit} s ([deploy] timeout_seconds): it may time out before the bake time ends."
            )


def ended_by(target: Target, before: Started) -> Sequence[Alarm]:
    """The alarms that ended a deployment, with their present states; empty if something else ended
    it. If AWS refuses the call, that is only a warning, because the deployment has failed anyway.
    """
    aws, names = target.aws, target.settings.names
    try:
        triggered = triggered_alarms(aws, names, before)
        found = read(aws, triggered)
    except AwsError as error:
        target.runtime.console.warn(
            f"Could not read whether an alarm ended the deployment: {error.message}"
        )
        return []
    return [found.get(name, Alarm(name, "", "", 0)) for name in triggered]


def triggered_alarms(aws: Aws, names: Names, before: Started) -> Sequence[str]:
    """The names, as ECS keeps them in the history of its deployments. Raises AwsError."""
    arns = history.latest_arns(history.list_deployments(aws, names, *history.FAILED))
    if not arns:
        return []
    answer = aws.ecs.describe_service_deployments(serviceDeploymentArns=list(arns))
    triggered = {
        each["targetServiceRevision"]["arn"]: each["alarms"]["triggeredAlarmNames"]
        for each in answer["serviceDeployments"]
        if each.get("alarms", {}).get("triggeredAlarmNames")
    }
    revisions = history.task_definitions(aws, list(triggered))
    return next(
        (
            [one_line(name) for name in triggered[arn]]
            for arn, task_definition in revisions.items()
            if task_definition == before.task_definition
        ),
        [],
    )
