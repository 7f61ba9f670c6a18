"""`status` says on one screen what runs, whether that is healthy, and what to do next."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from infra.tool import health, settings_file
from infra.tool.console import Console
from infra.tool.ecs_service import Deployment, EcsService, Event
from infra.tool.health import Health, Response
from infra.tool.log import Line
from infra.tool.scaling import Bounds
from infra.tool.settings import Deploy, Settings
from infra.tool.stack import Stack
from infra.tool.status import AlarmStates, Revision, Status, next_step, problems
from infra.tool.status_report import StatusReport, facts, print_status, report_of

from tests.support.checkout import Checkout, Run
from tests.support.rendering import ROOT, Render
from tests.support.terminal import TerminalOutput

SCHEMA = ROOT / "docs" / "reference" / "status.schema.json"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
URL = "http://ai-assistant-alb-1.us-east-1.elb.amazonaws.com"
COMMIT, OTHER = "c0ffee" * 6 + "c0ff", "feed00d1" * 5
BALANCER = "app/ai-assistant-alb/50dc6c495c0c9188"

ONE_LOOK = [
    "sts:GetCallerIdentity",
    "cloudformation:DescribeStacks",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecr:DescribeImageScanFindings",
    "application-autoscaling:DescribeScalableTargets",
    "cloudwatch:DescribeAlarms",
    "logs:FilterLogEvents",
]


def report(service: Checkout, exit_code: int = 0) -> StatusReport:
    """The report that `status --json` prints."""
    run = service.run("status", "--json").expect(exit_code, "not-healthy" if exit_code else "")
    return StatusReport.model_validate_json(run.out)


def told(run: Run) -> dict[str, str]:
    """The facts of the screen, by their names."""
    lines = [line for line in run.out.splitlines() if line[:1].strip() and len(line) > 12]
    return {line[:12].strip(): line[12:].strip() for line in lines}


# --- a healthy service ---


def test_a_healthy_service_is_shown_with_only_the_calls_that_are_needed(deployed: Checkout) -> None:
    run = deployed.run("status").expect(0).expect_no_change()
    assert run.operations == [*ONE_LOOK, "logs:FilterLogEvents"]
    assert run.err == ""
    facts = told(run)
    digest = facts.pop("image").partition("@")[2]
    assert digest.startswith("sha256:")
    assert facts.pop("url").startswith(f"{URL}: 200 in ")
    assert facts == {
        "service": "ai-assistant in us-east-1, account 123456789012",
        "revision": f"ai-assistant-task:1, commit {deployed.head}",
        "tasks": "1 of 1 running; scaling 1 to 4",
        "scan": "no findings",
        "deployment": "COMPLETED, started 15 s ago",
        "alarms": "none of 5 in ALARM",
        "no log lines": "in the last 15 minutes",
        "next": "nothing: the service is healthy",
    }
    assert len(run.out.splitlines()) <= 24, "it fits one screen"


def test_the_json_report_has_the_same_facts(deployed: Checkout) -> None:
    found = report(deployed)
    assert found.healthy
    assert found.problems == []
    assert (found.name, found.account, found.region) == (
        "ai-assistant",
        "123456789012",
        "us-east-1",
    )
    assert found.stack == "CREATE_COMPLETE"
    assert found.url
    assert (found.url.address, found.url.status, found.url.commit) == (URL, 200, deployed.head)
    assert found.revision
    assert (found.revision.name, found.revision.commit) == ("ai-assistant-task:1", deployed.head)
    assert found.tasks
    assert found.tasks.model_dump() == {
        "desired": 1,
        "running": 1,
        "pending": 0,
        "min": 1,
        "max": 4,
    }
    assert found.deployment
    assert found.deployment.state == "COMPLETED"
    assert found.alarms
    assert (found.alarms.total, found.alarms.in_alarm) == (5, [])
    assert [each.text.rpartition(") ")[2] for each in found.events][-1] == (
        "has reached a steady state."
    )
    assert (found.log, found.unreadable) == ([], {})


def test_times_are_printed_in_utc_in_any_time_zone(
    deployed: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.write_log("hello", seconds_ago=30)
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()  # of the fork that this test runs in
    found = json.loads(deployed.run("status", "--json").expect(0).out)
    told = [each["time"] for each in (*found["events"], *found["log"])]
    assert [text for text in (found["deployment"]["started"], *told) if text[-1] != "Z"] == []


@pytest.mark.parametrize("command", ["status", "logs"])
def test_neither_git_nor_docker_is_needed(deployed: Checkout, command: str) -> None:
    deployed.environment["PATH"] = ""
    deployed.run(command).expect(0)


# --- a service that is not healthy, or does not exist ---


def test_without_a_stack_the_error_says_to_provision(rendered: Checkout) -> None:
    run = rendered.run("status", principal="root").expect(1, "not-healthy")
    assert run.operations == ONE_LOOK[:2], "there is nothing more to ask for"
    assert "the stack ai-assistant does not exist" in run.err
    assert "uv run --frozen -m infra provision" in run.err


def test_without_a_service_the_next_step_is_to_deploy(provisioned: Checkout) -> None:
    run = provisioned.run("status").expect(1, "not-healthy")
    assert run.operations == ONE_LOOK[:3]
    assert "the service ai-assistant-service does not exist" in run.err
    assert "deploy: git push origin main" in run.err


def test_without_a_cluster_the_next_step_is_to_deploy(provisioned: Checkout) -> None:
    provisioned.aws.faults.refuse("ecs:DescribeServices", "ClusterNotFoundException")
    run = provisioned.run("status").expect(1, "not-healthy")
    assert run.operations == ONE_LOOK[:3]
    assert "deploy: git push origin main" in run.err


def test_a_service_that_is_scaled_to_zero_is_not_healthy(deployed: Checkout) -> None:
    names = deployed.settings.names
    ecs = deployed.aws.client("ecs")
    where = {"cluster": names.cluster, "service": names.service}
    ecs.update_service(**where, desiredCount=0)
    ecs.describe_services(cluster=names.cluster, services=[names.service])
    found = report(deployed, 1)
    assert "the service is scaled to zero tasks" in found.problems
    assert found.next.startswith("deploy: that starts the minimum number of tasks")


def test_a_service_that_is_being_deleted_is_not_healthy(deployed: Checkout) -> None:
    names = deployed.settings.names
    deployed.aws.client("ecs").delete_service(
        cluster=names.cluster, service=names.service, force=True
    )
    found = report(deployed, 1)
    assert "the service is being deleted" in found.problems
    assert found.next.startswith("wait some minutes until the service is deleted")


def alarm(service: Checkout, name: str, balancer: str, state: str = "ALARM") -> None:
    cloudwatch = service.aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        MetricName="HTTPCode_Target_5XX_Count",
        Namespace="AWS/ApplicationELB",
        Dimensions=[{"Name": "LoadBalancer", "Value": balancer}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")


def balancer_of(service: Checkout) -> str:
    [found] = service.aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return str(found["LoadBalancerArn"]).partition(":loadbalancer/")[2]


def test_an_alarm_in_state_alarm_is_named_and_not_healthy(deployed: Checkout) -> None:
    alarm(deployed, "ai-assistant-mine", balancer_of(deployed))
    found = report(deployed, 1)
    assert found.problems == ["in ALARM: ai-assistant-mine"]
    assert found.alarms
    assert found.alarms.total == 6


def test_alarms_of_a_neighbour_do_not_count(deployed: Checkout) -> None:
    """The name of a neighbour, and of its alarms, may begin with the name of this service."""
    alarm(deployed, "ai-assistant-two-app-errors", "app/ai-assistant-two-alb/123")
    alarm(deployed, "another-app-errors", balancer_of(deployed))
    found = report(deployed)
    assert found.alarms
    assert found.alarms.total == 5


def test_every_page_of_alarms_is_read(deployed: Checkout) -> None:
    for number in range(101):  # DescribeAlarms answers a hundred at once
        alarm(deployed, f"ai-assistant-{number:03}", balancer_of(deployed), state="OK")
    alarm(deployed, "ai-assistant-the-last", balancer_of(deployed))
    found = report(deployed, 1)
    assert found.alarms
    assert found.alarms.in_alarm == ["ai-assistant-the-last"]


# --- parts that cannot be read ---


@pytest.mark.parametrize("operation", ["sts:GetCallerIdentity", "ecs:DescribeServices"])
def test_a_service_that_cannot_be_read_is_exit_code_2(deployed: Checkout, operation: str) -> None:
    deployed.aws.faults.refuse(operation, "ServerException", "try later")
    run = deployed.run("status").expect(2, "aws-refused")
    assert run.operations[-1] == operation, "there is nothing to do after that"


def test_an_expired_sign_in_asks_for_a_new_one(deployed: Checkout) -> None:
    deployed.aws.faults.expire_tokens()
    deployed.run("status").expect(2, "sign-in")


def test_credentials_of_another_account_are_refused(deployed: Checkout) -> None:
    deployed.set("service.account", "210987654321")
    deployed.set("service.registry", "210987654321.dkr.ecr.us-east-1.amazonaws.com")
    run = deployed.run("status").expect(2, "account-differs")
    assert run.operations == ["sts:GetCallerIdentity"]


@pytest.mark.parametrize(
    ("operation", "part", "name"),
    [
        ("cloudformation:DescribeStacks", "stack", "url"),
        ("ecs:DescribeTaskDefinition", "revision", "revision"),
        ("ecr:DescribeImageScanFindings", "scan", "scan"),
        ("application-autoscaling:DescribeScalableTargets", "bounds", "tasks"),
        ("cloudwatch:DescribeAlarms", "alarms", "alarms"),
        ("logs:FilterLogEvents", "log", "log"),
    ],
)
def test_a_part_that_is_denied_is_shown_and_does_not_change_the_health(
    deployed: Checkout, operation: str, part: str, name: str
) -> None:
    deployed.aws.faults.refuse_for_ever(operation, "AccessDenied", "not authorized")
    run = deployed.run("status").expect(0)
    assert f"cannot be read: AWS denied {operation}" in told(run)[name]
    assert report(deployed).unreadable.keys() == {part}


def test_if_the_stack_cannot_be_read_only_the_service_is_reported_missing(
    provisioned: Checkout,
) -> None:
    provisioned.aws.faults.refuse_for_ever("cloudformation:DescribeStacks", "AccessDenied")
    found = report(provisioned, 1)
    assert found.problems == ["the service ai-assistant-service does not exist"]
    assert found.next.startswith("deploy: ")


# --- its log ---


def starts(run: Run) -> list[int]:
    """The start time of each read of the log, in seconds before now."""
    return [
        call.parameters["startTime"] for call in run.calls if call.name == "logs:FilterLogEvents"
    ]


def test_for_a_quiet_service_more_of_the_log_is_read(deployed: Checkout) -> None:
    deployed.write_log("one", "two", seconds_ago=600)
    now = deployed.aws.clock.now().timestamp() * 1000
    run = deployed.run("status").expect(0)
    assert [round((now - start) / 1000) for start in starts(run)] == [60, 900]
    assert [line[12:] for line in run.out.partition("last log lines\n")[2].splitlines()[:2]] == [
        "one",
        "two",
    ]


def test_the_last_five_lines_of_a_busy_service_are_shown(deployed: Checkout) -> None:
    deployed.write_log(*(f"line {number}" for number in range(8)), seconds_ago=30)
    run = deployed.run("status", "--json").expect(0)
    assert len(starts(run)) == 1, "the last minute has enough lines"
    texts = [line["text"] for line in json.loads(run.out)["log"]]
    assert texts == [f"line {number}" for number in range(3, 8)]


def test_untrusted_lines_cannot_control_a_terminal_or_a_runner(deployed: Checkout) -> None:
    hostile = ["\x1b[2J", "::error::hostile", "##[error]hostile", "txt.\u202eexe", "[" * 100_000]
    deployed.write_log(*hostile, '"half \\ud800"', seconds_ago=30)
    run = deployed.run("status", GITHUB_ACTIONS="true").expect(0)
    stop, _, quoted = run.out.partition("::stop-commands::")
    token = quoted.splitlines()[0]
    inside, end, after = quoted.partition(f"\n::{token}::\n")
    assert end, "commands are obeyed again at the end"
    assert "::error::hostile" in inside
    assert "::" not in stop + after
    for character in "\x1b", "\u202e", "\ud800", "##[":
        assert character not in run.out


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("plain text", "plain text"),
        ('"a JSON string"', '"a JSON string"'),
        ("[1, 2]", "[1, 2]"),
        ('{"level": "INFO"}', '{"level": "INFO"}'),
        ('{"level": "INFO", "message": "hello"}', "INFO hello"),
        (
            '{"level": "ERROR", "message": "no such\\nmodel",'
            ' "exception": "Traceback\\n  in f\\nValueError: gpt\\n"}',
            "ERROR no such model: ValueError: gpt",
        ),
        ('{"message": "x", "exception": null}', "x"),
        ('{"message": "x", "exception": " "}', "x"),
        ('{"message": "##[error]\\u001b"}', "# #[error]"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_line_is_shown_as_a_person_reads_it(message: str, expected: str) -> None:
    assert Line("id", NOW, message).short == expected


# --- the URL ---


@contextmanager
def server(status: int, body: bytes, *headers: tuple[str, str]) -> Iterator[str]:
    """The URL of a server that answers this to every request."""

    class FixedAnswerHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), FixedAnswerHandler)
    thread = Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def test_health_is_requested_with_a_timeout_of_five_seconds() -> None:
    asked: list[tuple[str, float]] = []

    def fetch(url: str, *, timeout: float, via: str = "") -> Response:
        asked.append((url, timeout))
        assert via == ""
        return Response(200, b'{"commit": "c0ffee"}')

    assert health.ask(fetch, URL).commit == "c0ffee"
    assert asked == [(f"{URL}/health", 5.0)]


def test_redirects_are_not_followed() -> None:
    with server(301, b"", ("Location", "http://127.0.0.1:1/")) as url:
        assert health.ask(health.fetch, url).status == 301


def test_an_http_error_is_an_answer() -> None:
    with server(503, b"<html>503</html>") as url:
        found = health.ask(health.fetch, url)
    assert (found.status, found.commit, found.error) == (503, "", "")


def test_no_answer_is_an_error_in_words() -> None:
    found = health.ask(health.fetch, "http://127.0.0.1:1")
    assert found.status is None
    assert "refused" in found.error
    assert "urlopen" not in found.error


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"null", b"[]", b'{"commit": 7}', b'{"commit": null}', b"[" * 60_000],
    ids=repr,
)
def test_a_body_without_a_commit_has_none(body: bytes) -> None:
    assert health.commit_in(body[:70_000]) == ""


def test_a_hostile_commit_is_made_harmless() -> None:
    assert health.commit_in(b'{"commit": "a\\n::error::b\\ud800"}') == "a ::error::b"


# --- healthy or not, without AWS ---


@pytest.fixture(scope="module")
def settings(example: Render) -> Settings:
    return settings_file.read(example.path)


def deployment(state: str = "COMPLETED", *, failed: int = 0, reason: str = "") -> Deployment:
    return Deployment(
        id="ecs-svc/1",
        status="PRIMARY",
        state=state,
        reason=reason,
        task_definition="arn:aws:ecs:us-east-1:123456789012:task-definition/ai-assistant-task:7",
        created=NOW - timedelta(hours=1),
        desired=1,
        running=1,
        pending=0,
        failed=failed,
    )


def ecs(
    *deployments: Deployment,
    status: str = "ACTIVE",
    desired: int = 1,
    running: int = 1,
    pending: int = 0,
    events: Sequence[Event] = (),
) -> EcsService:
    return EcsService(status, desired, running, pending, deployments or (deployment(),), events, {})


def status(settings: Settings, **changes: Any) -> Status:
    """The status of a healthy service, apart from the changes."""
    outputs = {"Url": URL, "ScalingResourceLabel": f"{BALANCER}/targetgroup/tg/1"}
    healthy: dict[str, Any] = {
        "settings": settings,
        "stack": Stack("ai-assistant", "CREATE_COMPLETE", outputs),
        "service": ecs(),
        "url": Health(200, 41, COMMIT),
        "revision": Revision("ai-assistant-task:7", COMMIT, "ai-assistant@sha256:d1"),
        "bounds": Bounds(1, 4),
        "alarms": AlarmStates(5, []),
        "log": [],
    }
    return Status(**(healthy | changes))


PLANNED = Stack("ai-assistant", "REVIEW_IN_PROGRESS")
GOES_BACK = "uv run --frozen -m infra rollback"
# By case: the changes of the status, the only problem, and a part of the next step.
NOT_HEALTHY: dict[str, tuple[dict[str, Any], str, str]] = {
    "the deployment failed": (
        {"service": ecs(deployment("FAILED"))},
        "the deployment failed",
        GOES_BACK,
    ),
    "a task is missing": (
        {"service": ecs(desired=3)},
        "1 of 3 tasks are running",
        "logs --follow",
    ),
    "the URL answers an error": ({"url": Health(502, 5)}, "the URL answers 502", "logs --follow"),
    "the URL redirects": ({"url": Health(301, 5)}, "the URL answers 301", "logs --follow"),
    "the URL does not answer": (
        {"url": Health(error="timed out")},
        "the URL does not answer",
        "logs --follow",
    ),
    "the domain name leads nowhere": (
        {"url": Health(error="Name or service not known"), "balancer": Health(200, 5, COMMIT)},
        "the URL does not answer, and the load balancer does by its own name",
        "by a DNS record (CNAME or alias)",
    ),
    "nothing answers": (
        {"url": Health(error="timed out"), "balancer": Health(503, 5)},
        "the URL does not answer",
        "logs --follow",
    ),
    "the URL answers with another commit": (
        {"url": Health(200, 5, OTHER)},
        "the URL answers with commit feed00d, and c0ffeec was deployed",
        "logs --follow",
    ),
    "alarms": (
        {"alarms": AlarmStates(5, ["one", "two"])},
        "in ALARM: one, two",
        "logs --follow",
    ),
    "scaled to zero": (
        {"service": ecs(desired=0, running=0)},
        "the service is scaled to zero tasks",
        "deploy: that starts the minimum",
    ),
    "deleted": (
        {"service": ecs(status="DRAINING")},
        "the service is being deleted",
        "wait some minutes",
    ),
    "deleted and scaled to zero": (
        {"service": ecs(status="DRAINING", desired=0, running=0)},
        "the service is scaled to zero tasks; the service is being deleted",
        "wait some minutes",
    ),
    "a task is missing during a deployment": (
        {"service": ecs(deployment("IN_PROGRESS"), running=0)},
        "0 of 1 tasks are running",
        "wait until the deployment ends, or go back at once",
    ),
    "the stack was only planned": (
        {"stack": PLANNED, "url": None},
        "the stack is REVIEW_IN_PROGRESS and has no URL",
        "logs --follow",
    ),
    "several at once": (
        {
            "url": Health(503, 5),
            "service": ecs(deployment("FAILED"), running=0),
            "alarms": AlarmStates(5, ["one"]),
        },
        "the URL answers 503; 0 of 1 tasks are running; the deployment failed; in ALARM: one",
        GOES_BACK,
    ),
}


@pytest.mark.parametrize("case", NOT_HEALTHY)
def test_a_service_is_not_healthy(settings: Settings, case: str) -> None:
    changes, expected, step = NOT_HEALTHY[case]
    found = status(settings, **changes)
    assert "; ".join(problems(found)) == expected
    assert step in next_step(found)
    assert not report_of(found).healthy


HEALTHY: dict[str, dict[str, Any]] = {
    "all is well": {},
    "more tasks than wanted": {"service": ecs(desired=1, running=2)},
    "the earlier commit answers during a deployment": {
        "service": ecs(deployment("IN_PROGRESS")),
        "url": Health(200, 5, OTHER),
    },
    "/health names no commit": {"url": Health(200, 5)},
    "the revision has no tag": {"revision": Revision("ai-assistant-task:7", "", "x")},
    "the revision cannot be read": {"revision": None, "unreadable": {"revision": "denied"}},
    "the stack cannot be read": {"stack": None, "url": None, "unreadable": {"stack": "denied"}},
    "the alarms cannot be read": {"alarms": None, "unreadable": {"alarms": "denied"}},
    "no scaling is set": {"bounds": None},
}


@pytest.mark.parametrize("case", HEALTHY)
def test_a_service_is_healthy(settings: Settings, case: str) -> None:
    assert problems(status(settings, **HEALTHY[case])) == []


def test_a_url_that_cannot_be_reached_from_here_is_no_problem_if_the_settings_say_so(
    settings: Settings,
) -> None:
    internal = settings.model_copy(update={"deploy": Deploy(reachable=False)})
    silent = Health(error="timed out")
    assert problems(status(internal, url=silent)) == []
    assert problems(status(internal, url=Health(502, 5))) == ["the URL answers 502"]
    assert facts(status(internal, url=silent), NOW)["url"] == f"{URL}: no answer, timed out"


def test_the_next_step_of_a_healthy_service(settings: Settings) -> None:
    assert next_step(status(settings)) == "nothing: the service is healthy"
    under_way = status(settings, service=ecs(deployment("IN_PROGRESS")))
    assert next_step(under_way).startswith("wait until the deployment ends, or go back at once")


# --- how it looks ---


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({}, "url", f"{URL}: 200 in 41 ms, commit c0ffeec"),
        ({"url": Health(200, 41)}, "url", f"{URL}: 200 in 41 ms"),
        ({"url": Health(error="timed out")}, "url", f"{URL}: no answer, timed out"),
        ({"stack": PLANNED, "url": None}, "url", "none: the stack is REVIEW_IN_PROGRESS"),
        ({}, "revision", f"ai-assistant-task:7, commit {COMMIT}"),
        ({"revision": Revision("f:7", "", "x")}, "revision", "f:7, commit unknown"),
        ({}, "tasks", "1 of 1 running; scaling 1 to 4"),
        ({"bounds": None}, "tasks", "1 of 1 running; no scaling is set"),
        (
            {"service": ecs(desired=3, pending=2)},
            "tasks",
            "1 of 3 running, 2 starting; scaling 1 to 4",
        ),
        ({}, "deployment", "COMPLETED, started 60 min ago"),
        (
            {"service": ecs(deployment("IN_PROGRESS", failed=2, reason="in progress."))},
            "deployment",
            "IN_PROGRESS, started 60 min ago, 2 tasks failed: in progress.",
        ),
        (
            {"service": ecs(deployment("FAILED", failed=1, reason="it stopped."))},
            "deployment",
            "FAILED, started 60 min ago, 1 task failed: it stopped.",
        ),
        (
            {"service": ecs(deployment("FAILED"))},
            "deployment",
            "FAILED, started 60 min ago: ECS gives no reason",
        ),
        ({}, "alarms", "none of 5 in ALARM"),
        ({"alarms": AlarmStates(5, ["one", "two"])}, "alarms", "in ALARM: one, two"),
    ],
)
def test_a_fact_in_words(
    settings: Settings, changes: dict[str, Any], name: str, expected: str
) -> None:
    assert facts(status(settings, **changes), NOW)[name] == expected


def test_the_last_three_events_are_shown_the_latest_last(settings: Settings) -> None:
    ages = (1, 65, 660, 86_400)
    events = [Event(f"e{age}", NOW - timedelta(seconds=age), f"event {age}") for age in ages]
    out = StringIO()
    print_status(Console({}, out, StringIO()), status(settings, service=ecs(events=events)), NOW)
    assert out.getvalue().partition("last events\n")[2].splitlines()[:3] == [
        "  11 min ago    event 660",
        "  65 s ago      event 65",
        "  1 s ago       event 1",
    ]


def test_on_a_terminal_long_values_are_wrapped_and_nothing_is_cut(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = "a long event " * 30
    lines = [Line(str(number), NOW, f"a long line {number} " * 20) for number in range(5)]
    out = TerminalOutput()
    found = status(settings, service=ecs(events=[Event("e", NOW, long.strip())]), log=lines)
    print_status(Console({}, out, StringIO()), found, NOW)
    assert max(len(line) for line in out.getvalue().splitlines()) <= 80
    assert out.getvalue().count("event") >= 30


# --- the schema of --json ---


def test_the_schema_in_the_documentation_is_that_of_the_report() -> None:
    schema = StatusReport.model_json_schema(mode="serialization")
    text = json.dumps(schema, indent=2) + "\n"
    if os.environ.get("REGENERATE"):
        SCHEMA.parent.mkdir(exist_ok=True)
        SCHEMA.write_text(text, encoding="utf-8")
    assert SCHEMA.read_text(encoding="utf-8") == text, (
        "the report has changed: REGENERATE=yes uv run pytest tests/tool/test_status.py -k schema"
    )


def valid(document: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Validate a document against the schema with another program."""
    path = folder / "status.json"
    path.write_text(document, encoding="utf-8")
    program = Path(sys.executable).with_name("check-jsonschema")
    return subprocess.run(
        [program, "--schemafile", SCHEMA, path], capture_output=True, text=True, check=False
    )


def test_the_json_report_matches_the_schema(deployed: Checkout, tmp_path: Path) -> None:
    deployed.write_log("hello", seconds_ago=30)
    healthy = deployed.run("status", "--json").expect(0).out
    assert json.loads(healthy)["log"]
    deployed.aws.faults.refuse_for_ever("logs:FilterLogEvents", "AccessDenied")
    partly = deployed.run("status", "--json").expect(0).out
    for document in healthy, partly:
        done = valid(document, tmp_path)
        assert done.returncode == 0, done.stdout
    less = {key: value for key, value in json.loads(healthy).items() if key != "healthy"}
    assert valid(json.dumps(less), tmp_path).returncode == 1, "the schema must refuse something"


def test_a_service_that_does_not_exist_is_a_valid_report_too(
    rendered: Checkout, tmp_path: Path
) -> None:
    run = rendered.run("status", "--json", principal="root").expect(1, "not-healthy")
    done = valid(run.out, tmp_path)
    assert done.returncode == 0, done.stdout
