"""Make botocore and moto use the clock of the simulation while it runs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, tzinfo
from types import SimpleNamespace
from typing import Self
from unittest.mock import patch

import botocore.endpoint
import moto.core.utils
import moto.ecr.models

from simulator.clock import Clock


class BackOff:
    """The module `time` as botocore.endpoint sees it, which calls only `sleep` of it.

    A retry never waits. If it `takes_time`, its back-off moves the clock; by default it does not,
    because botocore chooses the seconds at random.
    """

    def __init__(self, pass_time: Callable[[float], None]) -> None:
        self.pass_time = pass_time
        self.takes_time = False

    def sleep(self, seconds: float) -> None:
        if self.takes_time:
            self.pass_time(seconds)


def datetime_by(clock: Clock) -> type[datetime]:
    """The class `datetime` with the clock's `now`."""

    class ByTheClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(clock.now().timestamp(), tz)

    return ByTheClock


@contextmanager
def one_clock(clock: Clock, back_off: BackOff) -> Iterator[None]:
    """moto's services take the time from `moto.core.utils.utcnow`, except ECR, which is patched
    too, and Application Auto Scaling, which keeps the time of this machine."""
    by_the_clock = datetime_by(clock)
    with ExitStack() as patches:
        for module, name, stand_in in (
            (botocore.endpoint, "time", back_off),
            (moto.core.utils, "datetime", SimpleNamespace(datetime=by_the_clock)),
            (moto.ecr.models, "datetime", by_the_clock),
        ):
            patches.enter_context(patch.object(module, name, stand_in))
        yield
