"""One stack: its resources, its events, and its operations, with their rollbacks.

An operation is a generator that yields whenever a caller may poll the stack. Resources that do not
depend on each other are created together, as CloudFormation does; if one fails, those that are in
progress are cancelled. States and reasons are those of "Understand CloudFormation stack creation
events" and "Stack status codes" in CloudFormation's user guide.
"""

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Any, Literal

from simulator.clock import Clock
from simulator.cloudformation.resources.kind import (
    Aws,
    Failed,
    Json,
    Kind,
    NotSimulated,
    Wanted,
    failing,
)
from simulator.cloudformation.resources.kinds import KINDS
from simulator.cloudformation.tags import is_taggable, retag
from simulator.cloudformation.template import Stack as Plan

Verb = Literal["create", "update", "roll back", "delete"]
Steps = Generator[None, None, list[str]]  # returns the names of resources that failed
STACK = "AWS::CloudFormation::Stack"
NOT_ALL_DELETED = "Update successful. One or more resources could not be deleted."
NOT_KNOWN_YET = "{{changeSet:KNOWN_AFTER_APPLY}}"  # as DescribeChangeSet has it in property values
KEPT = {"Retain", "RetainExceptOnCreate"}
IN_USE = "DependencyViolation"
# How often a cleanup tries again to delete a resource in use: once for each request about the
# stack. CloudFormation tries for more than 40 minutes (aws/aws-sam-cli#5084).
CLEANUP_ATTEMPTS = 20


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

    # --- operations ---

    def create(self, plan: Plan, imports: set[str], on_failure: str) -> Iterator[None]:
        self.says("CREATE_IN_PROGRESS", "User Initiated")
        failed = yield from self.go_forward(plan, imports)
        if not failed:
            self.says("CREATE_COMPLETE")
            return
        what = f"The following resource(s) failed to create: [{', '.join(failed)}]. "
        if on_failure == "DO_NOTHING":
            self.says("CREATE_FAILED", what)
            return
        self.says("ROLLBACK_IN_PROGRESS", what + "Rollback requested by user.")
        yield
        stuck = yield from self.remove(
            [done.after for done in self.to_take_back], "DeletionPolicy", goes_back=True
        )
        if stuck:
            self.says("ROLLBACK_FAILED", not_deleted(stuck))
        else:
            self.says("ROLLBACK_COMPLETE")
            if on_failure == "DELETE":
                yield from self.delete()

    def update(self, plan: Plan, imports: set[str]) -> Iterator[None]:
        before = self.plan, self.outputs
        tags_before = self.tags_before
        self.says("UPDATE_IN_PROGRESS", "User Initiated")
        failed = yield from self.go_forward(plan, imports)
        if failed:
            self.plan, self.outputs = before
            self.tags = tags_before
            what = f"The following resource(s) failed to update: [{', '.join(failed)}]. "
            self.says("UPDATE_ROLLBACK_IN_PROGRESS", what)
            yield
            yield from self.go_back()
            return
        self.says("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        yield
        replaced = [done.before for done in self.to_take_back if done.verb == "create"]
        old = [made for made in replaced if made]
        stuck = yield from self.remove(old, "UpdateReplacePolicy", attempts=CLEANUP_ATTEMPTS)
        removed = [made for name, made in self.resources.items() if name not in plan.needs]
        stuck += yield from self.remove(removed, "DeletionPolicy", attempts=CLEANUP_ATTEMPTS)
        for made in removed:
            self.resources.pop(made.name, None)
        # Some cannot be deleted and are left behind: rvedotrc/aws-cloudformation-stack-states#2.
        self.says("UPDATE_COMPLETE", NOT_ALL_DELETED if stuck else "")

    def go_back(self) -> Iterator[None]:
        """Roll back a failed update; continues a rollback that failed earlier."""
        for done in [done for done in reversed(self.to_take_back) if done.verb == "update"]:
            assert done.before is not None
            self.says("UPDATE_IN_PROGRESS", made=done.before)
            yield
            try:
                self.may_fail(done.after.name, "roll back")
                wanted = Wanted(done.before.properties, done.after.properties)
                done.after.kind.update(done.after.id, wanted)
                self.retag(done.after, done.before)
            except Failed as failed:
                self.says("UPDATE_FAILED", str(failed), done.after)
                what = f"The following resource(s) failed to update: [{done.after.name}]. "
                self.says("UPDATE_ROLLBACK_FAILED", what)
                return
            self.resources[done.after.name] = done.before
            self.says("UPDATE_COMPLETE", made=done.before)
            self.to_take_back.remove(done)
        self.says("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        yield
        for done in self.to_take_back:
            if done.before:
                self.resources[done.after.name] = done.before
        new = [done.after for done in self.to_take_back]
        yield from self.remove(new, "DeletionPolicy", goes_back=True)
        self.says("UPDATE_ROLLBACK_COMPLETE")

    def delete(self, leave: Iterable[str] = ()) -> Iterator[None]:
        self.says("DELETE_IN_PROGRESS", "User Initiated")
        for name in leave:
            self.says("DELETE_SKIPPED", made=self.resources.pop(name))
        stuck = yield from self.remove(list(self.resources.values()), "DeletionPolicy")
        if stuck:
            self.says("DELETE_FAILED", not_deleted(stuck))
        else:
            self.gone_at = self.clock.stamp()
            self.says("DELETE_COMPLETE")

    # --- creation and change ---

    def go_forward(self, plan: Plan, imports: set[str]) -> Steps:
        """Create, change and import the resources of the template; none is deleted yet."""
        self.to_take_back = []
        self.plan = plan = self.seen_from_here(plan)
        sorter = TopologicalSorter(plan.needs)
        sorter.prepare()
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=list(plan.template["Resources"]).index)
            tasks = [task for name in ready if (task := self.task(plan, name, imports))]
            if tasks:
                yield
            failed: list[str] = []
            for task in tasks:
                yield from self.carry_out(task, failed)
            if failed:
                return failed
            sorter.done(*ready)
        self.outputs = plan.outputs
        return []

    def seen_from_here(self, plan: Plan) -> Plan:
        """The template with the ids of the existing resources."""

        def identify(_: Plan, name: str, attribute: str) -> Any:
            return self.identify(name, attribute)

        return Plan(plan.template, plan.given, plan.place, identify)

    def identify(self, name: str, attribute: str) -> Any:
        """An attribute as it was at creation: later changes by others are not seen."""
        made = self.resources[name]
        if made.id not in self.identities:
            self.identities[made.id] = made.identities
        if attribute not in self.identities[made.id]:
            raise NotSimulated(f"{attribute} of {made.kind.type}")
        return self.identities[made.id][attribute]

    def task(self, plan: Plan, name: str, imports: set[str]) -> "Task | None":
        """The change that a resource needs, after its first event; None if it needs none."""
        wanted = plan.resource(name)
        about = {key: value for key, value in wanted.attributes.items() if key != "Condition"}
        kind = self.kind(wanted.type)
        needs = plan.needs[name]
        before = self.resources.get(name)
        after = Made(name, kind, "", wanted.properties, about, needs)
        after.tags = self.tags_of(kind)
        if before is None and name in imports:
            after.id, after.taken_over = str(kind.there(wanted.properties)), True
            self.says("IMPORT_IN_PROGRESS", "Resource import started.", after)
            return Task("IMPORT", after, lambda: after.id)
        if before is None:
            self.says("CREATE_IN_PROGRESS", made=after)
            return Task("CREATE", after, lambda: self.make(after))
        after.id, after.taken_over = before.id, before.taken_over
        change = difference(before.properties, wanted.properties)
        if not change and after.tags == before.tags:
            self.resources[name] = after
            return None
        if change & kind.replacing:
            reason = (
                "Requested update requires the creation of a new physical resource; hence creating"
                " one."
            )
            self.says("UPDATE_IN_PROGRESS", reason, before)
            return Task("UPDATE", after, lambda: self.replace(before, after), before)
        self.says("UPDATE_IN_PROGRESS", made=before)
        return Task("UPDATE", after, lambda: self.change(before, after), before)

    def carry_out(self, task: "Task", failed: list[str]) -> Iterator[None]:
        made = task.after
        word = {"CREATE": "creation", "UPDATE": "update", "IMPORT": "import"}[task.verb]
        if failed:
            self.says(f"{task.verb}_FAILED", f"Resource {word} cancelled", made)
            return
        try:
            made.id = task.do()
            yield from self.wait_for(task)
        except Failed as why:
            failed.append(made.name)
            self.says(f"{task.verb}_FAILED", str(why), made)
            if task.verb == "CREATE" and made.id:  # it is there, and did not become ready
                self.to_take_back.append(Done("create", made))
            return
        self.resources[made.name] = made
        if task.verb == "IMPORT":
            self.retag(None, made)
        replaced = task.before is not None and task.before.id != made.id
        verb: Verb = "create" if task.before is None or replaced else "update"
        self.to_take_back.append(Done(verb, made, task.before))
        if task.verb == "IMPORT":
            # Words: realestate-com-au/stackup#96.
            self.says("IMPORT_COMPLETE", "Resource import completed.", made)
            tags = "Apply stack-level tags to imported resource if applicable."
            self.says("UPDATE_IN_PROGRESS", tags, made)
            self.says("UPDATE_COMPLETE", made=made)
        else:
            self.says(f"{task.verb}_COMPLETE", made=made)

    def wait_for(self, task: "Task") -> Iterator[None]:
        """Until it is ready. The event is written once, as CloudFormation does it for the record of
        a certificate ("AWS::CertificateManager::Certificate"). Raises Failed."""
        made, said = task.after, False
        is_new = task.before is None or task.before.id != made.id
        while is_new and (awaited := made.kind.waits_for(made.id)):
            if not said:
                self.says(f"{task.verb}_IN_PROGRESS", awaited, made)
                said = True
            yield

    def make(self, after: Made) -> str:
        self.may_fail(after.name, "create")
        generated = f"{self.name}-{after.name}-{len(self.events):012X}"
        after.id = after.kind.create(generated, Wanted(after.properties))
        self.retag(None, after)
        return after.id

    def change(self, before: Made, after: Made) -> str:
        self.may_fail(after.name, "update")
        after.kind.update(before.id, Wanted(after.properties, before.properties))
        self.retag(before, after)
        return before.id

    def tags_of(self, kind: Kind) -> Json:
        """The tags that the stack adds to a resource of a type."""
        return (
            {each["Key"]: each["Value"] for each in self.tags} if is_taggable(kind.schema) else {}
        )

    def retag(self, before: Made | None, after: Made) -> None:
        with failing():
            has = before.tags if before else {}
            retag(self.aws, after.kind.type, after.id, has, after.tags)

    def replace(self, before: Made, after: Made) -> str:
        self.may_fail(after.name, "update")
        names = [key for key in after.kind.replacing if key == "Name" or key in after.kind.naming]
        own = {key: after.properties[key] for key in names if key in after.properties}
        if own and own == {key: before.properties.get(key) for key in own}:
            name = next(iter(own.values()))
            raise Failed(
                "CloudFormation cannot update a stack when a custom-named resource requires"
                f" replacing. Rename {name} and update the stack again."
            )
        return self.make(after)

    def may_fail(self, name: str, verb: Verb) -> None:
        if reason := self.failures.pop((name, verb), ""):
            raise Failed(reason)

    def kind(self, type: str) -> Kind:
        if type not in KINDS:
            raise NotSimulated(type)
        return KINDS[type](self.aws)

    # --- deletion ---

    def remove(
        self, those: list[Made], policy: str, *, goes_back: bool = False, attempts: int = 1
    ) -> Steps:
        """Delete resources, each before those that it refers to, except those that are kept."""
        by_name = {made.name: made for made in those}
        needed_by: dict[str, set[str]] = {name: set() for name in by_name}
        for made in those:
            for need in made.needs & by_name.keys():
                needed_by[need].add(made.name)
        sorter = TopologicalSorter(needed_by)
        sorter.prepare()
        failed: list[str] = []
        while ready := [by_name[name] for name in sorted(sorter.get_ready())]:
            going = []
            for made in ready:
                if made.is_kept(policy, goes_back=goes_back):
                    self.says("DELETE_SKIPPED", made=made)
                    self.forget(made)
                    sorter.done(made.name)
                else:
                    self.says("DELETE_IN_PROGRESS", made=made)
                    going.append(made)
            if going:
                yield
            for made in going:
                why = yield from self.take_away(made, attempts)
                if why:
                    failed.append(made.name)
                    self.says("DELETE_FAILED", why, made)
                else:
                    self.says("DELETE_COMPLETE", made=made)
                    self.forget(made)
                    sorter.done(made.name)
        return failed

    def take_away(self, made: Made, attempts: int) -> Generator[None, None, str]:
        """Why a resource could not be deleted; empty if it is. If it is in use, it is retried."""
        for left in reversed(range(attempts)):
            try:
                self.may_fail(made.name, "delete")
                made.kind.remove(made.id, made.properties)
                return ""
            except Failed as failed:
                why = str(failed)
            if not left or IN_USE not in why:
                break
            yield
        return why

    def forget(self, made: Made) -> None:
        if self.resources.get(made.name) is made:
            del self.resources[made.name]


@dataclass(frozen=True)
class Task:
    verb: Literal["CREATE", "UPDATE", "IMPORT"]
    after: Made
    do: Callable[[], str]  # returns the id; raises Failed
    before: Made | None = None


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def not_deleted(names: list[str]) -> str:
    return f"The following resource(s) failed to delete: [{', '.join(names)}]. "
