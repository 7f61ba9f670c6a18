"""The service that a command works on: its settings, a connection, and what was done so far."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from botocore.exceptions import ParamValidationError

from infra.tool import settings_file
from infra.tool.aws import Aws
from infra.tool.aws_errors import AwsError
from infra.tool.errors import Problem
from infra.tool.repository import Repository
from infra.tool.runtime import Runtime
from infra.tool.settings import Settings

COMMAND = "uv run --frozen -m infra"

NOT_SENT = Problem(
    "request-invalid",
    "boto3 refuses to send the request, because it does not match the AWS API: {text}",
    "correct that member in the JSON files of infra/, commit, and deploy that",
)


@dataclass
class Target:
    """Settings are read, and the connection is opened, when a command first needs them."""

    runtime: Runtime
    command: str = ""  # with its arguments, as it is to be typed again
    facts: dict[str, str] = field(default_factory=dict)  # for the summary of a workflow's run
    title: str = ""  # how the command ended, likewise
    next_step: str = ""  # what to do about it, likewise
    report: Sequence[str] = ()  # lines about a failure, likewise
    needs_administrator: bool = False  # whether the policy of the deploy role is not enough
    continuing: str = ""  # what continues in AWS if the command ends now

    @cached_property
    def settings(self) -> Settings:
        return settings_file.read(self.runtime.root)

    @cached_property
    def aws(self) -> Aws:
        return self.runtime.connect(self.settings.service.region)

    @property
    def repository(self) -> Repository:
        return Repository(self.runtime.root, self.runtime.environment)

    @property
    def has_changed_aws(self) -> bool:
        """Whether a call of this command changed something in AWS, or may have."""
        return "aws" in vars(self) and bool(self.aws.changes)

    @property
    def again(self) -> str:
        """The command line that runs this command again."""
        if self.runtime.console.in_github:
            name, _, number = self.command.partition(" ")
            # A re-run of the job has the inputs of the first attempt, and those may name no number.
            if name == "rollback" and number:
                return f"run this workflow again with revision {number}"
            return "re-run this job"
        return f"run this again: {COMMAND} {self.command}"

    def fact(self, name: str, value: str) -> None:
        """Print a fact, and keep it for the summary."""
        self.facts[name] = value
        self.runtime.console.fact(name, value)

    def done(self, text: str) -> None:
        """Print how the command ended, and keep it as the title of the summary."""
        self.title = text
        self.runtime.console.say(text)

    @contextmanager
    def while_it_continues(self, what: str, *, then: str = "") -> Iterator[None]:
        """If the command ends in this block, `what` may continue in AWS: the outcome is unknown.

        `then` continues after the block, until another block ends.
        """
        self.continuing = what
        try:
            yield
        except AwsError as error:
            if error.proves_nothing_began:
                self.continuing = ""
            raise
        except ParamValidationError as error:
            self.continuing = ""
            raise NOT_SENT(text=error) from None
        self.continuing = then
