"""The output of a deploy while it watches, and its report of each failure."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from infra.tool import deploy, outcome, progress, stopped_tasks, watch
from infra.tool.aws_errors import AwsError
from infra.tool.deployment import Verdict
from infra.tool.errors import ToolError
from infra.tool.progress import PlainProgress, View
from infra.tool.revision import Revision
from infra.tool.stopped_tasks import StoppedTask, TaskWatcher, as_stopped_task

from simulator.ecs.deployments import Outcome
from simulator.ecs.rollouts import (
    CannotPull,
    Crashes,
    Flaps,
    Hangs,
    OutOfCapacity,
    Overtaken,
    Serves,
    Unhealthy,
    UnhealthyTarget,
)
from simulator.faults import THROTTLED
from tests.support.answers import (
    BEFORE,
    BEGIN,
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
from tests.support.checkout import SUBJECT, Checkout
from tests.support.targets import Bench, bench, settings, stubbed

NAMES = settings().names
SCALING = "application-autoscaling:"


# --- each kind of failure, in the simulated AWS ---


def test_a_crashing_release_is_rolled_back_and_reported(deployed: Checkout) -> None:
    served = deployed.commit_served
    deployed.release()
    deployed.aws.next_rollout(Crashes(exit_code=3, says=("Traceback", "ValueError: no model")))
    run = deployed.run("deploy").expect(1, "deployment-rolled-back")
    assert "ECS rolled back to ai-assistant-task:1" in run.err
    assert "tasks failed to start" in run.err
    live, _, report = run.out.partition("Last events of the service:")
    assert "EssentialContainerExited: Essential container in task exited" in live
    assert "exit code 3" in live
    events, _, rest = report.partition("Stopped tasks of ai-assistant-task:2:")
    assert "rolling back to deployment" in events
    tasks, _, log = rest.partition("Last lines of the log of")
    assert tasks.count("exit code 3") == 3, "the circuit breaker counts to 3"
    assert log.splitlines()[1:] == ["  Traceback", "  ValueError: no model"]
    assert not [name for name in run.operations if name.startswith(SCALING + "Put")]
    assert deployed.revision == "ai-assistant-task:1"
    assert deployed.commit_served == served != ""


def test_a_first_release_that_crashes_has_nothing_to_roll_back_to(provisioned: Checkout) -> None:
    provisioned.release()
    provisioned.aws.next_rollout(Crashes())
    run = provisioned.run("deploy").expect(1, "deployment-failed")
    assert "rolled back" not in run.err
    assert provisioned.commit_served == ""
    provisioned.run("deploy").expect(0)
    assert provisioned.commit_served == provisioned.head


def test_a_release_that_crashes_while_ecs_rolls_back_the_one_before(deployed: Checkout) -> None:
    """At that moment no deployment is in steady state, so ECS has nothing to roll back to."""
    served = deployed.commit_served
    for error in "deployment-rolled-back", "deployment-failed":
        deployed.release()
        deployed.aws.next_rollout(Crashes())
        deployed.run("deploy").expect(1, error)
    assert (deployed.revision, deployed.commit_served) == ("ai-assistant-task:3", served)
    deployed.run("deploy").expect(0)
    assert deployed.commit_served == deployed.head


def test_a_crashing_release_stays_if_the_document_asks_for_no_rollback(deployed: Checkout) -> None:
    served = deployed.commit_served
    document = deployed.document("infra/service.json")
    document["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"] = False
    deployed.change("infra/service.json", document)
    deployed.release()
    deployed.aws.next_rollout(Crashes())
    deployed.run("deploy").expect(1, "deployment-failed")
    assert (deployed.revision, deployed.commit_served) == ("ai-assistant-task:2", served)
    deployed.run("deploy").expect(0)
    assert deployed.commit_served == deployed.head


@pytest.mark.parametrize(
    "becomes",
    [Crashes(), Unhealthy(), UnhealthyTarget(), CannotPull()],
    ids=["crashes", "unhealthy", "unhealthy target", "cannot pull"],
)
def test_a_deploy_ends_at_most_two_polls_after_ecs_has_given_up(
    deployed: Checkout, becomes: Outcome
) -> None:
    deployed.release()
    deployed.aws.next_rollout(becomes)
    looks = looks_at_failure(deployed)
    deployed.run("deploy").expect(1, "deployment-rolled-back")
    assert 1 <= sum(looks) <= 2


def test_a_first_deploy_ends_at_most_two_polls_after_ecs_has_given_up(
    provisioned: Checkout,
) -> None:
    provisioned.release()
    provisioned.aws.next_rollout(Crashes())
    looks = looks_at_failure(provisioned)
    provisioned.run("deploy").expect(1, "deployment-failed")
    assert 1 <= sum(looks) <= 2


def test_a_rollback_ends_at_most_two_polls_after_ecs_has_given_up(deployed_twice: Checkout) -> None:
    deployed_twice.aws.next_rollout(Crashes())
    looks = looks_at_failure(deployed_twice)
    deployed_twice.run("rollback").expect(1, "deployment-rolled-back")
    assert 1 <= sum(looks) <= 2


def looks_at_failure(checkout: Checkout) -> list[bool]:
    """For each poll of the service from now on, whether ECS had given up by then."""
    looks: list[bool] = []
    checkout.aws.moments.whenever("ecs:DescribeServices", lambda: looks.append(checkout.has_failed))
    return looks


@pytest.mark.parametrize(
    ("becomes", "event", "task_shows"),
    [
        (CannotPull(), "was unable to place a task", "CannotPullContainerError"),
        (Unhealthy(), "failed container health checks", "exit code 137, unhealthy"),
        (UnhealthyTarget(), "failed with these codes: [404]", "Task failed ELB health checks"),
    ],
    ids=["cannot pull", "unhealthy", "unhealthy target"],
)
def test_the_reason_of_a_failed_release_is_shown(
    deployed: Checkout, becomes: Outcome, event: str, task_shows: str
) -> None:
    served = deployed.commit_served
    deployed.release()
    deployed.aws.next_rollout(becomes)
    run = deployed.run("deploy").expect(1, "deployment-rolled-back")
    events, _, tasks = run.out.partition("Last events of")[2].partition("Stopped tasks of")
    assert event in events
    assert task_shows in tasks
    assert deployed.commit_served == served != ""


def test_the_log_of_a_task_that_ecs_stops_as_unhealthy_is_shown(deployed: Checkout) -> None:
    deployed.release()
    deployed.aws.next_rollout(Unhealthy(says=("GET /health 500",)))
    run = deployed.run("deploy").expect(1, "deployment-rolled-back")
    assert run.out.splitlines()[-1] == "  GET /health 500"


def test_a_task_without_its_log_group_does_not_start(deployed: Checkout) -> None:
    served = deployed.commit_served
    deployed.release()
    group = deployed.settings.names.log_group
    deployed.aws.client("logs").delete_log_group(logGroupName=group)
    run = deployed.run("deploy").expect(1, "deployment-rolled-back")
    run.expect_text("ResourceInitializationError", "The specified log group does not exist")
    assert deployed.commit_served == served != ""


def test_tasks_without_an_execution_role_end_in_a_timeout(deployed: Checkout) -> None:
    served = deployed.commit_served
    deployed.set("deploy.timeout_seconds", 30)
    deployed.release()
    iam, role = deployed.aws.client("iam"), deployed.settings.names.execution_role
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    iam.delete_role(RoleName=role)
    run = deployed.run("deploy").expect(3, "deployment-timeout")
    run.expect_text("ECS was unable to assume the role")
    assert deployed.commit_served == served != ""


def test_a_secret_that_the_stack_does_not_grant_yet_is_granted_by_provision(
    deployed: Checkout,
) -> None:
    served = deployed.commit_served
    made = deployed.aws.client("secretsmanager").create_secret(Name="key", SecretString="s")
    deployed.set("github.subject", SUBJECT)  # so GitHub is not asked
    task = deployed.document("infra/task-definition.json")
    task["containerDefinitions"][0]["secrets"] = [{"name": "KEY", "valueFrom": made["ARN"]}]
    deployed.change("infra/task-definition.json", task)
    deployed.push_image()
    run = deployed.run("deploy").expect(1, "deployment-rolled-back")
    run.expect_text(
        "ResourceInitializationError: unable to pull secrets",
        "is not authorized to perform: secretsmanager:GetSecretValue",
    )
    assert deployed.commit_served == served != ""
    deployed.administer("provision").expect(0).expect_text("1 to add")
    deployed.run("deploy").expect(0)
    assert deployed.commit_served == deployed.head


@pytest.mark.parametrize(
    "becomes", [Hangs(), OutOfCapacity(), Flaps()], ids=["hangs", "no capacity", "flaps"]
)
def test_a_deployment_that_never_ends_in_ecs_ends_as_unknown(
    deployed: Checkout, becomes: Outcome
) -> None:
    served = deployed.commit_served
    deployed.set("deploy.timeout_seconds", 60)
    deployed.release()
    deployed.aws.next_rollout(becomes)
    run = deployed.run("deploy").expect(3, "deployment-timeout")
    assert "is not in steady state after 60 s" in run.err
    assert "run this again: uv run --frozen -m infra deploy" in run.err
    assert "The deployment of ai-assistant-task:2 continues in ECS." in run.err
    assert deployed.commit_served == served != ""
    assert run.operations.count("ecs:DescribeServices") == 1 + 60 / 5
    assert run.changes == ["ecs:RegisterTaskDefinition", "ecs:UpdateService"]


def test_tasks_that_crash_once_they_are_healthy_are_named_while_it_waits(
    deployed: Checkout,
) -> None:
    """The circuit breaker of ECS does not count them, so the deployment never ends."""
    deployed.set("deploy.timeout_seconds", 40)
    deployed.release()
    deployed.aws.next_rollout(Flaps())
    run = deployed.run("deploy").expect(3, "deployment-timeout")
    run.expect_text("EssentialContainerExited", "exit code 1")


def test_a_shortage_of_capacity_is_named_while_the_deployment_waits(deployed: Checkout) -> None:
    deployed.set("deploy.timeout_seconds", 20)
    deployed.release()
    deployed.aws.next_rollout(OutOfCapacity())
    assert "Capacity is unavailable" in deployed.run("deploy").expect(3, "deployment-timeout").out


def test_the_next_run_continues_to_watch_a_deployment_that_took_too_long(
    deployed: Checkout,
) -> None:
    deployed.set("deploy.timeout_seconds", 5)
    deployed.release()
    deployed.run("deploy").expect(3, "deployment-timeout")
    deployed.run("deploy").expect(3, "deployment-timeout")
    deployed.run("deploy").expect(0)
    assert deployed.revisions == ["ai-assistant-task:1", "ai-assistant-task:2"]


def test_a_deployment_that_is_overtaken_fails_and_sets_no_scaling(deployed: Checkout) -> None:
    deployed.release()
    deployed.aws.next_rollout(Overtaken())
    run = deployed.run("deploy").expect(1, "deployment-overtaken")
    assert "a later deployment of ai-assistant-task:3 replaced" in run.err
    assert deployed.revision == "ai-assistant-task:3"
    assert "run this again: uv run --frozen -m infra deploy" in run.err
    assert not [name for name in run.changes if name.startswith(SCALING)]


def test_a_service_that_is_deleted_meanwhile_is_an_error(deployed: Checkout) -> None:
    names, ecs = deployed.settings.names, deployed.aws.client("ecs")
    deployed.release()
    deployed.aws.moments.when(
        "ecs:UpdateService",
        lambda: ecs.delete_service(cluster=names.cluster, service=names.service, force=True),
    )
    deployed.run("deploy").expect(1, "service-deleted")


def test_a_token_that_expires_during_the_watch_makes_the_outcome_unknown(
    deployed: Checkout,
) -> None:
    served = deployed.commit_served
    deployed.release()
    deployed.aws.moments.when("ecs:UpdateService", deployed.aws.faults.expire_tokens)
    run = deployed.run("deploy").expect(3, "deployment-unanswered")
    assert run.err.count("no answer") == 2, "the third failed call in a row ends it"
    assert "The deployment of ai-assistant-task:2 continues in ECS." in run.err
    assert run.operations[-3:] == ["ecs:DescribeServices"] * 3
    deployed.aws.faults.clear()
    assert deployed.commit_served == served != ""
    deployed.run("deploy").expect(0)
    assert deployed.commit_served == deployed.head


def test_lasting_throttling_during_the_watch_makes_the_outcome_unknown(deployed: Checkout) -> None:
    served = deployed.commit_served
    deployed.release()
    deployed.aws.moments.when(
        "ecs:UpdateService",
        lambda: deployed.aws.faults.refuse_for_ever("ecs:DescribeServices", THROTTLED),
    )
    run = deployed.run("deploy").expect(3, "deployment-unanswered")
    assert "The deployment of ai-assistant-task:2 continues in ECS." in run.err
    deployed.aws.faults.clear()
    assert deployed.commit_served == served != ""
    deployed.run("deploy").expect(0)
    assert deployed.commit_served == deployed.head


def test_stopped_tasks_that_cannot_be_read_do_not_change_the_verdict(deployed: Checkout) -> None:
    deployed.release()
    deployed.aws.next_rollout(Crashes())
    deployed.aws.faults.refuse_for_ever("ecs:ListTasks", "AccessDeniedException", "no")
    run = deployed.run("deploy").expect(1, "deployment-rolled-back")
    assert run.err.count("the stopped tasks cannot be read") == 1, "once is enough"
    assert "Stopped tasks of ai-assistant-task:2:\n  none" in run.out


@pytest.mark.parametrize(
    ("code", "shows"),
    [("AccessDeniedException", "cannot be read"), ("ResourceNotFoundException", "none")],
)
def test_a_log_that_cannot_be_read_does_not_change_the_verdict(
    deployed: Checkout, code: str, shows: str
) -> None:
    deployed.release()
    deployed.aws.next_rollout(Crashes())
    deployed.aws.faults.refuse_for_ever("logs:GetLogEvents", code, "no")
    run = deployed.run("deploy").expect(1, "deployment-rolled-back")
    assert run.out.splitlines()[-1].startswith(f"  {shows}")


def test_a_watch_without_pauses_ends_too(deployed: Checkout) -> None:
    deployed.set("deploy.poll_seconds", 0)
    deployed.release()
    deployed.run("deploy").expect(0)


def test_the_service_looks_complete_to_aws_ecs_wait_after_a_rollback(deployed: Checkout) -> None:
    """The reason why the tool does not wait with `aws ecs wait services-stable`."""
    deployed.release()
    deployed.aws.next_rollout(Crashes(), Serves())
    deployed.run("deploy").expect(1, "deployment-rolled-back")
    ecs, names = deployed.aws.client("ecs"), deployed.settings.names
    waiter = ecs.get_waiter("services_stable")
    waiter.config.delay = 0
    waiter.wait(cluster=names.cluster, services=[names.service])


# --- stopped tasks, by responses of the test ---


def task(
    number: int, *, status: str = "STOPPED", by: str = OURS, seconds: int = 0, **container: Any
) -> Json:
    name = f"arn:aws:ecs:us-east-1:123456789012:task/ai-assistant-cluster/{number:032}"
    found: Json = {
        "taskArn": name,
        "startedBy": by,
        "lastStatus": status,
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": NAMES.container} | container],
    }
    if status == "STOPPED":
        found["stoppedAt"] = BEGIN + timedelta(seconds=seconds)
    return found


@contextmanager
def watching(*answers: list[Json]) -> Iterator[TaskWatcher]:
    """A watcher of our tasks that gets these responses, one after the other."""
    aws, stubber = stubbed("ecs")
    known: set[str] = set()
    for tasks in answers:
        stubber.add_response("list_tasks", {"taskArns": [each["taskArn"] for each in tasks]})
        asked = [each for each in tasks if each["taskArn"] not in known]
        for start in range(0, len(asked), 100):
            some = asked[start : start + 100]
            arns = [each["taskArn"] for each in some]
            request = {"cluster": NAMES.cluster, "tasks": arns}
            stubber.add_response("describe_tasks", {"tasks": some}, request)
        known |= {each["taskArn"] for each in asked if is_settled(each)}
    yield TaskWatcher(aws, NAMES, OURS)
    stubber.assert_no_pending_responses()


def is_settled(found: Json) -> bool:
    return found["startedBy"] != OURS or found["lastStatus"] in {"DEPROVISIONING", "STOPPED"}


def ids(found: Any) -> list[int]:
    return [int(each.id) for each in found]


def test_more_tasks_than_one_call_takes_are_asked_for_in_several() -> None:
    with watching([task(number, seconds=number) for number in range(1, 231)]) as watcher:
        assert ids(watcher.news()) == list(range(1, 231))


def test_all_pages_of_tasks_are_read() -> None:
    aws, stubber = stubbed("ecs")
    for number, token in ((1, {"nextToken": "more"}), (2, {})):
        stubber.add_response("list_tasks", {"taskArns": [task(number)["taskArn"]], **token})
    stubber.add_response("describe_tasks", {"tasks": [task(1), task(2)]})
    assert ids(TaskWatcher(aws, NAMES, OURS).news()) == [1, 2]


def test_a_task_is_reported_once_and_tasks_of_other_deployments_are_described_once() -> None:
    ours, other = task(1, exitCode=1), task(2, by="ecs-svc/7")
    with watching([ours, other], [ours, other], [ours, other]) as watcher:
        assert [ids(watcher.news()) for _ in range(3)] == [[1], [], []]
        assert ids(watcher.found) == [1]


def test_a_task_that_is_stopping_is_reported_once_its_exit_code_is_known() -> None:
    stopping, stopped = task(1, status="STOPPING"), task(1, status="DEPROVISIONING", exitCode=3)
    with watching([stopping], [stopped]) as watcher:
        assert ids(watcher.news()) == []
        [found] = watcher.news()
        assert found.reason.endswith(f"{NAMES.container}: exit code 3")


def test_at_a_failure_a_task_that_is_stopping_counts() -> None:
    with watching([task(1, status="STOPPING")]) as watcher:
        assert ids(watcher.news(at_the_end=True)) == [1]


def test_tasks_come_in_the_order_in_which_they_stopped() -> None:
    with watching([task(1, seconds=9), task(2, seconds=3)]) as watcher:
        assert ids(watcher.news()) == [2, 1]


def test_a_failure_half_way_loses_no_task() -> None:
    aws, stubber = stubbed("ecs")
    many = [task(number, seconds=number) for number in range(101)]
    arns = {"taskArns": [each["taskArn"] for each in many]}
    stubber.add_response("list_tasks", arns)
    stubber.add_response("describe_tasks", {"tasks": many[:100]})
    stubber.add_client_error("describe_tasks", "ThrottlingException", http_status_code=400)
    stubber.add_response("list_tasks", arns)
    stubber.add_response("describe_tasks", {"tasks": many[:100]})
    stubber.add_response("describe_tasks", {"tasks": many[100:]})
    watcher = TaskWatcher(aws, NAMES, OURS)
    with pytest.raises(AwsError):
        watcher.news()
    assert len(watcher.news()) == 101


@pytest.mark.parametrize(
    ("container", "text"),
    [
        ({"exitCode": 0}, "exit code 0"),
        ({"exitCode": 137, "healthStatus": "UNHEALTHY"}, "exit code 137, unhealthy"),
        (
            {"reason": "OutOfMemoryError: killed", "exitCode": 137},
            "exit code 137, OutOfMemoryError: killed",
        ),
        ({"reason": "CannotPull"}, "CannotPull"),
        ({}, "no exit code"),
    ],
)
def test_the_end_of_a_container_is_in_the_text_of_its_task(container: Json, text: str) -> None:
    found = as_stopped_task(task(1, **container), NAMES.container)  # type: ignore[arg-type]
    assert found.reason == (
        f"EssentialContainerExited: Essential container in task exited; {NAMES.container}: {text}"
    )


def test_the_log_of_a_task_exists_only_if_its_own_container_has_run() -> None:
    def stream(number: int, **container: Any) -> str:
        found: Any = task(number, **container)
        return as_stopped_task(found, NAMES.container).log_stream_suffix

    assert stream(1, exitCode=0) == f"{NAMES.container}/{1:032}"
    assert stream(1, reason="CannotPullContainerError") == "", "it never ran"
    assert stream(1, name="sidecar", exitCode=1) == ""


def test_the_text_of_a_task_is_one_harmless_line() -> None:
    hostile = task(1, reason="::error::x\r\n##[group]y \x1b[2J\u202e")
    found = as_stopped_task(hostile, NAMES.container)  # type: ignore[arg-type]
    assert "::error::x # #[group]y [2J" in found.reason
    assert found.reason.isprintable()


# --- the report ---


def stopped(number: int, *, seconds: int, ran: bool = True) -> StoppedTask:
    suffix = f"{NAMES.container}/{number}" if ran else ""
    return StoppedTask(str(number), BEGIN + timedelta(seconds=seconds), "exited", suffix)


def revision_with(log: Json) -> Revision:
    container = {"name": NAMES.container, "logConfiguration": log}
    return Revision(arn(NEW), "ACTIVE", "", "", {"containerDefinitions": [container]})


AWSLOGS = {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-stream-prefix": "p"}}


def reported(
    verdict: Verdict, *tasks: StoppedTask, log: Json, aws: Any = None, **now: Any
) -> tuple[ToolError, list[str]]:
    """The error of a failed deployment, and the lines of its report."""
    tried = bench(aws)
    back = service(listed(BEFORE, "COMPLETED"), listed(NEW, "FAILED", status="ACTIVE"), **now)
    ended = watch.Outcome(verdict, back, tasks)
    with pytest.raises(ToolError) as error:
        outcome.require_steady(
            tried.target, started(BEFORE), ended, revision_with(log), deploy.REMEDY
        )
    assert tried.out.splitlines() == list(tried.target.report)
    return error.value, list(tried.target.report)


def test_the_report_has_the_last_ten_events_and_the_tasks_in_the_order_of_their_end() -> None:
    events = [event(number, f"event {number}", seconds=number) for number in range(1, 13)]
    _, lines = reported(
        Verdict.ROLLED_BACK, stopped(2, seconds=9), stopped(1, seconds=3), log={}, events=events
    )
    assert lines == [
        "Last events of the service:",
        *(f"  event {number}" for number in range(3, 13)),
        "Stopped tasks of ai-assistant-task:42:",
        "  1 exited",
        "  2 exited",
    ]


def test_the_log_is_that_of_the_last_task_whose_container_ran() -> None:
    """The prefix of the stream comes from the revision itself, which may be an old one."""
    aws, stubber = stubbed("logs")
    request = {"logGroupName": "g", "logStreamName": f"p/{NAMES.container}/2", "limit": 20}
    stubber.add_response("get_log_events", {"events": [{"message": "the\tend\n"}]}, request)
    tasks = stopped(2, seconds=9), stopped(1, seconds=3), stopped(3, seconds=12, ran=False)
    _, lines = reported(Verdict.FAILED, *tasks, log=AWSLOGS, aws=aws)
    assert lines[-2:] == ["Last lines of the log of 2:", "  the end"]


def test_an_empty_log_is_reported_as_none() -> None:
    aws, stubber = stubbed("logs")
    stubber.add_response("get_log_events", {"events": []})
    _, lines = reported(Verdict.FAILED, stopped(1, seconds=1), log=AWSLOGS, aws=aws)
    assert lines[-1] == "  none"


@pytest.mark.parametrize(
    ("log", "ran"), [({"logDriver": "awsfirelens"}, True), ({}, True), (AWSLOGS, False)]
)
def test_without_a_log_to_read_the_report_has_no_log_section(log: Json, ran: bool) -> None:
    _, lines = reported(Verdict.FAILED, stopped(1, seconds=1, ran=ran), log=log)
    assert lines[-1] == "  1 exited"


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.FAILED, "deployment-failed"),
        (Verdict.ROLLED_BACK, "deployment-rolled-back"),
        (Verdict.OVERTAKEN, "deployment-overtaken"),
        (Verdict.OVERTAKEN_AFTER_STEADY, "deployment-overtaken-later"),
        (Verdict.DELETED, "service-deleted"),
    ],
)
def test_every_failure_has_its_own_error_and_exit_code_1(verdict: Verdict, code: str) -> None:
    error, _ = reported(verdict, log={})
    assert (error.code, error.exit) == (code, 1)
    assert error.remedy


# --- progress ---


def looks(seconds: int, *views: tuple[int, str]) -> Bench:
    """The plain progress of polls at (second, phase), of which the last lasts until `seconds`."""
    tried = bench()
    shown = PlainProgress(tried.target.runtime.console)
    phases = dict(views)
    phase = ""
    for second in range(5, seconds + 1, 5):
        phase = phases.get(second, phase)
        shown.show(View("t", second, phase))
    return tried


def test_a_line_is_printed_at_a_change_and_at_least_every_30_seconds() -> None:
    tried = looks(100, (5, "starting"), (50, "running"))
    assert tried.out.splitlines() == [
        "  5 s: starting",
        "  35 s: starting",
        "  50 s: running",
        "  80 s: running",
    ]


def test_each_event_is_shown_once() -> None:
    class EcsWithEvents:
        def __init__(self) -> None:
            first = listed(pending=1)
            events = [event(1, "began"), event(2, "started")]
            self.answers = [
                described(first, events=events[:1]),
                described(first, events=events),
                described(listed(NEW, "COMPLETED", running=1), events=events),
            ]

        def describe_services(self, **_: object) -> Json:
            return {"services": [self.answers.pop(0)]}

        def get_paginator(self, _: str) -> Any:
            return self

        def paginate(self, **_: object) -> list[Json]:
            return [{"taskArns": []}]

    tried = bench(SimpleNamespace(ecs=EcsWithEvents()))
    watch.watch(tried.target, started(BEFORE))
    assert tried.out.splitlines() == [
        "  event    began",
        "  5 s: 0 of 1 tasks running, 1 starting, waiting for tasks to start",
        "  event    started",
        "  10 s: 0 of 1 tasks running, 1 starting, waiting for tasks to start",
        "  15 s: 1 of 1 tasks running, COMPLETED",
    ]


def test_a_task_that_is_stopping_is_reported_at_a_failure() -> None:
    """The report has no exit code, because no call is made after the end."""

    class EcsWithStoppingTask:
        def describe_services(self, **_: object) -> Json:
            back = listed(BEFORE, "COMPLETED")
            return {"services": [described(back, listed(NEW, "FAILED", status="ACTIVE"))]}

        def get_paginator(self, _: str) -> Any:
            return self

        def paginate(self, **_: object) -> list[Json]:
            return [{"taskArns": [task(1)["taskArn"]]}]

        def describe_tasks(self, **_: object) -> Json:
            return {"tasks": [task(1, status="STOPPING")]}

    ended = watch.watch(bench(SimpleNamespace(ecs=EcsWithStoppingTask())).target, started(BEFORE))
    assert ids(ended.stopped) == [1]


def test_the_documented_intervals_have_not_changed() -> None:
    assert (progress.HEARTBEAT, watch.BELIEVED, stopped_tasks.MOST_AT_ONCE) == (30, 3, 100)
    assert settings().deploy.poll_seconds == 5
    assert settings().deploy.timeout_seconds == 1500
