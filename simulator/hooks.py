"""Events while a caller waits for its answer: a Ctrl-C, or a change by another caller."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

Action = Callable[[], object]


@dataclass
class Moment:
    operation: str  # such as "ecs:UpdateService"
    action: Action
    times: float
    after: int  # so many calls pass by before


@dataclass
class Moments:
    """Each happens after a call was carried out or refused, and before its answer is sent.

    Meanwhile the simulation answers others: an action may run a whole script.
    """

    waiting: list[Moment] = field(default_factory=list)

    def when(self, operation: str, action: Action, *, after: int = 0) -> None:
        """Once, at the first such call, or after so many."""
        self.waiting.append(Moment(operation, action, 1, after))

    def whenever(self, operation: str, action: Action) -> None:
        """At every such call."""
        self.waiting.append(Moment(operation, action, math.inf, 0))

    def due(self, operation: str) -> list[Action]:
        due = []
        for moment in self.waiting:
            if moment.operation != operation or moment.times <= 0:
                continue
            if moment.after > 0:
                moment.after -= 1
                continue
            moment.times -= 1
            due.append(moment.action)
        return due

    def clear(self) -> None:
        self.waiting.clear()
