"""The error of a deployment that has ended: none if it is in steady state."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from infra.tool import alarms
from infra.tool.alarms import Alarm
from infra.tool.aws import Aws
from infra.tool.aws_errors import AwsError
from infra.tool.deployment import Started, Verdict
from infra.tool.ecs_service import EcsService
from infra.tool.errors import ExitCode, Problem
from infra.tool.revision import Revision
from infra.tool.service_names import Names
from infra.tool.stopped_tasks import StoppedTask
from infra.tool.target import Target
from infra.tool.text import one_line
from infra.tool.watch import Outcome

FAILED = Problem(
    "deployment-failed",
    "the deployment of {revision} failed: {reason}",
    "{remedy}",
    ExitCode.FAILED,
)
ROLLED_BACK = Problem(
    "deployment-rolled-back",
    "the deployment of {revision} failed, and ECS rolled back to {now}: {reason}",
    "{remedy}",
    ExitCode.FAILED,
)
ENDED_BY_ALARM = Problem(
    "deployment-alarm",
    "the alarm {alarms} ended the deployment of {revision}, and {then}: {reason}",
    "{remedy}",
    ExitCode.FAILED,
)
OVERTAKEN = Problem(
    "deployment-overtaken",
    "a later deployment of {now} replaced that of {revision} before it was complete",
    "do nothing if {now} was deployed on purpose; otherwise, {again}",
    ExitCode.FAILED,
)
OVERTAKEN_LATER = Problem(
    "deployment-overtaken-later",
    "{revision} was in steady state, then a later deployment of {now} replaced it",
    "do nothing if {now} was deployed on purpose; otherwise, {again}",
    ExitCode.FAILED,
)
DELETED = Problem(
    "service-deleted",
    "{revision} is not running: the service {service} is being deleted",
    "wait some minutes until it is deleted, then deploy again, which creates it",
    ExitCode.FAILED,
)
PROBLEMS: Mapping[Verdict, Problem] = {
    Verdict.FAILED: FAILED,
    Verdict.ROLLED_BACK: ROLLED_BACK,
    Verdict.OVERTAKEN: OVERTAKEN,
    Verdict.OVERTAKEN_AFTER_STEADY: OVERTAKEN_LATER,
    Verdict.DELETED: DELETED,
}

EVENTS_SHOWN = 10
LINES_SHOWN = 20


def require_steady(
    target: Target, before: Started, outcome: Outcome, revision: Revision, remedy: str
) -> None:
    """Raises ToolError unless the deployment is in steady state, after a report of what is known.

    `remedy` is what to do about a revision that did not come up.
    """
    if outcome.verdict is Verdict.STEADY:
        return
    stopped = sorted(outcome.stopped, key=lambda task: task.stopped)
    target.report = list(
        chain(
            about_events(outcome.service),
            about_tasks(before, stopped),
            about_log(target.aws, target.settings.names, revision, stopped),
        )
    )
    with target.runtime.console.quoted():
        for line in target.report:
            target.runtime.console.say(line)
    service = outcome.service
    ours = service.deployment(before.id) if service else None
    reason = (ours.reason if ours else "") or "ECS gives no reason"
    now = service.primary.revision if service and service.primary else "another revision"
    if found := alarms_that_ended(target, before, outcome):
        is_back = outcome.verdict is Verdict.ROLLED_BACK
        raise ENDED_BY_ALARM(
            revision=before.revision,
            alarms=", ".join(alarm.text for alarm in found),
            then=f"ECS rolled back to {now}" if is_back else "ECS did not roll back",
            reason=reason,
            remedy=remedy,
        )
    raise PROBLEMS[outcome.verdict](
        revision=before.revision,
        now=now,
        reason=reason,
        remedy=remedy,
        again=target.again,
        service=target.settings.names.service,
    )


def alarms_that_ended(target: Target, before: Started, outcome: Outcome) -> Sequence[Alarm]:
    """The alarms that ended a deployment; none if the circuit breaker or a person did. If the
    service has no alarms, ECS is not asked."""
    has_failed = outcome.verdict in (Verdict.FAILED, Verdict.ROLLED_BACK)
    if not has_failed or outcome.service is None or not outcome.service.has_alarms:
        return []
    return alarms.ended_by(target, before)


def about_events(service: EcsService | None) -> Iterator[str]:
    yield "Last events of the service:"
    events = list(reversed(service.events[:EVENTS_SHOWN])) if service else []
    yield from (f"  {event.message}" for event in events)
    if not events:
        yield "  none"


def about_tasks(before: Started, stopped: Sequence[StoppedTask]) -> Iterator[str]:
    yield f"Stopped tasks of {before.revision}:"
    yield from (f"  {task.id} {task.reason}" for task in stopped)
    if not stopped:
        yield "  none"


def about_log(
    aws: Aws, names: Names, revision: Revision, stopped: Sequence[StoppedTask]
) -> Iterator[str]:
    """The last lines of the last task whose own container ran; nothing for another log driver."""
    ran = [task for task in stopped if task.log_stream_suffix]
    logging = revision.container(names.container).get("logConfiguration", {})
    prefix = logging.get("options", {}).get("awslogs-stream-prefix", "")
    if not ran or not prefix:
        return
    yield f"Last lines of the log of {ran[-1].id}:"
    try:
        events = aws.logs.get_log_events(
            logGroupName=logging["options"].get("awslogs-group", names.log_group),
            logStreamName=f"{prefix}/{ran[-1].log_stream_suffix}",
            limit=LINES_SHOWN,
        )["events"]
    except AwsError as error:
        missing = error.aws_code == "ResourceNotFoundException"
        yield "  none" if missing else f"  cannot be read: {error.message}"
        return
    yield from (f"  {one_line(event.get('message', ''))}" for event in events)
    if not events:
        yield "  none"
