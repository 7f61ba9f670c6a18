"""The stacks and change sets of a region, and where to find them."""

import itertools
import re
from collections.abc import Mapping
from typing import Any

from simulator.clock import Clock
from simulator.cloudformation.change_set import ChangeSet
from simulator.cloudformation.resource import Place
from simulator.cloudformation.resources.kind import Aws, Json, NotSimulated
from simulator.cloudformation.stack import Stack, Verb
from simulator.refusal import Refused


class Records:
    """`aws` returns the client of a service, with the credentials of the caller that made the
    request."""

    def __init__(self, aws: Aws, clock: Clock, place: Place) -> None:
        self.aws = aws
        self.clock = clock
        self.place = place
        self.stacks: dict[str, Stack] = {}  # by id, deleted ones too
        self.change_sets: dict[str, ChangeSet] = {}  # by id
        self.failures: dict[tuple[str, Verb], str] = {}
        self.numbers = itertools.count(1)

    def fails(self, resource: str, verb: Verb, reason: str) -> None:
        """Make the next such operation on a resource fail, with that reason."""
        self.failures[resource, verb] = reason

    def new_stack(self, name: str) -> Stack:
        if not re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", name):
            raise Refused(
                "ValidationError",
                f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy"
                " constraint: Member must satisfy regular expression pattern:"
                " [a-zA-Z][-a-zA-Z0-9]*",
            )
        id = self.place.arn("cloudformation", f"stack/{name}/{self.identifier()}")
        stack = Stack(name, id, self.aws, self.clock, self.failures, self.clock.stamp())
        self.stacks[id] = stack
        stack.says("REVIEW_IN_PROGRESS", "User Initiated")
        return stack

    def identifier(self) -> str:
        return f"{next(self.numbers):08x}-5154-11ea-bd5e-12717722e021"

    def find(self, name: str) -> Stack | None:
        """The stack with that id, or the one with that name that is not deleted."""
        if name in self.stacks:
            return self.stacks[name]
        those = [stack for stack in self.stacks.values() if stack.name == name]
        return next((stack for stack in those if stack.status != "DELETE_COMPLETE"), None)

    def must_find(self, name: str) -> Stack:
        stack = self.find(name)
        if stack is None:
            raise Refused("ValidationError", f"Stack [{name}] does not exist")
        return stack

    def change_sets_of(self, stack: Stack) -> list[ChangeSet]:
        return [each for each in self.change_sets.values() if each.stack is stack]

    def change_set(self, parameters: Json) -> ChangeSet:
        name = parameters["ChangeSetName"]
        if name in self.change_sets:
            return self.change_sets[name]
        if not name.startswith("arn:"):
            if "StackName" not in parameters:
                raise Refused(
                    "ValidationError",
                    "StackName must be specified if ChangeSetName is not specified as an ARN.",
                )
            for each in self.change_sets_of(self.must_find(parameters["StackName"])):
                if each.name == name:
                    return each
        raise Refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)

    def owner(self, type: str, id: str) -> Stack | None:
        """The stack that a resource belongs to."""
        for stack in self.stacks.values():
            if any(made.kind.type == type and made.id == id for made in stack.resources.values()):
                return stack
        return None


def only(parameters: Mapping[str, Any], *known: str) -> None:
    if unknown := parameters.keys() - set(known):
        raise NotSimulated(f"parameters: {', '.join(sorted(unknown))}")
