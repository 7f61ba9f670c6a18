"""The decisions of IAM, on policies with resources and conditions, and on trust policies.

Source: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements". Anything else (an
operator, a variable in a policy) is an error, neither allowed nor denied.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Json = dict[str, Any]
# A condition key has one value or, if the reference calls it an array, several.
Context = Mapping[str, str | Sequence[str]]


class Unknown(Exception):
    """The simulation cannot decide this yet."""


@dataclass(frozen=True)
class Need:
    """A permission that a call needs: an action on a resource, under the keys of a condition."""

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)
    is_probe: bool = False  # another service checks it for its caller


@cache
def _pattern(glob: str, ignore_case: bool) -> re.Pattern[str]:
    if "${" in glob:
        raise Unknown(f"a variable in a policy: {glob}")
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in glob)
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches(glob: str, value: str, *, ignore_case: bool = False) -> bool:
    return _pattern(glob, ignore_case).fullmatch(value) is not None


def matches_arn(glob: str, value: str) -> bool:
    """An ARN has six parts, and a wildcard matches within one part."""
    if glob == "*":
        return True
    globs, values = glob.split(":", 5), value.split(":", 5)
    return len(globs) == len(values) == 6 and all(
        matches(part, found) for part, found in zip(globs, values, strict=True)
    )


def _boolean(wanted: str, found: str) -> bool:
    return wanted.lower() == found.lower()


# Whether a value of the policy matches the value of the request.
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringLike": matches,
    "ArnEquals": matches_arn,
    "ArnLike": matches_arn,
    "Bool": _boolean,
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _holds(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    found = {name.lower(): value for name, value in context.items()}.get(key.lower())
    if operator == "Null":
        return [str(not found).lower()] == [value.lower() for value in wanted]
    set_operator, _, rest = operator.rpartition(":")
    if set_operator:
        return _holds_for_set(set_operator, rest, wanted, [] if found is None else listed(found))
    if found is not None and not isinstance(found, str):
        raise Unknown(f"the operator {operator} on the several values of {key}: use ForAnyValue")
    base = operator.removesuffix("IfExists")
    if found is None:
        _known(base)
        # A negated operator is true if the key is absent.
        return operator != base or base in NEGATED
    return _fits(base, wanted, found)


def _holds_for_set(name: str, operator: str, wanted: Sequence[str], found: Sequence[str]) -> bool:
    """ "Set operators for multivalued context keys" (IAM User Guide): without a value in the
    request, ForAllValues is true and ForAnyValue is false, also with a negated operator."""
    _known(operator)
    holding = (_fits(operator, wanted, value) for value in found)
    if name == "ForAllValues":
        return all(holding)
    if name == "ForAnyValue":
        return any(holding)
    raise Unknown(f"the set operator {name}")


def _known(base: str) -> None:
    if base not in OPERATORS and base not in NEGATED:
        raise Unknown(f"the condition operator {base}")


def _fits(base: str, wanted: Sequence[str], found: str) -> bool:
    """Whether one value of the request matches one of the policy; negated: none."""
    _known(base)
    if base in NEGATED:
        return not any(OPERATORS[NEGATED[base]](value, found) for value in wanted)
    return any(OPERATORS[base](value, found) for value in wanted)


def conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    # Every operator is evaluated, so that an unknown one is always found.
    verdicts = [
        _holds(operator, key, [str(value) for value in listed(wanted)], context)
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    ]
    return all(verdicts)


def _applies(statement: Json, need: Need) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}
    if unknown:
        raise Unknown(f"{sorted(unknown)} in a statement of a policy")
    actions = listed(statement["Action"])
    if not any(matches(action, need.action, ignore_case=True) for action in actions):
        return False
    if need.resource == "*":
        # An action without a resource type: only a statement about all resources covers it.
        fits = "*" in listed(statement["Resource"])
    else:
        fits = any(matches_arn(glob, need.resource) for glob in listed(statement["Resource"]))
    return fits and conditions_hold(statement.get("Condition", {}), need.context)


def denial(policies: Iterable[Json], need: Need) -> str | None:
    """Why the policies of a principal do not allow something, as AWS words it; None if they do."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in listed(policy["Statement"])
        if _applies(statement, need)
    }
    if "Deny" in effects:
        return "with an explicit deny in an identity-based policy"
    if "Allow" in effects:
        return None
    return f"because no identity-based policy allows the {need.action} action"


def trusts(policy: Json, kind: str, principal: str, action: str, context: Context) -> bool:
    """Whether a principal may assume a role: `kind` is Service, AWS or Federated."""
    allowed = False
    for statement in listed(policy["Statement"]):
        who = statement["Principal"]
        known = ["*"] if who == "*" else listed(who.get(kind, []))
        if principal not in known and "*" not in known:
            continue
        if not any(matches(a, action, ignore_case=True) for a in listed(statement["Action"])):
            continue
        if conditions_hold(statement.get("Condition", {}), context):
            if statement["Effect"] == "Deny":
                return False
            allowed = True
    return allowed
