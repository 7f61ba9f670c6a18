"""Errors: a stable code, what is wrong and where, and what to do about it.

A module declares its errors as `Problem` constants beside the code that raises them:

    raise STACK_MISSING(stack="ai-assistant", region="us-east-1")
"""

from dataclasses import dataclass
from enum import IntEnum

from infra.tool.text import one_line


class ExitCode(IntEnum):
    """How a command ends. `docs` of each command say what a code means there."""

    DONE = 0
    FAILED = 1  # it failed, or the service is not healthy
    NOT_READY = 2  # wrong usage, or not ready: nothing was changed in AWS
    UNKNOWN = 3  # the outcome is unknown: run the command again
    INTERRUPTED = 130  # Ctrl-C
    TERMINATED = 143  # SIGTERM


@dataclass(frozen=True)
class Problem:
    """One kind of error. `message` and `remedy` are format strings."""

    code: str  # stable: tests and scripts may rely on it
    message: str  # what is wrong, and where
    remedy: str  # what to do: one right command or value
    exit: ExitCode | None = None  # None: 2 as long as nothing has changed in AWS, 1 afterwards
    file: str = ""  # the file that is wrong, likewise: GitHub shows the error beside it

    def __call__(self, /, **details: object) -> "ToolError":
        """The error, with untrusted details made harmless."""
        return ToolError(self, **details)


class ToolError(Exception):
    """Ends a command. Only `cli` prints it and turns it into an exit code."""

    def __init__(self, problem: Problem, /, **details: object) -> None:
        harmless = {name: one_line(value) for name, value in details.items()}
        self.code = problem.code
        self.message = problem.message.format(**harmless)
        self.remedy = problem.remedy.format(**harmless)
        self.exit = problem.exit
        self.file = problem.file.format(**harmless)
        super().__init__(f"{self.code}: {self.message}")
