"""The time in the simulation. It moves when something happens, never while a test waits."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Moments that are aware, in UTC, and never the same twice."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 12, 0, 0, 250000, UTC)) -> None:
        self.start = start
        self.moment = start

    def now(self) -> datetime:
        """What the time is; each look is a millisecond later than the last, so nothing ties."""
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def advance(self, seconds: float) -> None:
        """Let time pass, as a step of a rollout or of a stack does."""
        self.moment += timedelta(seconds=seconds)

    def reset(self) -> None:
        self.moment = self.start
