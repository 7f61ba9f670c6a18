"""The words in which failures are told: how the world is, what is run then, and what must hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from simulator.deployments import Outcome
from tests.story.service import Play, StoryService
from tests.story.world import Stage, World
from tests.support.process_checkout import Done
from tests.support.settings import Value, sections

Then = Callable[[StoryService, Done], object]


@dataclass(frozen=True)
class FailureCase:
    """One way to fail, or to be close to it."""

    name: str
    stage: Stage  # of the account
    so: Play  # how the world is
    run: Callable[[StoryService], Done]
    code: int
    says: tuple[str, ...]
    then: Then

    def holds(self, world: World) -> None:
        world.aside(self.stage, self.play)

    def play(self, service: StoryService) -> None:
        self.so(service)
        service.served = service.answers
        known: list[bool] = []  # at each look, whether ECS has given a rollout up
        look = "ecs:DescribeServices"
        service.aws.moments.whenever(look, lambda: known.append(service.is_given_up))
        done = self.run(service)
        done.ends(self.code, *self.says)
        if self.code == 2:
            done.changes_nothing()
        assert sum(known) <= 2, f"ECS was asked {sum(known)} times after it had given up"
        service.aws.moments.clear()
        self.then(service, done)


def parametrized(rows: tuple[FailureCase, ...]) -> list[object]:
    names = [row.name for row in rows]
    assert len(names) == len(set(names)), "two rows of one name"
    return [pytest.param(row, id=row.name, marks=pytest.mark.slow) for row in rows]


# --- what is run ---

deploy = StoryService.deploy
rollback = StoryService.rollback
provision = StoryService.provision
destroy = StoryService.destroy


# --- how the world is ---


def all_is_well(_: StoryService) -> None:
    pass


def release(service: StoryService) -> None:
    service.release()


def both(*plays: Play) -> Play:
    def so(service: StoryService) -> None:
        for play in plays:
            play(service)

    return so


def will(outcome: Outcome) -> Play:
    """What becomes of the rollout of a new release."""

    def so(service: StoryService) -> None:
        service.release()
        service.aws.next_rollout(outcome)

    return so


def sets(values: Mapping[str, Value]) -> Play:
    """Settings of the service, committed."""

    def so(service: StoryService) -> None:
        for name, value in values.items():
            service.set(name, value)
        service.commit("Set")

    return so


def edits(name: str, old: str, new: str) -> Play:
    def so(service: StoryService) -> None:
        service.edit(name, old, new)
        service.commit("Edit")

    return so


def moves_to(region: str, account: str = "123456789012") -> Play:
    """By the settings and the task definition."""
    registry = f"{account}.dkr.ecr.{region}.amazonaws.com"
    moved = sets(
        {"service.region": region, "service.account": account, "service.registry": registry}
    )
    task = "infra/task-definition.json"

    def so(service: StoryService) -> None:
        text = (service.service / task).read_text(encoding="utf-8")
        service.write(task, text.replace("us-east-1", region).replace("123456789012", account))
        service.commit("Move")

    return both(so, moved)


def lacks(tool: str) -> Play:
    return lambda service: service.lacks(tool)


def environment(**values: str) -> Play:
    """Of the shell that runs the script; what is empty is not set."""
    return lambda service: service.environment.update(values)


def by_hand(aws_service: str, operation: str, **parameters: object) -> Play:
    """Somebody changes something in AWS. {NAME} stands for a setting of the service."""

    def filled(value: object, service: StoryService) -> object:
        if isinstance(value, list):
            return [filled(item, service) for item in value]
        return value.format(**sections(service.settings)) if isinstance(value, str) else value

    def so(service: StoryService) -> None:
        given = {key: filled(value, service) for key, value in parameters.items()}
        getattr(service.aws.client(aws_service), operation)(**given)

    return so


def when(operation: str, action: Play, *, after: int = 0) -> Play:
    """At a moment of the run: the script waits for the answer to that call."""
    return lambda service: service.aws.moments.when(operation, lambda: action(service), after=after)


def another_clone(operation: str, play: Play, *, after: int = 0) -> Play:
    """At a moment of the run somebody else runs something, from start to end."""

    def so(service: StoryService) -> None:
        other = service.copy(service.folder / "other")
        service.aws.moments.when(operation, lambda: play(other), after=after)

    return so


def ctrl_c(operation: str, *, after: int = 0) -> Play:
    return when(operation, StoryService.press_ctrl_c, after=after)


# --- what must hold then ---


def nothing_more(_: StoryService, __: Done) -> None:
    """All that must hold was asserted already."""


def still_serves(service: StoryService, _: Done) -> None:
    assert service.served, "something must have served before"
    assert service.answers == service.served, "what served must go on serving"


def serves_the_release(service: StoryService, _: Done) -> None:
    assert service.answers == service.head


def nothing_serves(service: StoryService, _: Done) -> None:
    assert service.answers == ""


def holds(*thens: Then) -> Then:
    def then(service: StoryService, done: Done) -> None:
        for each in thens:
            each(service, done)

    return then


def is_at(revision: int) -> Then:
    def then(service: StoryService, _: Done) -> None:
        assert service.revision == f"{service.settings.names.family}:{revision}"

    return then


def asked(*names: str) -> Then:
    def then(_: StoryService, done: Done) -> None:
        missing = [name for name in names if name not in done.asked]
        assert missing == [], f"this should ask for {missing}:\n{done.text}"

    return then


def never_says(*words: str) -> Then:
    def then(_: StoryService, done: Done) -> None:
        found = [each for each in words if each in done.text]
        assert found == [], f"this may not say {found}:\n{done.text}"

    return then


def never_asked(*names: str) -> Then:
    def then(_: StoryService, done: Done) -> None:
        found = [name for name in done.asked if name in names]
        assert found == [], f"this may not ask for {found}:\n{done.text}"

    return then


def again(run: Callable[[StoryService], Done], code: int = 0, *says: str, then: Then) -> Then:
    """Once the trouble is over, the same or another script goes on from there."""

    def once_more(service: StoryService, _: Done) -> None:
        service.aws.faults.clear()
        service.environment.clear()
        done = run(service)
        done.ends(code, *says)
        then(service, done)

    return once_more
