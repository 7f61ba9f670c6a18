"""Differences between two policies, statement by statement. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
Item = tuple[str, str]  # a member of a statement and one of its values


@dataclass(frozen=True)
class Change:
    """A statement that differs."""

    sid: str  # empty if it has none
    sign: str  # + added, - removed, ~ changed
    removed: Sequence[Item]
    added: Sequence[Item]


def changes(before: Json, after: Json) -> Iterator[Change]:
    """The order of statements and of values means nothing, nor whether one value is a list."""
    old, new = by_name(before), by_name(after)
    for name in dict.fromkeys([*new, *old]):
        had, has = items(old.get(name, {})), items(new.get(name, {}))
        if had == has:
            continue
        yield Change(
            sid=str({**old, **new}[name].get("Sid", "")),
            sign="~" if name in old and name in new else "+" if name in new else "-",
            removed=[item for item in had if item not in has],
            added=[item for item in has if item not in had],
        )


def by_name(policy: Json) -> dict[str, Json]:
    """By Sid; a statement without one changes as a whole."""
    found = policy.get("Statement", [])
    statements = found if isinstance(found, list) else [found]
    return {str(each.get("Sid") or json.dumps(each, sort_keys=True)): each for each in statements}


def items(statement: Json) -> list[Item]:
    """In the order of their members."""
    found: list[Item] = []
    for member, value in statement.items():
        if member == "Condition":
            found += [(member, text) for text in conditions(value)]
        elif member != "Sid":
            found += [(member, text) for text in texts(value)]
    return sorted(set(found))


def conditions(condition: Json) -> Iterator[str]:
    for operator, keys in condition.items():
        for key, value in keys.items():
            yield from (f"{operator} {key} {text}" for text in texts(value))


def texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each if isinstance(each, str) else json.dumps(each, sort_keys=True) for each in values]
