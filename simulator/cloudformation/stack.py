"""One stack: its resources and its events. Its operations are in operations.py."""

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from simulator.clock import Clock
from simulator.cloudformation.resources.kind import (
    Aws,
    Failed,
    Json,
    Kind,
    NotSimulated,
    failing,
)
from simulator.cloudformation.resources.kinds import KINDS
from simulator.cloudformation.resources.tags import is_taggable, retag
from simulator.cloudformation.template import Stack as Plan

Verb = Literal["create", "update", "roll back", "delete"]
Steps = Generator[None, None, list[str]]  # returns the names of resources that failed
STACK = "AWS::CloudFormation::Stack"
NOT_KNOWN_YET = "{{changeSet:KNOWN_AFTER_APPLY}}"  # as DescribeChangeSet has it in property values
KEPT = {"Retain", "RetainExceptOnCreate"}


@dataclass
class Made:
    """A resource of a stack, as it is in AWS."""

    name: str
    kind: Kind
    id: str
    properties: Json
    about: Json  # its policies and its metadata
    needs: set[str]
    taken_over: bool = False
    tags: Json = field(default_factory=dict)  # those of the stack, if it can be tagged

    @property
    def identities(self) -> Json:
        return {"Ref": self.id} | self.kind.attributes(self.id)

    def is_kept(self, policy: str, *, goes_back: bool = False) -> bool:
        """Whether it outlives its stack.

        "DeletionPolicy attribute": RetainExceptOnCreate deletes a resource if the operation that
        created it is rolled back. The page does not say whether an imported resource counts as
        created: here it does, because that is the worse case.
        """
        choice = self.about.get(policy)
        return choice == "Retain" if goes_back else choice in KEPT


@dataclass(frozen=True)
class Done:
    """A step that can be rolled back: a resource replaces another one, or is added."""

    verb: Verb
    after: Made
    before: Made | None = None


@dataclass
class Stack:
    name: str
    id: str
    aws: Aws
    clock: Clock
    failures: dict[tuple[str, Verb], str]  # (resource, verb): the reason of the next failure
    made_at: datetime
    status: str = ""
    reason: str = ""
    changed_at: datetime | None = None
    gone_at: datetime | None = None
    plan: Plan | None = None
    capabilities: list[str] = field(default_factory=list)
    tags: list[Json] = field(default_factory=list)
    resources: dict[str, Made] = field(default_factory=dict)
    outputs: Json = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)  # the newest first
    protected: bool = False  # from deletion
    under_way: Iterator[None] | None = None
    to_take_back: list[Done] = field(default_factory=list)
    tags_before: list[Json] = field(default_factory=list)
    identities: dict[str, Json] = field(default_factory=dict)

    def advance(self) -> None:
        """Each request makes the operation in progress advance by one step."""
        if self.under_way is None:
            return
        try:
            next(self.under_way)
        except StopIteration:
            self.under_way = None

    def begin(self, steps: Iterator[None]) -> None:
        self.under_way = steps
        self.advance()

    # --- events ---

    def says(self, status: str, reason: str = "", made: Made | None = None, **more: str) -> None:
        """An event of a resource, or of the stack itself."""
        now = self.clock.stamp()
        event = {
            "StackId": self.id,
            "StackName": self.name,
            "EventId": f"{made.name if made else self.name}-{status}-{now.isoformat()}",
            "LogicalResourceId": made.name if made else self.name,
            "PhysicalResourceId": made.id if made else self.id,
            "ResourceType": made.kind.type if made else STACK,
            "Timestamp": now,
            "ResourceStatus": status,
        }
        if reason:
            event["ResourceStatusReason"] = reason
        if made:
            event["ResourceProperties"] = json.dumps(made.properties)
        else:
            self.status, self.reason = status, reason
        self.events.insert(0, event | more)

    def seen_from_here(self, plan: Plan) -> Plan:
        """The template with the ids of the existing resources."""

        def identify(_: Plan, name: str, attribute: str) -> Any:
            return self.identify(name, attribute)

        return Plan(plan.template, plan.given, plan.place, identify)

    def identify(self, name: str, attribute: str) -> Any:
        """An attribute at creation: changes outside of the stack are not seen."""
        made = self.resources[name]
        if made.id not in self.identities:
            self.identities[made.id] = made.identities
        if attribute not in self.identities[made.id]:
            raise NotSimulated(f"{attribute} of {made.kind.type}")
        return self.identities[made.id][attribute]

    def tags_of(self, kind: Kind) -> Json:
        """The tags that the stack adds to a resource of a type."""
        return (
            {each["Key"]: each["Value"] for each in self.tags} if is_taggable(kind.schema) else {}
        )

    def retag(self, before: Made | None, after: Made) -> None:
        with failing():
            has = before.tags if before else {}
            retag(self.aws, after.kind.type, after.id, has, after.tags)

    def may_fail(self, name: str, verb: Verb) -> None:
        if reason := self.failures.pop((name, verb), ""):
            raise Failed(reason)

    def kind(self, type: str) -> Kind:
        if type not in KINDS:
            raise NotSimulated(type)
        return KINDS[type](self.aws)

    def forget(self, made: Made) -> None:
        if self.resources.get(made.name) is made:
            del self.resources[made.name]
