"""Whether the policy of a bucket or of a key may allow a service of AWS. Pure.

Conditions and denials are not judged: a policy without a matching statement never allows the
service; one with a matching statement may still deny it.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Use:
    """The action of a service on a resource."""

    is_user: Callable[[str], bool]  # whether a principal of a policy is the service
    action: str
    resource: str


def may_allow(policy: str, use: Use) -> bool:
    """Whether a statement of the policy, in JSON, may allow it."""
    return any(
        statement.get("Effect") == "Allow"
        and names_user(statement, use.is_user)
        and covers(statement, "Action", use.action.lower())
        and covers(statement, "Resource", use.resource)
        for statement in listed(json.loads(policy).get("Statement", []))
    )


def names_user(statement: Json, is_user: Callable[[str], bool]) -> bool:
    if "NotPrincipal" in statement:
        return True
    return any(each == "*" or is_user(each) for each in principals(statement.get("Principal")))


def principals(found: Any) -> Iterator[str]:
    if not isinstance(found, dict):
        yield from listed(found or [])
        return
    for each in found.values():
        yield from listed(each)


def covers(statement: Json, member: str, wanted: str) -> bool:
    """Whether Action or Resource covers a value; if the statement says NotAction or NotResource, it
    may."""
    if member not in statement:
        return True
    patterns = listed(statement[member])
    if member == "Action":
        patterns = [each.lower() for each in patterns]
    return any(fits(each, wanted) for each in patterns)


def fits(pattern: str, text: str) -> bool:
    """IAM's * stands for any characters, and ? for one ("Resource", IAM User Guide)."""
    parts = [{"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern]
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def listed(value: Any) -> list[Any]:
    """One value stands for a list with it."""
    return value if isinstance(value, list) else [value]
