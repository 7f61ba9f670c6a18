"""Deletion of resources, each before those that it refers to."""

from collections.abc import Generator
from graphlib import TopologicalSorter

from simulator.cloudformation.resources.kind import Failed
from simulator.cloudformation.stack import Made, Stack, Steps

IN_USE = "DependencyViolation"


def remove(
    stack: Stack, those: list[Made], policy: str, *, goes_back: bool = False, attempts: int = 1
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
                stack.says("DELETE_SKIPPED", made=made)
                stack.forget(made)
                sorter.done(made.name)
            else:
                stack.says("DELETE_IN_PROGRESS", made=made)
                going.append(made)
        if going:
            yield
        for made in going:
            why = yield from take_away(stack, made, attempts)
            if why:
                failed.append(made.name)
                stack.says("DELETE_FAILED", why, made)
            else:
                stack.says("DELETE_COMPLETE", made=made)
                stack.forget(made)
                sorter.done(made.name)
    return failed


def take_away(stack: Stack, made: Made, attempts: int) -> Generator[None, None, str]:
    """Why a resource could not be deleted; empty if it is. If it is in use, it is retried."""
    for left in reversed(range(attempts)):
        try:
            stack.may_fail(made.name, "delete")
            made.kind.remove(made.id, made.properties)
            return ""
        except Failed as failed:
            why = str(failed)
        if not left or IN_USE not in why:
            break
        yield
    return why
