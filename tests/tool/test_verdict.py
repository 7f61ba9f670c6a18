"""The verdict on a deployment, by the responses of DescribeServices."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infra.tool import cli, deploy, deployment
from infra.tool.aws_errors import AwsError, Kind
from infra.tool.deployment import Verdict
from infra.tool.ecs_service import EcsService
from infra.tool.errors import ExitCode, ToolError
from infra.tool.revision import Revision

from tests.support.answers import (
    BEFORE,
    LATER,
    NEW,
    OURS,
    Json,
    arn,
    described,
    event,
    listed,
    service,
    started,
)
from tests.support.targets import bench

BREAKER = "ECS deployment circuit breaker: tasks failed to start."
ROLLS_BACK = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."
AGAIN = "ecs-svc/9"  # the id of one more deployment of a revision

# name of the row: (the service now, the verdict on our deployment)
TRUTH: dict[str, tuple[EcsService | None, Verdict]] = {
    "ours is the only one and has begun": (service(listed()), Verdict.IN_PROGRESS),
    "ours has begun beside the earlier one": (
        service(listed(), listed(BEFORE, "COMPLETED", status="ACTIVE", running=1)),
        Verdict.IN_PROGRESS,
    ),
    "ours is complete": (service(listed(NEW, "COMPLETED", running=1)), Verdict.STEADY),
    "ours is complete and the earlier one is still listed": (
        service(listed(NEW, "COMPLETED", running=1), listed(BEFORE, status="ACTIVE")),
        Verdict.STEADY,
    ),
    "ours failed and there is nothing to roll back to": (
        service(listed(NEW, "FAILED", reason=BREAKER)),
        Verdict.FAILED,
    ),
    "ours failed while ECS still rolls back the one before": (
        service(listed(NEW, "FAILED"), listed(BEFORE, status="ACTIVE")),
        Verdict.FAILED,
    ),
    "ECS says that it rolls back": (
        service(listed(BEFORE, reason=ROLLS_BACK), listed(NEW, "FAILED", status="ACTIVE")),
        Verdict.ROLLED_BACK,
    ),
    "ECS says that it rolls back, before ours is marked": (
        service(listed(BEFORE, reason=ROLLS_BACK), listed(status="ACTIVE")),
        Verdict.ROLLED_BACK,
    ),
    "ours failed and the earlier one is back, without a reason": (
        service(listed(BEFORE, "COMPLETED"), listed(NEW, "FAILED", status="ACTIVE")),
        Verdict.ROLLED_BACK,
    ),
    "ours is gone and the earlier one is back": (
        service(listed(BEFORE, "COMPLETED")),
        Verdict.ROLLED_BACK,
    ),
    "ours has not failed and the earlier one is back": (
        service(listed(BEFORE, id=AGAIN), listed(status="ACTIVE", running=1)),
        Verdict.OVERTAKEN,
    ),
    "another revision is deployed": (
        service(listed(LATER), listed(status="ACTIVE")),
        Verdict.OVERTAKEN,
    ),
    "another revision is complete and ours is gone": (
        service(listed(LATER, "COMPLETED")),
        Verdict.OVERTAKEN,
    ),
    "ours failed and a person deploys another revision": (
        service(listed(LATER), listed(NEW, "FAILED", status="ACTIVE")),
        Verdict.OVERTAKEN,
    ),
    "our revision is deployed again": (
        service(listed(NEW, "COMPLETED", id=AGAIN), listed(status="ACTIVE")),
        Verdict.OVERTAKEN,
    ),
    "ours was complete and another revision is deployed": (
        service(listed(LATER), listed(NEW, "COMPLETED", status="ACTIVE", running=1)),
        Verdict.OVERTAKEN_AFTER_STEADY,
    ),
    "ours was complete and a person goes back": (
        service(listed(BEFORE, id=AGAIN), listed(NEW, "COMPLETED", status="ACTIVE", running=1)),
        Verdict.OVERTAKEN_AFTER_STEADY,
    ),
    "no deployment is PRIMARY for a moment": (
        service(listed(status="ACTIVE")),
        Verdict.IN_PROGRESS,
    ),
    "ECS gives no state": (service(listed(NEW, "")), Verdict.IN_PROGRESS),
    "the service is being deleted": (service(listed(), status="DRAINING"), Verdict.DELETED),
    "the service is being deleted, and ours was complete": (
        service(listed(NEW, "COMPLETED", running=1), status="DRAINING"),
        Verdict.DELETED,
    ),
    "the service is gone": (None, Verdict.DELETED),
}


@pytest.mark.parametrize("row", TRUTH)
def test_the_verdict_is_that_of_the_truth_table(row: str) -> None:
    now, expected = TRUTH[row]
    assert deployment.verdict(started(BEFORE), now) is expected


def test_ecs_can_roll_back_to_the_other_deployments_that_are_listed() -> None:
    now = service(listed(), listed(BEFORE, "COMPLETED", status="ACTIVE"))
    assert deployment.started(now) == started(BEFORE)


def test_the_phase_names_what_the_deployment_waits_for() -> None:
    def phase(*deployments: Json) -> str:
        return deployment.phase(started(BEFORE), service(*deployments))

    earlier = listed(BEFORE, "COMPLETED", status="ACTIVE", running=2)
    assert phase(listed(desired=2, pending=1, failed=3)) == (
        "0 of 2 tasks running, 1 starting, 3 failed, waiting for tasks to start"
    )
    assert phase(listed(running=1)) == ("1 of 1 tasks running, waiting for them to become healthy")
    assert phase(listed(running=1), earlier) == (
        "1 of 1 tasks running, waiting for them to become healthy, then for 2 earlier to stop"
    )
    assert phase(listed(NEW, "COMPLETED", running=1)) == "1 of 1 tasks running, COMPLETED"
    assert phase(listed(LATER)) == "ECS does not list the deployment"


ON = {"alarms": {"alarmNames": ["a"], "enable": True, "rollback": True}}
GONE = listed(BEFORE, "COMPLETED", status="ACTIVE")
# name of the row: (the service now, whether ours bakes)
BAKING: dict[str, tuple[EcsService, bool]] = {
    "the new tasks serve alone": (
        service(listed(running=1), GONE, deploymentConfiguration=ON),
        True,
    ),
    "ECS lists no earlier one": (service(listed(running=1), deploymentConfiguration=ON), True),
    "no alarm may end it": (service(listed(running=1), GONE), False),
    "a task of it is missing": (
        service(listed(running=1, desired=2), GONE, deploymentConfiguration=ON),
        False,
    ),
    "a task of it starts": (
        service(listed(running=1, pending=1), GONE, deploymentConfiguration=ON),
        False,
    ),
    "it has no task": (service(listed(desired=0), GONE, deploymentConfiguration=ON), False),
    "an earlier task runs": (
        service(
            listed(running=1),
            listed(BEFORE, "COMPLETED", status="ACTIVE", running=1),
            deploymentConfiguration=ON,
        ),
        False,
    ),
    "it is complete": (
        service(listed(NEW, "COMPLETED", running=1), deploymentConfiguration=ON),
        False,
    ),
    "ECS rolls back": (
        service(
            listed(BEFORE, running=1),
            listed(NEW, "FAILED", status="ACTIVE"),
            deploymentConfiguration=ON,
        ),
        False,
    ),
    "ECS does not list it": (service(listed(LATER), deploymentConfiguration=ON), False),
}


@pytest.mark.parametrize("row", BAKING)
def test_a_deployment_bakes_once_its_tasks_serve_alone(row: str) -> None:
    now, expected = BAKING[row]
    assert deployment.is_baking(started(BEFORE), now) is expected
    assert ("baking" in deployment.phase(started(BEFORE), now)) is expected


def test_a_first_deployment_does_not_bake_because_no_end_of_earlier_tasks_shows_it() -> None:
    now = service(listed(running=1), deploymentConfiguration=ON)
    assert not deployment.is_baking(started(), now)


def test_events_from_before_the_deployment_do_not_count_and_the_oldest_comes_first() -> None:
    events = [event(1, "before", seconds=-1), event(2, "first"), event(3, "second", seconds=2)]
    found = deployment.events_since(started(), service(listed(), events=events))
    assert [each.message for each in found] == ["first", "second"]


# --- any sequence of responses ---

LOST = (Kind.LOST, Kind.UNREACHABLE, Kind.REFUSED, Kind.DENIED, Kind.SIGN_IN)
STATES = ("IN_PROGRESS", "COMPLETED", "FAILED")
REASONS = ("", BREAKER, ROLLS_BACK)
IDS = {OURS: NEW, "ecs-svc/1": BEFORE, "ecs-svc/3": LATER, AGAIN: NEW}


@st.composite
def services(draw: st.DrawFn) -> list[Json]:
    """The services of DescribeServices: at most one, with at most one PRIMARY deployment."""
    status = draw(st.sampled_from(["ACTIVE", "ACTIVE", "ACTIVE", "DRAINING", "INACTIVE", ""]))
    if not status:
        return []
    ids = draw(st.lists(st.sampled_from(sorted(IDS)), unique=True))
    primary = draw(st.sampled_from(["", *ids]))
    deployments = [
        listed(
            IDS[id],
            draw(st.sampled_from(STATES)),
            id=id,
            status="PRIMARY" if id == primary else "ACTIVE",
            running=draw(st.integers(0, 2)),
            reason=draw(st.sampled_from(REASONS)),
        )
        for id in ids
    ]
    return [described(*deployments, status=status)]


ANSWERS = st.one_of(services(), st.sampled_from(LOST))


class AnsweringEcs:
    """ECS with the responses of a test, of which the last is repeated; no task ever stops."""

    def __init__(self, answers: Sequence[list[Json] | Kind]) -> None:
        self.answers, self.looks = answers, 0

    @property
    def last(self) -> list[Json] | Kind:
        return self.answers[min(self.looks, len(self.answers)) - 1]

    def describe_services(self, **_: object) -> Json:
        self.looks += 1
        if isinstance(self.last, Kind):
            raise AwsError(self.last, "ecs:DescribeServices", "Code", "no answer")
        return {"services": self.last}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: object) -> Iterator[Json]:
        yield {"taskArns": []}


class AnsweringAws:
    def __init__(self, ecs: AnsweringEcs) -> None:
        self.ecs, self.changes = ecs, ["ecs:UpdateService"]


def exit_code(ecs: AnsweringEcs) -> int:
    """The exit code of a deploy that gets these responses and waits for 60 s at most."""
    target = bench(AnsweringAws(ecs), deploy={"timeout_seconds": "60"}).target
    revision = Revision(arn(NEW), "ACTIVE", "", "", {})
    try:
        deploy.watch_to_the_end(target, started(BEFORE), revision, "correct it")
    except ToolError as error:
        return cli.end(target, error)
    return ExitCode.DONE


@given(st.lists(ANSWERS, min_size=1, max_size=16))
def test_any_sequence_of_responses_ends_in_the_exit_code_that_it_proves(
    answers: list[list[Json] | Kind],
) -> None:
    ecs = AnsweringEcs(answers)
    code = exit_code(ecs)
    assert ecs.looks <= 60 / 5 + 3, "it looks every 5 s, for 60 s and three lost answers at most"
    seen = answers[: ecs.looks] + [answers[-1]] * (ecs.looks - len(answers))
    if code == ExitCode.UNKNOWN:
        lost = all(isinstance(answer, Kind) for answer in seen[-3:])
        assert ecs.looks >= 60 / 5 or (len(seen) >= 3 and lost)
        return
    assert code in {ExitCode.DONE, ExitCode.FAILED}
    assert not isinstance(seen[-1], Kind), "a lost answer proves nothing"
    active = [each for each in seen[-1] if each["status"] == "ACTIVE"]
    ours = [each for now in active for each in now["deployments"] if each["id"] == OURS]
    is_steady = [(each["status"], each["rolloutState"]) for each in ours] == [
        ("PRIMARY", "COMPLETED")
    ]
    assert is_steady == (code == ExitCode.DONE), "0 means our own deployment, and no other"


def test_a_deployment_that_is_not_listed_at_first_is_waited_for() -> None:
    stale = [described(listed(BEFORE, "COMPLETED", running=1))]
    done = [described(listed(NEW, "COMPLETED", running=1))]
    assert exit_code(AnsweringEcs([stale, stale, done])) == ExitCode.DONE


def test_lost_responses_do_not_count_as_responses_without_the_deployment() -> None:
    stale = [described(listed(BEFORE, "COMPLETED", running=1))]
    done = [described(listed(NEW, "COMPLETED", running=1))]
    answers: list[list[Json] | Kind] = [
        Kind.LOST,
        Kind.LOST,
        stale,
        stale,
        Kind.LOST,
        Kind.LOST,
        done,
    ]
    answers += [Kind.LOST, Kind.LOST, done]
    assert exit_code(AnsweringEcs(answers)) == ExitCode.DONE


def test_the_third_response_without_the_deployment_counts() -> None:
    ecs = AnsweringEcs([[described(listed(BEFORE, "COMPLETED", running=1))]])
    assert (exit_code(ecs), ecs.looks) == (ExitCode.FAILED, 3)


def test_after_the_deployment_was_listed_its_absence_counts_at_once() -> None:
    waiting, back = [described(listed())], [described(listed(BEFORE, "COMPLETED", running=1))]
    ecs = AnsweringEcs([waiting, back])
    assert (exit_code(ecs), ecs.looks) == (ExitCode.FAILED, 2)


def test_the_third_lost_response_in_a_row_ends_the_watch_and_one_response_resets_the_count() -> (
    None
):
    waiting = [described(listed())]
    ecs = AnsweringEcs([waiting, Kind.LOST, Kind.SIGN_IN, waiting, Kind.REFUSED])
    assert (exit_code(ecs), ecs.looks) == (ExitCode.UNKNOWN, 7)


def test_the_verdict_of_the_last_poll_takes_precedence_over_the_timeout() -> None:
    waiting, done = [described(listed())], [described(listed(NEW, "COMPLETED", running=1))]
    assert exit_code(AnsweringEcs([waiting] * 11 + [done])) == ExitCode.DONE
    ecs = AnsweringEcs([waiting] * 12 + [done])
    assert (exit_code(ecs), ecs.looks) == (ExitCode.UNKNOWN, 12)
