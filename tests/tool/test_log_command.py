"""`logs` prints what the app wrote, and follows it without losing or repeating a line."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.checkout import Checkout, Run

READ = "logs:FilterLogEvents"


def starts(run: Run) -> list[int]:
    """The start time of each read of the log, in milliseconds."""
    return [call.parameters["startTime"] for call in run.calls if call.name == READ]


def now(service: Checkout) -> int:
    """In milliseconds."""
    return round(service.aws.clock.now().timestamp() * 1000)


def press_ctrl_c() -> None:
    raise KeyboardInterrupt


def follow_until(service: Checkout, looks: int, **environment: str) -> Run:
    """Follow the log, and press Ctrl-C during the call after so many polls."""
    service.aws.moments.when(READ, press_ctrl_c, after=looks)
    run = service.run("logs", "--follow", **environment)
    assert run.exit_code == 130, run.text
    return run


def test_the_last_ten_minutes_are_printed_as_the_app_wrote_them(deployed: Checkout) -> None:
    record = '{"level": "INFO", "message": "hello"}'
    deployed.write_log("too old", seconds_ago=601)
    deployed.write_log(record, "plain", seconds_ago=599)
    run = deployed.run("logs").expect(0).expect_no_change()
    assert run.operations == ["sts:GetCallerIdentity", READ]
    assert run.out.splitlines() == [record, "plain"]
    assert run.err == ""


@pytest.mark.parametrize(
    ("since", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400)]
)
def test_since_sets_how_far_back_the_log_is_read(
    deployed: Checkout, since: str, seconds: int
) -> None:
    before = now(deployed)
    run = deployed.run("logs", "--since", since).expect(0)
    assert starts(run) == [before - seconds * 1000]


@pytest.mark.parametrize(
    "since", ["10", "m", "-1m", "0m", "1w", "1.5h", "10 m", "٣m", "999999999d", "3654d"]
)
def test_an_invalid_time_is_refused_before_any_call_to_aws(deployed: Checkout, since: str) -> None:
    run = deployed.run("logs", f"--since={since}").expect(2, "usage")
    assert run.operations == []
    assert "for example 10m" in run.err


def test_lines_of_several_streams_are_in_the_order_of_their_times(deployed: Checkout) -> None:
    deployed.write_log("second", seconds_ago=20)
    deployed.write_log("first", seconds_ago=30)
    assert deployed.run("logs").out.splitlines() == ["first", "second"]


def test_an_empty_log_is_no_error(deployed: Checkout) -> None:
    assert deployed.run("logs").expect(0).out == ""


def test_every_page_is_read(deployed: Checkout) -> None:
    pages: dict[str, dict[str, Any]] = {
        "": {"events": [event(deployed, 1)], "nextToken": "2"},
        "2": {"events": [], "nextToken": "3"},
        "3": {"events": [event(deployed, 2)]},
    }
    answer_with(deployed, lambda parameters: pages[parameters.get("nextToken", "")])
    assert deployed.run("logs").expect(0).out.splitlines() == ["line 1", "line 2"]


def test_a_page_is_printed_before_the_next_one_is_read(deployed: Checkout) -> None:
    page = {"events": [event(deployed, 1)], "nextToken": "2"}
    answer_with(deployed, lambda _: page)
    deployed.aws.faults.refuse(READ, "InvalidOperationException", times=9, after=1)
    run = deployed.run("logs").expect(2, "aws-refused")
    assert run.out.splitlines() == ["line 1"], "a log of days is printed while it is read"


def event(service: Checkout, number: int) -> dict[str, Any]:
    """As FilterLogEvents answers it."""
    time = now(service) - 60_000 + number
    return {"eventId": f"{number:056}", "timestamp": time, "message": f"line {number}"}


def answer_with(service: Checkout, answer: Callable[[Any], dict[str, Any]]) -> None:
    """Set the response of the simulated AWS to FilterLogEvents from now on."""
    service.aws.services["logs"].filter_log_events = answer


def test_the_log_is_followed_until_ctrl_c(deployed: Checkout) -> None:
    deployed.write_log("one", "two", seconds_ago=300)
    before = now(deployed)
    run = follow_until(deployed, 3)
    assert run.out.splitlines() == ["one", "two"]
    assert starts(run)[0] == before - 600_000, "it starts ten minutes back"
    assert now(deployed) - before == 3 * 5000, "it looks every poll_seconds"


def test_each_line_is_printed_once_also_if_it_appears_late(deployed: Checkout) -> None:
    deployed.write_log("a", "b", seconds_ago=10)
    moments = deployed.aws.moments

    def write_late() -> None:
        deployed.write_log("before b", seconds_ago=14)  # CloudWatch shows it after younger ones
        deployed.write_log("c")

    moments.when(READ, write_late)
    run = follow_until(deployed, 4)
    assert run.out.splitlines() == ["a", "b", "before b", "c"]


def test_the_last_fifteen_seconds_are_read_again_each_time(deployed: Checkout) -> None:
    deployed.write_log("a", seconds_ago=10)
    latest = now(deployed) - 10_000
    run = follow_until(deployed, 3)
    assert starts(run)[1:] == [latest - 15_000] * 3


def test_the_log_of_a_busy_service_is_followed_without_loss(deployed: Checkout) -> None:
    busy = [event(deployed, number) for number in range(3000)]
    answer_with(deployed, lambda _: {"events": busy})
    run = follow_until(deployed, 2)
    assert run.out.splitlines() == [f"line {number}" for number in range(3000)]


def test_two_lost_responses_in_a_row_do_not_end_the_command(deployed: Checkout) -> None:
    deployed.write_log("one", seconds_ago=10)
    faults = deployed.aws.faults
    faults.refuse(READ, "ServiceUnavailableException", times=2, after=1)
    run = follow_until(deployed, 5)
    assert run.out.splitlines() == ["one"]
    warnings = run.err.splitlines()
    assert [line[:19] for line in warnings[:2]] == ["no answer (1 of 3):", "no answer (2 of 3):"]


def test_a_response_resets_the_count_of_lost_ones(deployed: Checkout) -> None:
    for after in 1, 4, 7:  # two in a row, three times over
        deployed.aws.faults.refuse(READ, "InvalidOperationException", times=2, after=after)
    assert "(3 of 3)" not in follow_until(deployed, 9).err


def test_the_third_lost_response_in_a_row_ends_the_command(deployed: Checkout) -> None:
    deployed.write_log("one", seconds_ago=10)
    deployed.aws.faults.refuse(READ, "InvalidOperationException", "gone", times=9, after=1)
    run = deployed.run("logs", "--follow").expect(2, "aws-refused")
    assert run.out.splitlines() == ["one"]
    assert len(starts(run)) == 4


@pytest.mark.parametrize("words", [("logs",), ("logs", "--follow")])
def test_a_log_that_cannot_be_read_ends_the_command_at_once(
    deployed: Checkout, words: tuple[str, ...]
) -> None:
    deployed.aws.faults.refuse(READ, "AccessDeniedException", "not authorized", times=9)
    run = deployed.run(*words).expect(2, "aws-denied")
    assert run.operations == ["sts:GetCallerIdentity", READ]
    assert "ops/iam-policy-github-actions.json" in run.err


def test_a_missing_log_group_ends_the_command(rendered: Checkout) -> None:
    rendered.run("logs", principal="root").expect(2, "aws-refused")


def test_credentials_of_another_account_read_no_log(deployed: Checkout) -> None:
    deployed.set("service.account", "210987654321")
    deployed.set("service.registry", "210987654321.dkr.ecr.us-east-1.amazonaws.com")
    run = deployed.run("logs").expect(2, "account-differs")
    assert run.operations == ["sts:GetCallerIdentity"]


@pytest.mark.parametrize("words", [("logs",), ("logs", "--follow")])
def test_a_log_cannot_give_a_runner_commands(deployed: Checkout, words: tuple[str, ...]) -> None:
    deployed.write_log("::error::hostile", "##[error]hostile", "\x1b[2J", seconds_ago=10)
    deployed.aws.moments.when(READ, press_ctrl_c, after=1)
    run = deployed.run(*words, GITHUB_ACTIONS="true")
    stop, *quoted, resume = run.out.splitlines()
    assert stop == f"::stop-commands::{resume.strip(':')}"
    assert quoted == ["::error::hostile", "# #[error]hostile", "[2J"]
