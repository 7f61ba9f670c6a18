"""infra/status.sh says on one screen what runs, whether that is as wanted, and what to do next."""

import json
import re
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from rendering import Render
from stage import BEFORE, LABEL, NOW, OURS, OUTPUTS, URL, Json, Refusal, Run, Stage, refusal

COMMIT = "c0ffee" * 6 + "c0ff"
BALANCER, _, _ = LABEL.partition("/targetgroup")
LOG = "logs filter-log-events"
CURL = "curl --silent"
DENIED = refusal(
    "AccessDeniedException",
    "User: arn:aws:sts::123456789012:assumed-role/a-long-name-of-a-role/and-of-a-session is not "
    "authorized to perform: a:LongAction on resource: *",
)


@pytest.fixture
def stage(example: Render, tmp_path: Path) -> Stage:
    return serving(Stage(example, tmp_path))


def serving(stage: Stage) -> Stage:
    """A service that serves one commit, an hour after it was deployed."""
    stage.clock = int(NOW.timestamp()) + 3600
    stage.lacks("git", "docker")
    (stage.bin / "curl").symlink_to(stage.bin / "aws")
    stage.serves(OURS)
    stage.has_revision(OURS, {"commit": COMMIT})
    stage.answers(CURL, f'{{"status":"ok","commit":"{COMMIT}"}}\n200 0.041234')
    scaling = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/ai-assistant-cluster/ai-assistant-service",
        "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": 1,
        "MaxCapacity": 4,
        "RoleARN": "arn:aws:iam::123456789012:role/x",
        "CreationTime": NOW,
    }
    targets = {"ScalableTargets": [scaling]}
    stage.answers("application-autoscaling describe-scalable-targets", targets)
    has_alarms(stage)
    writes(stage, *(f"line {number}" for number in range(7)))
    return stage


def has_alarms(stage: Stage, *ringing: str, balancer: str = BALANCER) -> None:
    alarms = [
        {
            "AlarmName": f"ai-assistant-{name}",
            "StateValue": "ALARM" if name in ringing else "OK",
            "Dimensions": [{"Name": "LoadBalancer", "Value": balancer}],
        }
        for name in ("app-errors", "latency", "unhealthy-tasks")
    ]
    stage.answers("cloudwatch describe-alarms", {"MetricAlarms": alarms, "CompositeAlarms": []})


def lines(*messages: str, at: int = 0) -> Json:
    """An answer to filter-log-events: the messages, one second after the other."""
    start = int(NOW.timestamp()) + at
    events = [
        {"eventId": f"e-{at + n}", "timestamp": 1000 * (start + n) + 7, "message": message}
        for n, message in enumerate(messages)
    ]
    return {"events": events, "searchedLogStreams": []}


def writes(stage: Stage, *messages: str) -> None:
    stage.answers(LOG, lines(*messages))


def look(stage: Stage) -> Run:
    run = stage.run("infra/status.sh")
    run.changed_nothing()
    long = [line for line in run.out.splitlines() if len(line) > 120]
    assert not long, f"this does not fit on a line of a screen: {long}"
    assert len(run.text.splitlines()) <= 24, f"this does not fit on a screen:\n{run.text}"
    return run


def told(run: Run) -> dict[str, str]:
    """The facts of a look, by what they are about."""
    return dict(re.findall(r"^([a-z]+) {2,}(.*)$", run.out, re.MULTILINE))


# --- a service that serves ---


def test_a_service_that_serves_is_shown_with_no_call_too_many(stage: Stage) -> None:
    run = look(stage)
    run.ends(0)
    assert run.asked == [
        "sts get-caller-identity",
        "cloudformation describe-stacks",
        "ecs describe-services",
        CURL,
        "ecs describe-task-definition",
        "application-autoscaling describe-scalable-targets",
        "cloudwatch describe-alarms",
        LOG,
    ]
    digest = "sha256:" + "d1" * 32
    assert told(run) == {
        "service": "ai-assistant, in us-east-1 of account 123456789012",
        "url": f"{URL}: 200 in 41 ms, commit c0ffeec",
        "revision": f"{stage.revision(OURS)}, commit {COMMIT}",
        "image": f"ai-assistant@{digest}",
        "tasks": "1 wanted, 1 running, 0 starting; between 1 and 4 by the scaling",
        "rollout": "COMPLETED, begun 60 min ago",
        "alarms": "none of 3",
        "next": "nothing: it serves as wanted",
    }
    assert "last log lines\n" + "".join(f"  12:00:0{n}  line {n}\n" for n in range(2, 7)) in run.out


def test_the_url_is_asked_for_its_health(stage: Stage) -> None:
    (curl,) = (call.words for call in look(stage).calls if call.program == "curl")
    assert curl[-1] == f"{URL}/health"
    assert "--max-time" in curl


def test_the_last_three_events_are_told_the_latest_last(stage: Stage) -> None:
    stage.describes(stage.described(stage.steady(OURS), says=["one", "two", "three", "four"]))
    shown = look(stage).out.partition("last events\n")[2].splitlines()[:3]
    assert [line.partition(": ")[2] for line in shown] == ["two", "three", "four"]


@pytest.mark.parametrize("cli", [1, 2])
def test_how_long_ago_is_told_in_either_version_of_the_cli(
    example: Render, tmp_path: Path, cli: int
) -> None:
    stage = serving(Stage(example, tmp_path, cli=cli))
    stage.clock = int(NOW.timestamp())
    rollout = stage.steady(OURS) | {"createdAt": NOW - timedelta(days=9)}
    ages = {"e-1": 65, "e-2": 660, "e-3": 7200}
    events = [
        {"id": id, "createdAt": NOW - timedelta(seconds=age), "message": "x"}
        for id, age in ages.items()
    ]
    stage.describes(stage.described(rollout) | {"events": events})
    run = look(stage)
    assert told(run)["rollout"] == "COMPLETED, begun 9 days ago"
    assert "last events\n  2 h ago: x\n  11 min ago: x\n  65 s ago: x\n" in run.out


def test_a_line_of_the_log_is_shown_as_a_person_reads_it(stage: Stage) -> None:
    entry = {"time": "T", "level": "ERROR", "logger": "app", "message": "no such\nmodel"}
    writes(
        stage,
        "plain text",
        json.dumps(entry | {"exception": "Traceback\n  in f\nValueError: gpt\n"}),
        '"a JSON string"',
        "\x1b[2J::error::hostile",
        "long " * 99,
    )
    out = look(stage).out
    assert "  12:00:01  ERROR no such model: ValueError: gpt\n" in out
    assert '  12:00:02  "a JSON string"\n' in out
    assert "\x1b" not in out


def test_a_quiet_service_is_asked_for_more_of_its_log(stage: Stage) -> None:
    quiet, more = lines("one"), lines(*"abcdef")
    stage.answers(LOG, quiet, more)
    run = look(stage)
    starts = [call.parameters()["startTime"] for call in run.calls if call.name == LOG]
    assert starts == [1000 * (stage.clock - 60), 1000 * (stage.clock - 900)]
    assert "  12:00:05  f" in run.out
    stage.answers(LOG, lines())
    assert "  none in the last 15 minutes" in look(stage).out


def test_alarms_of_a_neighbour_are_not_told(stage: Stage) -> None:
    has_alarms(stage, "app-errors", balancer="app/ai-assistant-two/123")
    run = look(stage)
    run.ends(0)
    assert told(run)["alarms"] == "none of 0"


def test_a_rollout_under_way_is_as_wanted_while_the_earlier_revision_serves(stage: Stage) -> None:
    stage.serving = BEFORE
    rollout = stage.deployment(OURS, pending=1, failed=2)
    stage.describes(stage.described(rollout, stage.leaving()))
    stage.answers(CURL, '{"commit":"0"}\n200 0.01')
    run = look(stage)
    run.ends(0, "IN_PROGRESS, begun 60 min ago, 2 tasks failed: ECS deployment")
    assert told(run)["next"].startswith("wait until the rollout ends, or go back at once")


# --- one that does not ---


def at_zero(stage: Stage) -> None:
    service = stage.described(stage.deployment(OURS, "COMPLETED", desired=0))
    stage.describes(service | {"desiredCount": 0, "runningCount": 0})
    stage.answers(CURL, "<html>503</html>\n503 0.002")


NOT_AS_WANTED: dict[str, tuple[Callable[[Stage], object], str, str]] = {
    "its rollout failed": (
        lambda stage: stage.describes(stage.described(stage.deployment(OURS, "FAILED"))),
        "its rollout failed",
        "go back: infra/rollback.sh",
    ),
    "a task is missing": (
        lambda stage: stage.describes(stage.described(stage.steady(OURS)) | {"desiredCount": 3}),
        "1 of 3 tasks run",
        "infra/status.sh --logs",
    ),
    "the url answers something else": (
        lambda stage: stage.answers(CURL, "\n502 0.5"),
        "its url answers 502",
        "infra/status.sh --logs",
    ),
    "the url answers nothing": (
        lambda stage: stage.answers(CURL, Refusal("curl: (28) Connection timed out")),
        "its url gives no answer",
        "infra/status.sh --logs",
    ),
    "the url is that of something else": (
        lambda stage: stage.answers(CURL, '{"commit":"feed00d1"}\n200 0.01'),
        "its url answers as commit feed00d, and c0ffeec was deployed",
        "infra/status.sh --logs",
    ),
    "an alarm rings": (
        lambda stage: has_alarms(stage, "app-errors", "latency"),
        "alarm ai-assistant-app-errors, ai-assistant-latency",
        "infra/status.sh --logs",
    ),
    "it is scaled to zero": (at_zero, "no task is wanted", "a deploy starts its MIN_TASKS tasks"),
    "it is being deleted": (
        lambda stage: stage.describes(stage.described(stage.steady(OURS), status="DRAINING")),
        "it is being deleted",
        "wait until it is gone",
    ),
    "ECS goes back by itself": (
        lambda stage: stage.describes(
            stage.described(stage.deployment(BEFORE, reason="circuit breaker: rolling back"))
            | {"runningCount": 0}
        ),
        "0 of 1 tasks run",
        "wait until the rollout ends",
    ),
    "the stack was only planned": (
        lambda stage: stage.has_stack("REVIEW_IN_PROGRESS", **dict.fromkeys(OUTPUTS)),
        "its stack is REVIEW_IN_PROGRESS",
        "infra/status.sh --logs",
    ),
}


@pytest.mark.parametrize("case", NOT_AS_WANTED)
def test_what_is_not_as_wanted_is_said_with_what_to_do(stage: Stage, case: str) -> None:
    breaks, why, advice = NOT_AS_WANTED[case]
    breaks(stage)
    run = look(stage)
    run.ends(1)
    (error,) = run.err.splitlines()
    assert error.startswith("error: ai-assistant does not serve as wanted: ")
    assert why in error
    assert advice in told(run)["next"]


def test_all_that_is_wrong_is_said_and_still_fits_on_a_screen(stage: Stage) -> None:
    failed = stage.deployment(OURS, "FAILED", failed=9, reason="tasks failed to start. " * 20)
    service = stage.described(failed, says=["a long event " * 30] * 5) | {"runningCount": 0}
    stage.describes(service)
    stage.answers(CURL, "\n503 0.5")
    has_alarms(stage, "app-errors", "latency", "unhealthy-tasks")
    writes(stage, *["a long line " * 30] * 9)
    look(stage).ends(1, "its url answers 503; 0 of 1 tasks run; its rollout failed; alarm")


def test_without_a_stack_it_says_to_provision(stage: Stage) -> None:
    gone = refusal("ValidationError", "Stack with id ai-assistant does not exist")
    stage.answers("cloudformation describe-stacks", gone)
    run = look(stage)
    run.ends(1, "there is no stack ai-assistant")
    assert told(run)["next"] == "create the infrastructure: infra/provision.sh"
    assert run.asked[-1] == "cloudformation describe-stacks"


@pytest.mark.parametrize("there", ["no service", "no cluster"])
def test_without_a_service_it_says_to_deploy(stage: Stage, there: str) -> None:
    stage.has_no_service()
    if there == "no cluster":
        stage.answers("ecs describe-services", refusal("ClusterNotFoundException"))
    run = look(stage)
    run.ends(1, "there is no service ai-assistant-service")
    assert told(run)["next"] == "deploy it: infra/deploy-manual.sh, or git push origin main"
    assert run.asked[-1] == "ecs describe-services"


# --- what cannot be read ---


@pytest.mark.parametrize(
    ("command", "fact"),
    [
        ("cloudformation describe-stacks", "url"),
        ("ecs describe-task-definition", "revision"),
        ("application-autoscaling describe-scalable-targets", "scaling"),
        ("cloudwatch describe-alarms", "alarms"),
        (LOG, "log"),
    ],
)
def test_a_part_that_cannot_be_asked_is_shown_so_and_decides_nothing(
    stage: Stage, command: str, fact: str
) -> None:
    stage.answers(command, DENIED)
    run = look(stage)
    run.ends(0)
    assert (
        told(run)[fact] == "cannot be read: not authorized to perform: a:LongAction on resource: *"
    )


def test_without_curl_the_url_is_only_told(stage: Stage) -> None:
    stage.lacks("curl")
    run = look(stage)
    run.ends(0)
    assert told(run)["url"] == f"{URL} (not asked: curl is not installed)"


@pytest.mark.parametrize("command", ["sts get-caller-identity", "ecs describe-services"])
def test_a_service_that_cannot_be_asked_is_neither_good_nor_bad(stage: Stage, command: str) -> None:
    stage.answers(command, refusal("ExpiredTokenException", "The token is expired"))
    look(stage).ends(2, "The token is expired")


# --- its log ---


def test_the_log_is_followed_as_it_was_written_until_ctrl_c(stage: Stage) -> None:
    (stage.stage / "real-time").touch()
    entry = json.dumps({"level": "INFO", "message": "hello"})
    writes(stage, entry, "plain")
    process = stage.start(str(stage.service / "infra/status.sh"), "--logs")
    stage.wait_for("sleep")
    run = stage.stopped(process, signal.SIGINT)
    run.ends(130)
    assert run.out == f"{entry}\nplain\n"
    assert run.request(LOG)["startTime"] == 1000 * (stage.clock - 600)


def test_each_line_of_the_log_is_told_once_also_when_it_comes_late(stage: Stage) -> None:
    first = lines("a", "b", at=3500)
    late = lines("before b", at=3499)["events"]
    second = {"events": [*lines("a", "b", "c", at=3500)["events"], *late]}
    stop = refusal("ExpiredTokenException")
    stage.answers(LOG, first, second, lines(), stop)
    run = stage.run("infra/status.sh", "--logs")
    run.ends(2, "no answer from CloudWatch (1 of 3)", "no answer from CloudWatch (2 of 3)")
    assert run.out.splitlines() == ["a", "b", "before b", "c"]
    starts = [call.parameters()["startTime"] for call in run.calls if call.name == LOG]
    latest = first["events"][-1]["timestamp"]
    assert starts[1:3] == [latest - 15000, latest + 1000 - 15000]
    assert starts[3:] == [starts[2]] * 3


def test_the_log_of_a_busy_service_is_followed_too(stage: Stage) -> None:
    (event,) = lines("a", at=3500)["events"]
    busy = {"events": [event | {"eventId": f"{n:056}", "message": str(n)} for n in range(3000)]}
    stage.answers(LOG, busy, busy, refusal("ExpiredTokenException"))
    run = stage.run("infra/status.sh", "--logs")
    run.ends(2, "ExpiredTokenException")
    assert run.out.splitlines() == [str(n) for n in range(3000)]


def test_a_log_that_cannot_be_followed_is_said_at_once(stage: Stage) -> None:
    stage.answers(LOG, DENIED)
    run = stage.run("infra/status.sh", "--logs")
    run.ends(2, "ops/iam-policy-github-actions.json")
    assert run.asked == ["sts get-caller-identity", LOG]


def test_a_log_gives_the_runner_no_orders(stage: Stage) -> None:
    stage.environment["GITHUB_ACTIONS"] = "true"
    stage.answers(LOG, lines("::error::hostile"), refusal("ExpiredTokenException"))
    run = stage.run("infra/status.sh", "--logs")
    before, order, after = run.out.splitlines()[:3]
    assert order == "::error::hostile"
    assert before == f"::stop-commands::{after.strip(':')}"


def test_help_tells_every_exit_code(stage: Stage) -> None:
    run = stage.run("infra/status.sh", "--help")
    codes = re.findall(r"^  (\d+) ", run.out.partition("Exit codes:")[2], re.MULTILINE)
    assert codes == ["0", "1", "2", "130"]
