"""How many failed calls in a row a wait puts up with."""

from dataclasses import dataclass

from infra.tool.aws_errors import AwsError
from infra.tool.errors import Problem

MOST = 3  # failed calls in a row, at which a wait ends


@dataclass
class Patience:
    """Counts failed calls. One answer makes them good."""

    failures: int = 0
    unanswered: Problem | None = None  # with {text} and {again}: how the wait ends at the last one
    again: str = ""

    def answered(self) -> None:
        self.failures = 0

    def failed(self, error: AwsError) -> str:
        """A warning about a failed call. At the last one, raises `unanswered` if it is set, or else
        the error itself."""
        self.failures += 1
        if self.failures >= MOST and self.unanswered:
            raise self.unanswered(text=error.message, again=self.again) from None
        if self.failures >= MOST:
            raise error
        return f"no answer ({self.failures} of {MOST}): {error.message}"
