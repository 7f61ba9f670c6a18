"""Why a change set changes a resource, and whether that replaces it: "ResourceChangeDetail" in the
API Reference of CloudFormation.

A property that refers to a replaced resource changes for certain (Static). One that reads an
attribute of a resource that is updated in place is listed too, because CloudFormation does not know
the new value of an attribute (Dynamic), although the id in it stays the same.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.cloudformation.resource import Resource
from simulator.cloudformation.stack import NOT_KNOWN_YET, Made
from simulator.cloudformation.template import Stack as Plan
from simulator.cloudformation.template_text import references

Json = dict[str, Any]


@dataclass
class Details:
    """The details of a change set, resource by resource, each after those that it refers to."""

    plan: Plan
    before: Plan | None
    replacements: dict[str, str] = field(default_factory=dict)  # by resource; "True": an added one
    seen: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recorder = replace(self.plan, identify=self.record)
        given = self.before.parameters if self.before else {}
        self.parameters = {
            name for name, value in self.plan.parameters.items() if value != given.get(name)
        }

    def record(self, _: Plan, name: str, attribute: str) -> str:
        self.seen.append((name, attribute))
        return NOT_KNOWN_YET

    def of(self, made: Made, wanted: Resource) -> list[Json]:
        """Every reason to change a resource of the stack; none if it stays as it is."""
        names = sorted(made.properties.keys() | wanted.properties.keys())
        found = [detail for name in names for detail in self.of_property(name, made, wanted)]
        about = {key: value for key, value in wanted.attributes.items() if key != "Condition"}
        found += [
            {
                "Target": {"Attribute": key, "RequiresRecreation": "Never"},
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            }
            for key in sorted(made.about.keys() | about.keys())
            if made.about.get(key) != about.get(key)
        ]
        if found:
            self.replacements[made.name] = replacement(found)
        return found

    def of_property(self, name: str, made: Made, wanted: Resource) -> Iterator[Json]:
        before, after = made.properties.get(name), wanted.properties.get(name)
        raw = self.plan.template["Resources"][made.name]["Properties"].get(name)
        is_other = before != after
        causes = [*self.causes(raw, is_other=is_other)]
        if is_other and not any(cause["Evaluation"] == "Static" for cause in causes):
            causes.append({"Evaluation": "Static", "ChangeSource": "DirectModification"})
        elif any(cause["ChangeSource"] == "ParameterReference" for cause in causes):
            # As in the user guide's example of a change set with another parameter.
            causes.append({"Evaluation": "Dynamic", "ChangeSource": "DirectModification"})
        target: Json = {
            "Attribute": "Properties",
            "Name": name,
            "RequiresRecreation": recreation(made.kind.schema, name, before, after),
            "Path": f"/Properties/{name}",
            "AttributeChangeType": "Modify",
        }
        if before is None or after is None:
            target["AttributeChangeType"] = "Add" if before is None else "Remove"
        if before is not None:
            target["BeforeValue"] = text(before)
        if after is not None:
            target["AfterValue"] = text(after)
        yield from ({"Target": target} | cause for cause in causes)

    def causes(self, raw: Any, *, is_other: bool) -> Iterator[Json]:
        """The references of a property that may get another value."""
        self.seen.clear()
        self.recorder.value(raw)
        for name, attribute in dict.fromkeys(self.seen):
            replaced = self.replacements.get(name, "")
            is_id = attribute == "Ref"
            if replaced in {"True", "Conditional"} or (replaced and not is_id):
                yield {
                    "Evaluation": "Static" if replaced == "True" and is_other else "Dynamic",
                    "ChangeSource": "ResourceReference" if is_id else "ResourceAttribute",
                    "CausingEntity": name if is_id else f"{name}.{attribute}",
                }
        if is_other:
            for name in sorted(self.parameters & set(references(raw))):
                yield {
                    "Evaluation": "Static",
                    "ChangeSource": "ParameterReference",
                    "CausingEntity": name,
                }


def replacement(details: Sequence[Json]) -> str:
    """ "If the RequiresRecreation value is Always and the Evaluation value is Static, Replacement
    is True. If RequiresRecreation is Always and Evaluation is Dynamic, it is Conditional"."""
    found = {(each["Target"]["RequiresRecreation"], each["Evaluation"]) for each in details}
    if ("Always", "Static") in found:
        return "True"
    return "Conditional" if any(needs != "Never" for needs, _ in found) else "False"


def recreation(schema: Mapping[str, Any], name: str, before: Any, after: Any) -> str:
    """Whether a change replaces the resource, by the type's schema; a path may name a member."""
    for word, key in (
        ("Always", "createOnlyProperties"),
        ("Conditionally", "conditionalCreateOnlyProperties"),
    ):
        for path in schema.get(key, []):
            _, _, first, *rest = path.split("/")
            if first == name and (not rest or member(before, rest) != member(after, rest)):
                return word
    return "Never"


def member(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def context(properties: Mapping[str, Any]) -> str:
    """The members BeforeContext and AfterContext."""
    return json.dumps({"Properties": properties})


WITH_VALUES = {"BeforeContext", "AfterContext"}
WITH_VALUES_OF_A_TARGET = {"Path", "AttributeChangeType", "BeforeValue", "AfterValue"}


def without_values(changes: Sequence[Json]) -> list[Json]:
    """As DescribeChangeSet answers without IncludePropertyValues."""
    found = []
    for each in changes:
        change = {
            key: value for key, value in each["ResourceChange"].items() if key not in WITH_VALUES
        }
        change["Details"] = [
            detail
            | {
                "Target": {
                    key: value
                    for key, value in detail["Target"].items()
                    if key not in WITH_VALUES_OF_A_TARGET
                }
            }
            for detail in change["Details"]
        ]
        found.append(each | {"ResourceChange": change})
    return found
