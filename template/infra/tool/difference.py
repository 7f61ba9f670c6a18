"""Differences between a document and the running service. Pure.

Only members that the document names are compared, so AWS's defaults never show.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAMES = (
    *("name", "key", "PolicyName", "ScheduledActionName", "capacityProvider"),
    *("containerName", "containerPort"),
)
UNORDERED = frozenset({"requiresCompatibilities", "securityGroups", "subnets"})
ABSENT: tuple[Any, ...] = (None, "", [], {})  # what a document may say and AWS may leave out


@dataclass(frozen=True)
class Difference:
    """One value; None stands for absent."""

    path: str  # for example containerDefinitions[web].cpu
    before: Any
    after: Any

    @property
    def text(self) -> str:
        if self.before in ABSENT:
            return f"+ {self.path}: {in_words(self.after)}"
        if self.after in ABSENT:
            return f"- {self.path}: {in_words(self.before)}"
        return f"~ {self.path}: {in_words(self.before)} -> {in_words(self.after)}"


def in_words(value: Any) -> str:
    """A value on one line, long ones cut."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def differences(wanted: Any, found: Any, path: str = "") -> Iterator[Difference]:
    """All differences, in the order of the document."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key, value in wanted.items():
            yield from differences(value, found.get(key), f"{path}.{key}" if path else key)
    elif isinstance(wanted, list) and isinstance(found, list) and (name := name_of(wanted + found)):
        yield from by_name(wanted, found, name, path)
    elif not same(wanted, found, path):
        yield Difference(path, found, wanted)


def by_name(
    wanted: Sequence[Any], found: Sequence[Any], name: str, path: str
) -> Iterator[Difference]:
    """Of two lists whose items have names: their order means nothing."""
    present = {str(item[name]): item for item in found}
    for item in wanted:
        other = present.pop(str(item[name]), None)
        where = f"{path}[{item[name]}]"
        if other is None:
            yield Difference(where, None, item)
        else:
            yield from differences(item, other, where)
    for key, item in present.items():
        yield Difference(f"{path}[{key}]", item, None)


def name_of(items: Sequence[Any]) -> str:
    """The member that identifies the items of a list; empty if they have no such member."""
    for name in NAMES:
        if items and all(isinstance(item, Mapping) and name in item for item in items):
            return name
    return ""


def same(wanted: Any, found: Any, path: str) -> bool:
    if wanted in ABSENT and found in ABSENT:
        return True
    if path.rpartition(".")[2] in UNORDERED and isinstance(found, list):
        return sorted(wanted) == sorted(found)
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    return bool(wanted == found or as_number(wanted) == as_number(found) is not None)


def as_number(value: Any) -> float | None:
    """A number, also one that AWS writes as text, such as the cpu of a task."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
