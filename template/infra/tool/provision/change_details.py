"""The details of a change set that have an effect. Pure.

If a resource is updated in place, CloudFormation lists every property that reads an attribute of it
as a possible change (Dynamic), and a resource that the property could replace as a conditional
replacement. An ARN, id or name changes only if its resource is replaced, so the detail has no
effect.
"""

from collections.abc import Mapping, Sequence
from typing import Any

ResourceChange = Mapping[str, Any]  # ResourceChange of the API
Detail = Mapping[str, Any]  # ResourceChangeDetail of the API

REFERENCES = ("ResourceReference", "ResourceAttribute")
IDENTITIES = ("Arn", "Id", "Name")  # endings of attributes that last as long as the resource


def in_effect(changes: Sequence[ResourceChange]) -> list[ResourceChange]:
    """The changes without details that have no effect, and without changes that have no other."""
    by_name = {each.get("LogicalResourceId", ""): each for each in changes}
    return [left for each in changes if (left := reduced(each, by_name))]


def causes(change: ResourceChange) -> tuple[str, ...]:
    """The properties for which a resource is, or may be, replaced."""
    names = [
        each["Target"].get("Name", "") for each in change.get("Details", []) if recreates(each)
    ]
    return tuple(dict.fromkeys(filter(None, names)))


def changed(change: ResourceChange) -> tuple[str, ...]:
    """The properties that may change; tags and metadata count as one each."""
    places = map(place, change.get("Details", []))
    return tuple(dict.fromkeys(name or attribute for attribute, name in places))


def recreates(detail: Detail) -> bool:
    return bool(detail["Target"].get("RequiresRecreation", "Never") != "Never")


def reduced(change: ResourceChange, by_name: Mapping[str, ResourceChange]) -> ResourceChange | None:
    """The change without details that have no effect; None if it has no other."""
    details = change.get("Details", [])
    if change["Action"] != "Modify" or not details:
        return change
    left = [each for each in details if not is_without_effect(each, details, by_name)]
    if not left:
        return None
    replacement = change.get("Replacement", "")
    if replacement == "Conditional" and not any(map(recreates, left)):
        replacement = "False"
    return {**change, "Details": left, "Replacement": replacement}


def is_without_effect(
    detail: Detail, details: Sequence[Detail], by_name: Mapping[str, ResourceChange]
) -> bool:
    """Whether all that may change the property are references to identities that stay."""
    about = [each for each in details if place(each) == place(detail)]
    references = [each for each in about if each.get("CausingEntity")]
    return (
        bool(references)
        and all(each.get("Evaluation") == "Dynamic" for each in about)
        and all(stays(each, by_name) for each in references)
    )


def place(detail: Detail) -> tuple[str, str]:
    return detail["Target"].get("Attribute", ""), detail["Target"].get("Name", "")


def stays(reference: Detail, by_name: Mapping[str, ResourceChange]) -> bool:
    """Whether the value of a reference outlives the change set."""
    name, dot, attribute = reference["CausingEntity"].partition(".")
    is_identity = not dot or attribute.endswith(IDENTITIES)
    if reference.get("ChangeSource") not in REFERENCES or not is_identity or name not in by_name:
        return False
    left = reduced(by_name[name], by_name)
    return left is None or (left["Action"], left.get("Replacement")) == ("Modify", "False")
