"""The events of a stack, followed until its operation has ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.tool.aws_errors import AwsError
from infra.tool.errors import ExitCode, Problem
from infra.tool.patience import Patience
from infra.tool.progress import Progress, View, progress
from infra.tool.target import Target
from infra.tool.text import one_line

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

TIMED_OUT = Problem(
    "stack-timeout",
    "the stack {stack} is not done after {seconds} s ([deploy] timeout_seconds): {phase}",
    "wait until CloudFormation is done, then {again}",
    ExitCode.UNKNOWN,
)
NO_ANSWER = Problem(
    "stack-unanswered",
    "CloudFormation did not answer three times in a row: {text}",
    "wait until CloudFormation is done, then {again}",
    ExitCode.UNKNOWN,
)

NO_REASON = "no reason was given"
# How a resource ended, in a word of at most 8 letters.
WORDS = {
    "CREATE_COMPLETE": "created",
    "UPDATE_COMPLETE": "updated",
    "IMPORT_COMPLETE": "imported",
    "DELETE_COMPLETE": "deleted",
    "DELETE_SKIPPED": "kept",
}

CERTIFICATE = "AWS::CertificateManager::Certificate"
# Causes that may keep a type of resource waiting for long, and where to look.
LONG_WAITS = {
    CERTIFICATE: "for its validation by DNS, usually some minutes; if it takes longer, the "
    "registrar must name the name servers that aws route53 get-hosted-zone shows",
}


@dataclass(frozen=True)
class Event:
    id: str
    resource: str  # its logical id
    type: str
    status: str
    reason: str  # empty if CloudFormation gives none
    is_of_stack: bool

    @property
    def has_failed(self) -> bool:
        """Whether it failed itself, and was not cancelled because another resource failed."""
        return self.status.endswith("_FAILED") and not self.reason.endswith("cancelled")


@dataclass(frozen=True)
class Mark:
    """The events of a stack up to a moment."""

    seen: frozenset[str] = frozenset()  # ids
    status: str = ""  # of the stack, by its latest event


@dataclass(frozen=True)
class Ending:
    status: str  # of the stack
    failure: str  # the first resource that failed and why; empty if none did
    failed: Event | None = field(default=None, compare=False)  # that resource


def mark(target: Target, stack_id: str) -> Mark:
    """The events until now, so that `follow` shows only later ones. Raises AwsError."""
    found = read(target, stack_id)
    return Mark(frozenset(event.id for event in found), status_of(found))


def follow(target: Target, stack_id: str, since: Mark) -> Ending:
    """Look every few seconds until the operation that began after `since` has ended.

    Raises ToolError if time is up or CloudFormation does not answer; the operation continues then.
    """
    with progress(target.runtime.console) as shown:
        return Follower(target, stack_id, shown, set(since.seen)).run()


def read(target: Target, stack_id: str) -> list[Event]:
    """The latest 100 events, the oldest first: the one page that a look needs. Raises AwsError."""
    answer = target.aws.cloudformation.describe_stack_events(StackName=stack_id)
    return [as_event(each) for each in reversed(answer["StackEvents"])]


def as_event(answer: "StackEventTypeDef") -> Event:
    return Event(
        id=answer["EventId"],
        resource=answer.get("LogicalResourceId", ""),
        type=answer.get("ResourceType", ""),
        status=answer.get("ResourceStatus", ""),
        reason=one_line(answer.get("ResourceStatusReason", "")),
        is_of_stack=answer.get("PhysicalResourceId") == answer["StackId"],
    )


@dataclass
class Follower:
    target: Target
    stack_id: str
    shown: Progress
    seen: set[str]  # ids of events
    status: str = ""
    failures: list[Event] = field(default_factory=list)
    phase: str = "waiting for CloudFormation"

    def run(self) -> Ending:
        settings, clock = self.target.settings.deploy, self.target.runtime.clock
        patience = Patience(unanswered=NO_ANSWER, again=self.target.again)
        began = clock.now()
        while True:
            clock.sleep(settings.poll_seconds)
            seconds = round((clock.now() - began).total_seconds())
            try:
                self.look(seconds)
                patience.answered()
            except AwsError as error:
                self.shown.warn(patience.failed(error))
            if self.status and not self.status.endswith("_IN_PROGRESS"):
                failed = next((each for each in self.failures if not each.is_of_stack), None)
                return Ending(self.status, failure(self.failures), failed)
            if seconds >= settings.timeout_seconds:
                raise TIMED_OUT(
                    stack=self.stack, seconds=seconds, phase=self.phase, again=self.target.again
                )

    @property
    def stack(self) -> str:
        """Its name, which stands between the slashes of its id."""
        return self.stack_id.split("/")[1]

    def look(self, seconds: int) -> None:
        found = read(self.target, self.stack_id)
        later = [event for event in found if event.id not in self.seen]
        self.seen |= {event.id for event in later}
        self.status = status_of(later) or self.status
        self.failures += [event for event in later if event.has_failed]
        self.phase = in_progress(found)
        self.shown.show(View(self.stack, seconds, self.phase, news=[*news(later)]))


# --- decisions, pure: events are given the oldest first ---


def status_of(events: Sequence[Event]) -> str:
    """The state of the stack in its latest event; empty if none of these is an event of it."""
    return next((event.status for event in reversed(events) if event.is_of_stack), "")


def failure(events: Sequence[Event]) -> str:
    """The first failure: later ones mostly follow from it. The stack's own counts last."""
    for event in sorted(events, key=lambda event: event.is_of_stack):
        text = event.reason or NO_REASON
        return text if event.is_of_stack else f"{event.resource}: {text}"
    return ""


def news(events: Iterable[Event]) -> Iterable[tuple[str, str]]:
    """A kind and a text for each resource that has ended, for a rollback, and for the record that
    a certificate waits for."""
    for event in events:
        if event.is_of_stack:
            if event.status.endswith("ROLLBACK_IN_PROGRESS"):
                yield "rollback", event.reason or NO_REASON
        elif event.status.endswith("_FAILED"):
            yield "failed", f"{event.resource} ({event.type}): {event.reason or NO_REASON}"
        elif event.status in WORDS:
            yield WORDS[event.status], f"{event.resource} ({event.type})"
        elif event.type == CERTIFICATE and "CNAME" in event.reason:
            yield "validate", f"{event.resource}: {event.reason}"


def in_progress(events: Sequence[Event]) -> str:
    """The resources in progress, in words."""
    last = {event.resource: event for event in events if not event.is_of_stack}
    names = [
        f"{name} ({LONG_WAITS[event.type]})" if event.type in LONG_WAITS else name
        for name, event in last.items()
        if event.status.endswith("_IN_PROGRESS")
    ]
    return f"waiting for {', '.join(names) or 'CloudFormation'}"
