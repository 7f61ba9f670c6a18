"""How many failed calls in a row a wait puts up with."""

from dataclasses import dataclass

from infra.tool.aws import AwsError

MOST = 3  # failed calls in a row, at which a wait ends


@dataclass
class Patience:
    """Counts failed calls. One answer makes them good."""

    failures: int = 0

    def answered(self) -> None:
        self.failures = 0

    def failed(self, error: AwsError) -> str:
        """A warning about a failed call. Raises the error itself at the last one."""
        self.failures += 1
        if self.failures >= MOST:
            raise error
        return f"no answer ({self.failures} of {MOST}): {error.message}"
