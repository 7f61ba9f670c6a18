"""The clock of AWS's timestamps and of the tool under test."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Aware times in UTC. The clock moves only when something sleeps."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 12, 0, 0, 250000, UTC)) -> None:
        self.start = start
        self._now = start

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the clock. Returns immediately, and raises ValueError as `time.sleep` does."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self._now += timedelta(seconds=seconds)

    def stamp(self) -> datetime:
        """A time for AWS to record, a millisecond after the last one, so that no two are equal."""
        self._now += timedelta(milliseconds=1)
        return self._now

    def reset(self) -> None:
        self._now = self.start


class WallClock(Clock):
    """The time of this machine, for programs that cannot get another clock. A sleep adds to it."""

    def __init__(self) -> None:
        super().__init__()
        self._added = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._added

    def sleep(self, seconds: float) -> None:
        self._added += timedelta(seconds=seconds)

    def stamp(self) -> datetime:
        return self.now()
