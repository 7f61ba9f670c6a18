"""Errors on demand: a chosen operation gets an error instead of its answer."""

import math
from dataclasses import dataclass, field

from simulator.refusal import Refused

THROTTLED = Refused("ThrottlingException", "Rate exceeded")
EXPIRED_TOKEN = Refused(
    "ExpiredToken", "The security token included in the request is expired", 403
)
UNKNOWN_CREDENTIALS = Refused(
    "InvalidClientTokenId", "The security token included in the request is invalid.", 403
)


class NoAnswer(Exception):
    """The client gets no answer, only a failure of the network."""


class ConnectionDropped(NoAnswer):
    """The connection ends without an answer."""


class TimedOut(NoAnswer):
    """The answer comes after the client's timeout. In process only, where no time passes."""


class Unreachable(NoAnswer):
    """No connection is made. In process only: a running server cannot be absent."""


@dataclass
class Fault:
    operation: str  # for example "ecs:DescribeServices"; "*" is every one
    error: BaseException
    times: float = 1
    after: int = 0  # the number of calls that succeed before
    is_late: bool = False  # it happens after the operation was carried out


@dataclass
class Faults:
    """Faults happen in the order of their definition, at most one for each call."""

    waiting: list[Fault] = field(default_factory=list)

    def refuse(
        self,
        operation: str,
        code: str | Refused,
        message: str = "",
        *,
        status: int = 400,
        times: float = 1,
        after: int = 0,
    ) -> None:
        """Answer an operation with an error `times` times, after `after` calls without."""
        error = code if isinstance(code, Refused) else Refused(code, message or code, status)
        self.waiting.append(Fault(operation, error, times, after))

    def refuse_for_ever(self, operation: str, code: str | Refused, message: str = "") -> None:
        self.refuse(operation, code, message, times=math.inf)

    def expire_tokens(self, *, after: int = 0) -> None:
        """From now on, or after `after` calls, all credentials are expired."""
        self.refuse("*", EXPIRED_TOKEN, times=math.inf, after=after)

    def throttle(self, operation: str, *, times: float = 1) -> None:
        self.refuse(operation, THROTTLED, times=times)

    def drop(self, operation: str, *, times: float = 1, after: int = 0) -> None:
        """End the connection before the operation is carried out."""
        self.waiting.append(Fault(operation, ConnectionDropped(), times, after))

    def lose_answer(self, operation: str, *, times: float = 1) -> None:
        """End the connection after the operation was carried out."""
        self.waiting.append(Fault(operation, ConnectionDropped(), times, is_late=True))

    def time_out(self, operation: str, *, times: float = 1) -> None:
        """Carry the operation out, and let the client's wait for the answer time out."""
        self.waiting.append(Fault(operation, TimedOut(), times, is_late=True))

    def cut_off(self, operation: str = "*", *, times: float = math.inf, after: int = 0) -> None:
        """No connection to AWS: as without a network, or behind a proxy that is missing."""
        self.waiting.append(Fault(operation, Unreachable(), times, after))

    def interrupt(self, *, after: int, late: bool = False) -> None:
        """A Ctrl-C at the call that follows `after` calls, before AWS carries it out or, `late`,
        before the client gets the answer. In process only."""
        self.waiting.append(Fault("*", KeyboardInterrupt(), after=after, is_late=late))

    def strike(self, operation: str, *, late: bool = False) -> None:
        """Raise the fault of this call, if it has one."""
        for fault in self.waiting:
            if fault.operation not in {"*", operation} or fault.times <= 0:
                continue
            if fault.is_late != late:
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.times -= 1
            raise fault.error

    def clear(self) -> None:
        self.waiting.clear()
