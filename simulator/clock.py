"""The one clock: of AWS's timestamps, and of the tool under test."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Aware times in UTC. It moves when something sleeps, and never while a test waits."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 12, 0, 0, 250000, UTC)) -> None:
        self.start = start
        self._now = start

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass. Returns at once, and raises ValueError as `time.sleep` does."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self._now += timedelta(seconds=seconds)

    def stamp(self) -> datetime:
        """The time of something that AWS records: a millisecond after the last, so nothing ties."""
        self._now += timedelta(milliseconds=1)
        return self._now

    def reset(self) -> None:
        self._now = self.start


class WallClock(Clock):
    """The time of this machine, for programs that cannot be given another. A sleep adds to it."""

    def __init__(self) -> None:
        super().__init__()
        self._added = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._added

    def sleep(self, seconds: float) -> None:
        self._added += timedelta(seconds=seconds)

    def stamp(self) -> datetime:
        return self.now()
