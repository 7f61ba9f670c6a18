"""Watches one deployment to its end, and no other."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.tool import deployment, hooks
from infra.tool.aws_errors import AwsError
from infra.tool.deployment import Started, Verdict
from infra.tool.ecs_service import EcsService
from infra.tool.errors import ExitCode, Problem
from infra.tool.lookup import read_service
from infra.tool.patience import Patience
from infra.tool.progress import Progress, View, progress
from infra.tool.stopped_tasks import StoppedTask, TaskWatcher
from infra.tool.target import Target

TIMED_OUT = Problem(
    "deployment-timeout",
    "{revision} is not in steady state after {seconds} s ([deploy] timeout_seconds){waits}",
    "to keep watching, {again}",
    ExitCode.UNKNOWN,
)
NO_ANSWER = Problem(
    "deployment-unanswered",
    "ECS did not answer three times in a row: {text}",
    "to keep watching, {again}",
    ExitCode.UNKNOWN,
)

BELIEVED = 3  # answers without the new deployment, after which it counts as absent


@dataclass(frozen=True)
class Outcome:
    """How a deployment ended."""

    verdict: Verdict
    service: EcsService | None  # in the last answer
    stopped: Sequence[StoppedTask]  # its own, in the order in which they stopped


def watch(target: Target, before: Started) -> Outcome:
    """Poll ECS until the deployment has ended.

    Raises ToolError after the timeout, or if ECS stops answering; the deployment then continues.
    """
    with progress(target.runtime.console) as shown:
        return Watch(target, before, shown).run()


@dataclass
class Watch:
    target: Target
    before: Started
    shown: Progress
    listed: bool = False  # whether ECS has listed the deployment yet
    unlisted: int = 0  # answers that did not
    pauses: Sequence[hooks.Pause] = ()
    _events: set[str] = field(default_factory=set)  # ids of those that were shown
    _warned: str = ""

    def __post_init__(self) -> None:
        self.tasks = TaskWatcher(self.target.aws, self.target.settings.names, self.before.id)
        self.began = self.target.runtime.clock.now()

    @property
    def seconds(self) -> int:
        return round((self.target.runtime.clock.now() - self.began).total_seconds())

    def run(self) -> Outcome:
        settings, clock = self.target.settings.deploy, self.target.runtime.clock
        patience = Patience(unanswered=NO_ANSWER, again=self.target.again)
        while True:
            clock.sleep(settings.poll_seconds)
            try:
                service = read_service(self.target.aws, self.target.settings.names)
            except AwsError as error:
                self.shown.warn(patience.failed(error))
                continue
            patience.answered()
            if not self._is_believed(service):
                continue
            verdict = deployment.verdict(self.before, service)
            ended = verdict is not Verdict.IN_PROGRESS
            self._show(service, ended=ended and verdict is not Verdict.STEADY)
            if ended:
                return Outcome(verdict, service, self.tasks.found)
            if self.seconds >= settings.timeout_seconds:
                waits = "".join(f"; {pause.text}" for pause in self.pauses)
                if service and deployment.is_baking(self.before, service):
                    waits += "; its tasks serve, and ECS is baking it"
                raise TIMED_OUT(
                    revision=self.before.revision,
                    seconds=self.seconds,
                    waits=waits,
                    again=self.target.again,
                )

    def _is_believed(self, service: EcsService | None) -> bool:
        """The first answers of ECS may be older than the deployment. Once ECS has listed it, every
        answer counts; before that, only the third one without it."""
        self.listed = self.listed or bool(service and service.deployment(self.before.id))
        if not self.listed:
            self.unlisted += 1
        return self.listed or self.unlisted >= BELIEVED

    def _show(self, service: EcsService | None, *, ended: bool) -> None:
        stopped = self._stopped_tasks(ended=ended)
        if service is None:
            return
        self.pauses = self._read_pauses(service)
        events = [
            event
            for event in deployment.events_since(self.before, service)
            if event.id not in self._events
        ]
        self._events |= {event.id for event in events}
        news = [("event", event.message) for event in events]
        news += [("stopped", f"{task.id} {task.reason}") for task in stopped]
        news += [("pause", pause.text) for pause in self.pauses if pause.hook not in self._events]
        self._events |= {pause.hook for pause in self.pauses}
        phase = deployment.phase(self.before, service)
        if self.pauses:
            phase += ", waiting for an answer to a PAUSE hook"
        self.shown.show(
            View(self.before.revision, self.seconds, phase, rows(self.before, service), news)
        )

    def _stopped_tasks(self, *, ended: bool) -> Sequence[StoppedTask]:
        try:
            return self.tasks.news(at_the_end=ended)
        except AwsError as error:
            self._warn_once(f"the stopped tasks cannot be read: {error.message}")
            return []

    def _read_pauses(self, service: EcsService) -> Sequence[hooks.Pause]:
        if not hooks.has_pause_hooks(service):
            return []
        try:
            return hooks.read_pauses(self.target.aws, self.target.settings.names)
        except AwsError as error:
            self._warn_once(f"the PAUSE hooks cannot be read: {error.message}")
            return []

    def _warn_once(self, text: str) -> None:
        if text != self._warned:
            self.shown.warn(text)
            self._warned = text


def rows(before: Started, service: EcsService) -> Sequence[tuple[str, str]]:
    """The tasks of each deployment that is listed, for the live table."""
    return [
        (
            "new tasks" if each.id == before.id else f"tasks of {each.revision}",
            f"{each.running} running, {each.pending} starting, {each.failed} failed",
        )
        for each in service.deployments
        if each.id == before.id or each.running or each.pending
    ]
