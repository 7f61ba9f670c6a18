"""A change set of the stack: created, awaited, and executed or discarded."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.tool.aws_errors import AwsError
from infra.tool.errors import ExitCode, Problem, ToolError
from infra.tool.patience import Patience
from infra.tool.progress import View, progress
from infra.tool.provision import change, events, explanations, state
from infra.tool.provision.change import Change, Status
from infra.tool.provision.stack_state import StackState
from infra.tool.target import Target

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import DescribeChangeSetOutputTypeDef

REFUSED = Problem(
    "change-set-failed",
    "CloudFormation cannot make this change to the stack {stack}: {why}",
    "correct what CloudFormation names, then {again}",
)
NOT_READY = Problem(
    "change-set-timeout",
    "the change set {name} is not ready after {seconds} s ([deploy] timeout_seconds)",
    "{again}",
    ExitCode.UNKNOWN,
)
NOT_CHANGED = Problem(
    "stack-not-changed",
    "the stack {stack} could not be created or updated ({status}): {failure}",
    "correct what CloudFormation names, then {again}",
    ExitCode.FAILED,
)

GOOD = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})


@dataclass
class ChangeSet:
    target: Target
    name: str
    before: StackState | None  # the stack when the change set was asked for
    id: str = ""
    stack_id: str = ""
    is_empty: bool = False  # nothing to change: it cannot be executed
    changes: Sequence[Change] = ()
    is_executed: bool = False

    @property
    def stack(self) -> str:
        return self.target.settings.names.stack

    def wait(self) -> None:
        """Poll until it is ready. Raises ToolError if it fails, or is not ready in time."""
        settings, clock = self.target.settings.deploy, self.target.runtime.clock
        began, patience = clock.now(), Patience()
        pages = self.target.aws.cloudformation.get_paginator("describe_change_set")
        with progress(self.target.runtime.console) as shown:
            while True:
                seconds = round((clock.now() - began).total_seconds())
                try:
                    answers = list(
                        pages.paginate(ChangeSetName=self.id, IncludePropertyValues=True)
                    )
                except AwsError as error:
                    shown.warn(patience.failed(error))
                else:
                    patience.answered()
                    if self.is_ready(answers[0]):
                        found = (each for answer in answers for each in answer.get("Changes", []))
                        self.changes = [] if self.is_empty else change.changes(found)
                        return
                    shown.show(View(self.stack, seconds, "waiting for the change set"))
                if seconds >= settings.timeout_seconds:
                    again = self.target.again
                    raise NOT_READY(name=self.name, seconds=seconds, again=again)
                clock.sleep(settings.poll_seconds)

    def is_ready(self, answer: "DescribeChangeSetOutputTypeDef") -> bool:
        """Whether it can be executed, or is empty. Raises ToolError if it failed."""
        status = change.status(answer)
        if status is Status.FAILED:
            why = self.find_invalid() or answer.get("StatusReason") or events.NO_REASON
            raise REFUSED(stack=self.stack, why=why, again=self.target.again)
        self.is_empty = status is Status.EMPTY
        return status is not Status.WAITING

    def find_invalid(self) -> str:
        """The first error of the validation, or empty. The reason of the change set itself may only
        say that there is one."""
        pages = self.target.aws.cloudformation.get_paginator("describe_events")
        try:
            answers = list(pages.paginate(ChangeSetName=self.id, Filters={"FailedEvents": True}))
        except AwsError:
            return ""
        return change.not_valid(each for page in answers for each in page["OperationEvents"])

    def execute(self) -> None:
        """Execute it, and follow that to its end. Raises ToolError."""
        since = events.mark(self.target, self.stack_id)
        with self.target.while_it_continues(
            f"CloudFormation continues to change the stack {self.stack}."
        ):
            try:
                # The token makes a retry after a lost answer safe, as in change.request.
                self.target.aws.cloudformation.execute_change_set(
                    ChangeSetName=self.id, ClientRequestToken=self.name
                )
            except AwsError as error:
                self.is_executed = not error.proves_nothing_began
                raise
            self.is_executed = True
            ending = events.follow(self.target, self.stack_id, since)
        if ending.status not in GOOD:
            settings, again = self.target.settings, self.target.again
            raise explanations.explain(self.stack, ending, settings, again) or NOT_CHANGED(
                stack=self.stack,
                status=ending.status,
                failure=ending.failure or events.NO_REASON,
                again=again,
            )

    def discard(self) -> None:
        """Delete it, and a stack that exists only for it. A refusal is a warning."""
        aws = self.target.aws
        counted = len(aws.changes)
        try:
            now = state.read(self.target, self.stack_id) if self.before is None else None
            # Meanwhile another change set may have created the stack.
            if now and now.is_only_planned:
                aws.cloudformation.delete_stack(StackName=self.stack_id)
                del aws.changes[counted:]  # only this command's own plan is deleted
            else:
                aws.cloudformation.delete_change_set(ChangeSetName=self.id)
        except AwsError as error:
            self.target.runtime.console.warn(
                f"The change set {self.name} is left in the stack {self.stack}: {error.message}"
            )
        self.target.continuing = ""


@contextmanager
def planned(
    target: Target, stack: StackState | None, template: str, parameters: Mapping[str, str]
) -> Iterator[ChangeSet]:
    """A change set for a `with` block, at whose end it is discarded unless it was executed.

    Raises ToolError if CloudFormation refuses it.
    """
    now = target.runtime.clock.now()
    made = ChangeSet(target, f"provision-{now:%Y%m%d%H%M%S}-{secrets.token_hex(4)}", stack)
    left = (
        f"The change set {made.name} may be left in the stack {made.stack}. It changes nothing "
        "and does no harm."
    )
    settings = target.settings
    request = change.request(
        made.name,
        settings.names,
        template,
        parameters,
        stack,
        settings.github.issuer,
        settings.tags,
    )
    with target.while_it_continues(left, then=left):
        answer = target.aws.cloudformation.create_change_set(**request)
    made.id, made.stack_id = answer["Id"], answer["StackId"]
    try:
        made.wait()
        if made.is_empty:
            made.discard()
        yield made
    except Exception as error:
        # While CloudFormation still works on it, it cannot be deleted.
        if not (isinstance(error, ToolError) and error.code == NOT_READY.code):
            discard_unless_done(made)
        raise
    discard_unless_done(made)


def discard_unless_done(made: ChangeSet) -> None:
    if not (made.is_executed or made.is_empty):
        made.discard()
