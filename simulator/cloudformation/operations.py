"""The operations of a stack, with their rollbacks.

An operation is a generator that yields whenever a caller may poll the stack. States and reasons are
those of "Understand CloudFormation stack creation events" and "Stack status codes" in
CloudFormation's user guide.
"""

from collections.abc import Iterable, Iterator

from simulator.cloudformation.creation import go_forward
from simulator.cloudformation.deletion import remove
from simulator.cloudformation.resources.kind import Failed, Wanted
from simulator.cloudformation.stack import Stack
from simulator.cloudformation.template import Stack as Plan

NOT_ALL_DELETED = "Update successful. One or more resources could not be deleted."
# How often a cleanup tries again to delete a resource in use: once for each request about the
# stack. CloudFormation tries for more than 40 minutes (aws/aws-sam-cli#5084).
CLEANUP_ATTEMPTS = 20


def create(stack: Stack, plan: Plan, imports: set[str], on_failure: str) -> Iterator[None]:
    stack.says("CREATE_IN_PROGRESS", "User Initiated")
    failed = yield from go_forward(stack, plan, imports)
    if not failed:
        stack.says("CREATE_COMPLETE")
        return
    what = f"The following resource(s) failed to create: [{', '.join(failed)}]. "
    if on_failure == "DO_NOTHING":
        stack.says("CREATE_FAILED", what)
        return
    stack.says("ROLLBACK_IN_PROGRESS", what + "Rollback requested by user.")
    yield
    stuck = yield from remove(
        stack, [done.after for done in stack.to_take_back], "DeletionPolicy", goes_back=True
    )
    if stuck:
        stack.says("ROLLBACK_FAILED", not_deleted(stuck))
    else:
        stack.says("ROLLBACK_COMPLETE")
        if on_failure == "DELETE":
            yield from delete(stack)


def update(stack: Stack, plan: Plan, imports: set[str]) -> Iterator[None]:
    before = stack.plan, stack.outputs
    tags_before = stack.tags_before
    stack.says("UPDATE_IN_PROGRESS", "User Initiated")
    failed = yield from go_forward(stack, plan, imports)
    if failed:
        stack.plan, stack.outputs = before
        stack.tags = tags_before
        what = f"The following resource(s) failed to update: [{', '.join(failed)}]. "
        stack.says("UPDATE_ROLLBACK_IN_PROGRESS", what)
        yield
        yield from go_back(stack)
        return
    stack.says("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    yield
    replaced = [done.before for done in stack.to_take_back if done.verb == "create"]
    old = [made for made in replaced if made]
    stuck = yield from remove(stack, old, "UpdateReplacePolicy", attempts=CLEANUP_ATTEMPTS)
    removed = [made for name, made in stack.resources.items() if name not in plan.needs]
    stuck += yield from remove(stack, removed, "DeletionPolicy", attempts=CLEANUP_ATTEMPTS)
    for made in removed:
        stack.resources.pop(made.name, None)
    # Some cannot be deleted and are left behind: rvedotrc/aws-cloudformation-stack-states#2.
    stack.says("UPDATE_COMPLETE", NOT_ALL_DELETED if stuck else "")


def go_back(stack: Stack) -> Iterator[None]:
    """Roll back a failed update; continues a rollback that failed earlier."""
    for done in [done for done in reversed(stack.to_take_back) if done.verb == "update"]:
        assert done.before is not None
        stack.says("UPDATE_IN_PROGRESS", made=done.before)
        yield
        try:
            stack.may_fail(done.after.name, "roll back")
            wanted = Wanted(done.before.properties, done.after.properties)
            done.after.kind.update(done.after.id, wanted)
            stack.retag(done.after, done.before)
        except Failed as failed:
            stack.says("UPDATE_FAILED", str(failed), done.after)
            what = f"The following resource(s) failed to update: [{done.after.name}]. "
            stack.says("UPDATE_ROLLBACK_FAILED", what)
            return
        stack.resources[done.after.name] = done.before
        stack.says("UPDATE_COMPLETE", made=done.before)
        stack.to_take_back.remove(done)
    stack.says("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    yield
    for done in stack.to_take_back:
        if done.before:
            stack.resources[done.after.name] = done.before
    new = [done.after for done in stack.to_take_back]
    yield from remove(stack, new, "DeletionPolicy", goes_back=True)
    stack.says("UPDATE_ROLLBACK_COMPLETE")


def delete(stack: Stack, leave: Iterable[str] = ()) -> Iterator[None]:
    stack.says("DELETE_IN_PROGRESS", "User Initiated")
    for name in leave:
        stack.says("DELETE_SKIPPED", made=stack.resources.pop(name))
    stuck = yield from remove(stack, list(stack.resources.values()), "DeletionPolicy")
    if stuck:
        stack.says("DELETE_FAILED", not_deleted(stuck))
    else:
        stack.gone_at = stack.clock.stamp()
        stack.says("DELETE_COMPLETE")


def not_deleted(names: list[str]) -> str:
    return f"The following resource(s) failed to delete: [{', '.join(names)}]. "
