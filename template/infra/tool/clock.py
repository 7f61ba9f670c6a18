"""Time as a parameter, so that a test decides how it passes."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Returns the time, and waits."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
