"""Creation, change and import of the resources of a template, a step at a time.

Resources that do not depend on each other are created together, as CloudFormation does; if one
fails, those that are in progress are cancelled.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Literal

from simulator.cloudformation.resources.kind import Failed, Wanted
from simulator.cloudformation.stack import Done, Made, Stack, Steps, Verb
from simulator.cloudformation.template import Stack as Plan


@dataclass(frozen=True)
class Task:
    verb: Literal["CREATE", "UPDATE", "IMPORT"]
    after: Made
    do: Callable[[], str]  # returns the id; raises Failed
    before: Made | None = None


def go_forward(stack: Stack, plan: Plan, imports: set[str]) -> Steps:
    """Create, change and import the resources of the template; none is deleted yet."""
    stack.to_take_back = []
    stack.plan = plan = stack.seen_from_here(plan)
    sorter = TopologicalSorter(plan.needs)
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=list(plan.template["Resources"]).index)
        tasks = [task for name in ready if (task := task_for(stack, plan, name, imports))]
        if tasks:
            yield
        failed: list[str] = []
        for task in tasks:
            yield from carry_out(stack, task, failed)
        if failed:
            return failed
        sorter.done(*ready)
    stack.outputs = plan.outputs
    return []


def task_for(stack: Stack, plan: Plan, name: str, imports: set[str]) -> Task | None:
    """The change that a resource needs, after its first event; None if it needs none."""
    wanted = plan.resource(name)
    about = {key: value for key, value in wanted.attributes.items() if key != "Condition"}
    kind = stack.kind(wanted.type)
    needs = plan.needs[name]
    before = stack.resources.get(name)
    after = Made(name, kind, "", wanted.properties, about, needs)
    after.tags = stack.tags_of(kind)
    if before is None and name in imports:
        after.id, after.taken_over = str(kind.there(wanted.properties)), True
        stack.says("IMPORT_IN_PROGRESS", "Resource import started.", after)
        return Task("IMPORT", after, lambda: after.id)
    if before is None:
        stack.says("CREATE_IN_PROGRESS", made=after)
        return Task("CREATE", after, lambda: make(stack, after))
    after.id, after.taken_over = before.id, before.taken_over
    differing = difference(before.properties, wanted.properties)
    if not differing and after.tags == before.tags:
        stack.resources[name] = after
        return None
    if differing & kind.replacing:
        reason = (
            "Requested update requires the creation of a new physical resource; hence creating one."
        )
        stack.says("UPDATE_IN_PROGRESS", reason, before)
        return Task("UPDATE", after, lambda: replace(stack, before, after), before)
    stack.says("UPDATE_IN_PROGRESS", made=before)
    return Task("UPDATE", after, lambda: change(stack, before, after), before)


def carry_out(stack: Stack, task: Task, failed: list[str]) -> Iterator[None]:
    made = task.after
    word = {"CREATE": "creation", "UPDATE": "update", "IMPORT": "import"}[task.verb]
    if failed:
        stack.says(f"{task.verb}_FAILED", f"Resource {word} cancelled", made)
        return
    try:
        made.id = task.do()
        yield from wait_for(stack, task)
    except Failed as why:
        failed.append(made.name)
        stack.says(f"{task.verb}_FAILED", str(why), made)
        if task.verb == "CREATE" and made.id:  # it is there, and did not become ready
            stack.to_take_back.append(Done("create", made))
        return
    stack.resources[made.name] = made
    if task.verb == "IMPORT":
        stack.retag(None, made)
    replaced = task.before is not None and task.before.id != made.id
    verb: Verb = "create" if task.before is None or replaced else "update"
    stack.to_take_back.append(Done(verb, made, task.before))
    if task.verb == "IMPORT":
        # Words: realestate-com-au/stackup#96.
        stack.says("IMPORT_COMPLETE", "Resource import completed.", made)
        tags = "Apply stack-level tags to imported resource if applicable."
        stack.says("UPDATE_IN_PROGRESS", tags, made)
        stack.says("UPDATE_COMPLETE", made=made)
    else:
        stack.says(f"{task.verb}_COMPLETE", made=made)


def wait_for(stack: Stack, task: Task) -> Iterator[None]:
    """Until it is ready. The event is written once, as CloudFormation does it for the record of
    a certificate ("AWS::CertificateManager::Certificate"). Raises Failed."""
    made, said = task.after, False
    is_new = task.before is None or task.before.id != made.id
    while is_new and (awaited := made.kind.waits_for(made.id)):
        if not said:
            stack.says(f"{task.verb}_IN_PROGRESS", awaited, made)
            said = True
        yield


def make(stack: Stack, after: Made) -> str:
    stack.may_fail(after.name, "create")
    generated = f"{stack.name}-{after.name}-{len(stack.events):012X}"
    after.id = after.kind.create(generated, Wanted(after.properties))
    stack.retag(None, after)
    return after.id


def change(stack: Stack, before: Made, after: Made) -> str:
    stack.may_fail(after.name, "update")
    after.kind.update(before.id, Wanted(after.properties, before.properties))
    stack.retag(before, after)
    return before.id


def replace(stack: Stack, before: Made, after: Made) -> str:
    stack.may_fail(after.name, "update")
    names = [key for key in after.kind.replacing if key == "Name" or key in after.kind.naming]
    own = {key: after.properties[key] for key in names if key in after.properties}
    if own and own == {key: before.properties.get(key) for key in own}:
        name = next(iter(own.values()))
        raise Failed(
            "CloudFormation cannot update a stack when a custom-named resource requires"
            f" replacing. Rename {name} and update the stack again."
        )
    return make(stack, after)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
