"""The changes of a change set, as DescribeChangeSet lists them."""

from typing import Any

from simulator.cloudformation.change_details import Details, context
from simulator.cloudformation.change_set import ChangeSet
from simulator.cloudformation.records import Records
from simulator.cloudformation.resources.kind import Json, NotSimulated
from simulator.cloudformation.resources.kinds import KINDS
from simulator.cloudformation.resources.tags import is_taggable
from simulator.cloudformation.stack import KEPT, NOT_KNOWN_YET, Made
from simulator.cloudformation.template import Stack as Plan
from simulator.cloudformation.template_text import BadTemplate


class Planner:
    """The changes of a change set, as far as they are known before a resource is created."""

    def __init__(self, records: Records, change_set: ChangeSet) -> None:
        self.records = records
        self.change_set = change_set
        self.stack = change_set.stack
        self.complaints: list[Json] = []
        plan = change_set.plan
        self.plan = Plan(plan.template, plan.given, plan.place, self.identify)
        self.details = Details(plan, self.stack.plan)

    def identify(self, _: Plan, name: str, attribute: str) -> Any:
        """The value of an attribute; not known yet if its resource gets a new id."""
        is_new = self.details.replacements.get(name) == "True"
        if is_new or name not in self.stack.resources:
            return NOT_KNOWN_YET
        return self.stack.identify(name, attribute)

    @property
    def outputs(self) -> Json:
        return self.plan.outputs

    def changes(self) -> list[Json]:
        order = self.change_set.plan.order
        changes = [change for name in order if (change := self.change(name))]
        changes += [
            self.removal(made) for name, made in self.stack.resources.items() if name not in order
        ]
        return [{"Type": "Resource", "ResourceChange": change} for change in changes]

    def change(self, name: str) -> Json | None:
        wanted = self.plan.resource(name)
        made = self.stack.resources.get(name)
        if made is None:
            self.details.replacements[name] = "True"
            return self.addition(name) | {"AfterContext": context(wanted.properties)}
        if made.kind.type != wanted.type:
            raise BadTemplate(
                "Update of resource type is not permitted. The new template modifies resource type"
                f" of the following resources: [{name}]"
            )
        details = self.details.of(made, wanted) + self.tagging(made)
        if not details:
            return None
        self.details.replacements.setdefault(name, "False")
        replacement = self.details.replacements[name]
        change = described_change("Modify", name, wanted.type, made.id) | {
            "Replacement": replacement,
            "Scope": sorted({detail["Target"]["Attribute"] for detail in details}),
            "Details": details,
            "BeforeContext": context(made.properties),
            "AfterContext": context(wanted.properties),
        }
        if replacement == "True":
            kept = wanted.attributes.get("UpdateReplacePolicy") in KEPT
            change["PolicyAction"] = "ReplaceAndRetain" if kept else "ReplaceAndDelete"
        return change

    def tagging(self, made: Made) -> list[Json]:
        """Other tags of the stack: "ResourceTargetDefinition" has Tags as an attribute."""
        tags = {each["Key"]: each["Value"] for each in self.change_set.tags}
        if not is_taggable(made.kind.schema) or tags == made.tags:
            return []
        return [
            {
                "Target": {"Attribute": "Tags", "RequiresRecreation": "Never"},
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            }
        ]

    def removal(self, made: Made) -> Json:
        return described_change("Remove", made.name, made.kind.type, made.id) | {
            "PolicyAction": "Retain" if made.is_kept("DeletionPolicy") else "Delete",
            "BeforeContext": context(made.properties),
        }

    def addition(self, name: str) -> Json:
        """A resource that the stack does not have yet: created, or imported if it exists."""
        wanted = self.plan.resource(name)
        if wanted.type not in KINDS:
            raise NotSimulated(wanted.type)
        kind = KINDS[wanted.type](self.records.aws)
        there = kind.there(wanted.properties)
        if there is None:
            return described_change("Add", name, wanted.type)
        if self.may_be_taken_over(name, kind.naming, there):
            self.change_set.imports.add(name)
            return described_change("Import", name, wanted.type, there)
        self.complaints.append(
            {
                "EventId": f"{name}-validation",
                "StackId": self.stack.id,
                "OperationType": "CREATE_CHANGESET",
                "OperationStatus": "FAILED",
                "EventType": "VALIDATION_ERROR",
                "LogicalResourceId": name,
                "PhysicalResourceId": there,
                "ResourceType": wanted.type,
                "Timestamp": self.records.clock.stamp(),
                "ValidationFailureMode": "FAIL",
                "ValidationName": "NAME_CONFLICT_VALIDATION",
                "ValidationStatus": "FAILED",
                "ValidationStatusReason": kind.conflict(wanted.properties),
                "ValidationPath": f"/Resources/{name}",
            }
        )
        return described_change("Add", name, wanted.type)

    def may_be_taken_over(self, name: str, naming: list[str], id: str) -> bool:
        """The requirements of "Import AWS resources into a CloudFormation stack automatically"."""
        body = self.plan.template["Resources"][name]
        return (
            self.change_set.request.get("ImportExistingResources", False)
            and all(isinstance(body["Properties"].get(key), str) for key in naming)
            and body.get("DeletionPolicy") in KEPT
            and self.records.owner(body["Type"], id) is None
        )


def described_change(action: str, name: str, type: str, id: str = "") -> Json:
    change: Json = {"Action": action, "LogicalResourceId": name, "ResourceType": type}
    return change | {"Scope": [], "Details": []} | ({"PhysicalResourceId": id} if id else {})
