"""The calls that the simulation received."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TELLING = ("BatchCheck", "BatchGet", "Describe", "Filter", "Get", "List", "Lookup", "Simulate")


@dataclass
class Call:
    """One request and its result. Docker's requests to the registry belong to the service ecr."""

    service: str
    operation: str
    parameters: dict[str, Any]
    principal: str = ""  # the ARN of the caller; empty if unknown
    status: int = 0
    error: str = ""  # the code of the refusal
    by_docker: bool = False

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def changes(self) -> bool:
        """Whether it asks for a change."""
        return not self.operation.startswith(TELLING)


@dataclass
class CallLog:
    calls: list[Call] = field(default_factory=list)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self.calls))

    def __len__(self) -> int:
        return len(self.calls)

    def add(self, call: Call) -> None:
        self.calls.append(call)

    def clear(self) -> None:
        self.calls.clear()

    @property
    def names(self) -> list[str]:
        """The names in order, for example "ecs:DescribeServices"."""
        return [call.name for call in self]

    @property
    def changing(self) -> list[str]:
        """The names of the calls that changed something."""
        return [call.name for call in self if call.changes and not call.error]

    def of(self, name: str) -> list[Call]:
        return [call for call in self if call.name == name]

    def count(self, name: str) -> int:
        return len(self.of(name))
