"""Output: on a terminal, in a pipe, and in a workflow's run, whatever the text in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from infra.tool import console, github
from infra.tool.console import Console
from infra.tool.errors import Problem
from infra.tool.text import one_line

from simulator.ecs.rollouts import Crashes, Hangs
from tests.support.checkout import Checkout, Run
from tests.support.targets import bench
from tests.support.terminal import TerminalOutput, set_up

BIDI, ESCAPE = "\u202e", "\x1b[2J"
HOSTILE = f"::error::all is lost\r::add-mask::a ##[group]x {ESCAPE}{BIDI} | no | <b>table</b>"
ERROR = Problem("some-code", "100% of {what}", "do {what}")


class Actions:
    """The files that a workflow's runner gives to a step."""

    def __init__(self, folder: Path) -> None:
        self.output, self.page = folder / "output", folder / "summary.md"
        self.environment: dict[str, Any] = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.page),
        }

    @property
    def summary(self) -> str:
        return self.page.read_text(encoding="utf-8")


@pytest.fixture
def actions(tmp_path: Path) -> Actions:
    return Actions(tmp_path)


def commands(text: str) -> Iterator[str]:
    """The lines that a runner carries out as commands: it ignores blanks before them, and every
    line between stop-commands and the token."""
    token = ""
    for line in text.splitlines():
        command = line.strip()
        if token:
            token = "" if command == f"::{token}::" else token
        elif command.startswith("::stop-commands::"):
            token = command.removeprefix("::stop-commands::")
        elif command.startswith("::") or "##[" in command:
            yield command


# --- a workflow's run ---


def test_a_deploy_leaves_its_url_and_a_summary_of_all_facts(
    deployed: Checkout, actions: Actions
) -> None:
    commit = deployed.release()
    run = deployed.run("deploy", **actions.environment).expect(0)
    name, url = "ai-assistant-task:2", run.out.split()[-1]
    assert actions.output.read_text() == f"url={url}\n"
    title, *_ = actions.summary.splitlines()
    assert title == f"### ai-assistant {commit[:7]} is in steady state as {name}: {url}"
    for fact in "commit", "image", "revision", "deployment", "url", "took":
        assert f"\n| {fact} | " in actions.summary
    assert commit in actions.summary
    assert not list(commands(run.text))


def test_a_failed_deploy_leaves_one_annotation_a_summary_and_no_output(
    deployed: Checkout, actions: Actions
) -> None:
    deployed.release()
    deployed.aws.next_rollout(Crashes(says=("ValueError: no | model",)))
    run = deployed.run("deploy", **actions.environment)
    assert run.exit_code == 1
    [annotation] = commands(run.text)
    assert annotation.startswith("::error title=deployment-rolled-back::the deployment of ai-")
    assert "%0ATo fix it: correct what the lines above show" in annotation
    assert not actions.output.exists()
    assert actions.summary.startswith("### Failed: the deployment of ai-assistant-task:2 failed")
    assert "\nNext step: correct what the lines above show" in actions.summary
    assert f"\n| commit | {deployed.head} |\n" in actions.summary
    assert "\n      ValueError: no | model\n" in actions.summary, "as code: nothing is a table"


def test_an_unknown_outcome_has_a_summary_that_says_to_re_run_the_job(
    deployed: Checkout, actions: Actions
) -> None:
    deployed.set("deploy.timeout_seconds", 10)
    deployed.release()
    deployed.aws.next_rollout(Hangs())
    run = deployed.run("deploy", **actions.environment)
    assert run.exit_code == 3
    assert actions.summary.startswith("### Outcome unknown: ai-assistant-task:2 is not in steady")
    assert "\nNext step: to keep watching, re-run this job\n" in actions.summary
    assert "To find out, re-run this job" in run.err
    assert not actions.output.exists()


def test_an_unreachable_url_has_a_summary_that_says_to_re_run_the_job(
    deployed: Checkout, actions: Actions
) -> None:
    deployed.answer = OSError("timed out")
    run = deployed.run("deploy", **actions.environment)
    assert run.exit_code == 3
    assert actions.summary.startswith("### Outcome unknown: the deployment is complete, but http")
    assert "then re-run this job" in actions.summary
    assert not actions.output.exists()


def test_a_scaling_that_is_not_set_has_a_summary(deployed: Checkout, actions: Actions) -> None:
    deployed.release()
    operation = "application-autoscaling:PutScalingPolicy"
    deployed.aws.faults.refuse_for_ever(operation, "ValidationException", "no")
    run = deployed.run("deploy", **actions.environment)
    assert run.exit_code == 1
    assert actions.summary.startswith("### Failed: this commit is running, but its scaling")
    assert "| revision | ai-assistant-task:2 |" in actions.summary


def test_a_run_that_is_not_ready_has_a_summary(deployed: Checkout, actions: Actions) -> None:
    deployed.write("odd % name", "")
    run = deployed.run("deploy", **actions.environment)
    assert run.exit_code == 2
    [annotation] = commands(run.text)
    assert annotation.startswith("::error title=not-committed::")
    assert "odd %25 name" in annotation
    assert actions.summary.startswith("### Not ready, nothing was changed: 1 file not as committed")


def test_a_cancelled_run_has_a_summary_of_what_continues(
    deployed: Checkout, actions: Actions
) -> None:
    deployed.release()
    deployed.aws.faults.interrupt(after=10)
    run = deployed.run("deploy", **actions.environment)
    assert run.exit_code == 130
    assert actions.summary.startswith("### Stopped by Ctrl-C or by cancelling the run. The deploy")
    assert "\nNext step: re-run this job\n" in actions.summary


def test_a_run_that_is_cancelled_before_a_change_names_no_next_step(
    deployed: Checkout, actions: Actions
) -> None:
    deployed.aws.faults.interrupt(after=1)
    assert deployed.run("deploy", **actions.environment).exit_code == 130
    assert actions.summary.splitlines()[0] == "### Stopped by Ctrl-C or by cancelling the run"
    assert "Next step" not in actions.summary


def test_a_rollback_has_a_summary(deployed_twice: Checkout, actions: Actions) -> None:
    deployed_twice.run("rollback", **actions.environment).expect(0)
    assert actions.summary.startswith("### ai-assistant is in steady state as ai-assistant-task:1")


def test_an_unknown_rollback_names_the_revision_to_run_the_workflow_with(
    deployed_twice: Checkout, actions: Actions
) -> None:
    """A re-run of the job may have no revision among its inputs, and would go further back."""
    deployed_twice.aws.faults.expire_tokens(after=8)
    run = deployed_twice.run("rollback", **actions.environment)
    assert run.exit_code == 3
    assert "run this workflow again with revision 1" in actions.summary


def test_a_log_cannot_give_the_runner_commands(deployed: Checkout, actions: Actions) -> None:
    deployed.release()
    deployed.aws.next_rollout(Crashes(says=(HOSTILE, "::endgroup::")))
    run = deployed.run("deploy", **actions.environment)
    assert run.exit_code == 1
    expect_harmless(run)
    assert "all is lost" in run.out, "the text itself is shown"
    for odd in ESCAPE[0], BIDI, "##[":
        assert odd not in actions.summary
    quoted = [line for line in actions.summary.splitlines() if "all is lost" in line]
    assert all(line.startswith("    ") for line in quoted), "as code: nothing of it is Markdown"


def expect_harmless(run: Run) -> None:
    for odd in ESCAPE[0], BIDI, "##[":
        assert odd not in run.text, f"untrusted text brought {odd!r} into the output"
    [annotation] = commands(run.text)
    assert annotation.startswith("::error title=deployment-rolled-back::")


def test_an_event_cannot_give_the_runner_commands(deployed: Checkout, actions: Actions) -> None:
    deployed.release()
    deployed.aws.next_rollout(Crashes())
    deployed.aws.moments.when(
        "ecs:UpdateService", lambda: deployed.ecs_deployment.service.event(HOSTILE)
    )
    run = deployed.run("deploy", **actions.environment)
    expect_harmless(run)
    assert "all is lost" in run.out.partition("Last events")[0]


def test_a_hostile_reason_stays_in_its_annotation_and_heading(actions: Actions) -> None:
    tried = bench(environment=actions.environment)
    error = ERROR(what=HOSTILE)
    tried.target.runtime.console.error(error)
    [line] = tried.err.splitlines()
    assert line.startswith("::error title=some-code::100%25 of ::error::all is lost")
    github.write_summary(actions.environment, error.message, error.remedy, {"fact": HOSTILE}, [])
    heading, _, step, *_ = actions.summary.splitlines()
    for text in heading, step, actions.summary.splitlines()[-2]:
        assert "\\<b\\>table\\</b\\>" in text
        assert "\\| no \\|" in text


def test_quoted_text_cannot_give_the_runner_commands_and_no_token_is_used_twice() -> None:
    tried = bench(environment={"GITHUB_ACTIONS": "true"})
    for _ in range(2):
        with tried.target.runtime.console.quoted():
            tried.target.runtime.console.say("::error::x")
    tokens = re.findall(r"^::stop-commands::(\S{10,})$", tried.out, re.MULTILINE)
    assert len(set(tokens)) == 2
    assert not list(commands(tried.out))
    assert tried.out.count("::error::x") == 2


def test_the_quotation_ends_even_if_the_text_cannot_be_printed() -> None:
    tried = bench(environment={"GITHUB_ACTIONS": "true"})
    with pytest.raises(ZeroDivisionError), tried.target.runtime.console.quoted():
        raise ZeroDivisionError
    token = tried.out.splitlines()[0].removeprefix("::stop-commands::")
    assert tried.out.splitlines()[-1] == f"::{token}::"


def test_outside_of_github_nothing_is_a_workflow_command(deployed: Checkout) -> None:
    deployed.release()
    deployed.aws.next_rollout(Crashes(says=("the end",)))
    run = deployed.run("deploy").expect(1, "deployment-rolled-back")
    assert not [line for line in run.text.splitlines() if "::" in line.replace("arn:aws:iam::", "")]


# --- text ---


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one\r\n two\tthree", "one two three"),
        ("a\x1b[31mred\x1b[0m", "a [31mred [0m"),
        ("a\u202eb\u200bc\u2028d\u2029e\ufefff", "a b c d e f"),
        ("\ud800x", "x"),
        ("##[error]x", "# #[error]x"),
        ("#\u200b#[error]x", "# #[error]x"),
        ("###[error]x", "## #[error]x"),
        ("  ", ""),
        ("Größe 日本 🙂", "Größe 日本 🙂"),
    ],
)
def test_untrusted_text_is_one_harmless_line(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize("value", ["x\nurl=http://example.com", "x\rurl=http://example.com"])
def test_an_output_cannot_set_another_one(tmp_path: Path, value: str) -> None:
    with pytest.raises(ValueError, match="must be one line"):
        github.write_output({"GITHUB_OUTPUT": str(tmp_path / "output")}, "environment", value)
    assert not (tmp_path / "output").exists()


def test_a_workflow_command_stays_on_its_line() -> None:
    assert console.escaped("100%\r\nx") == "100%25%0D%0Ax"


def test_errors_and_warnings_go_to_stderr_and_facts_to_stdout() -> None:
    tried = bench()
    shown = tried.target.runtime.console
    shown.say("a line")
    shown.fact("name", "value")
    shown.warn("a warning")
    shown.error(ERROR(what="x"))
    assert tried.out.splitlines() == ["a line", "name        value"]
    assert tried.err.splitlines() == [
        "a warning",
        "error[some-code]: 100% of x",
        "to fix it: do x",
    ]


def test_text_in_a_pipe_is_not_parsed_as_markup_and_not_wrapped() -> None:
    tried = bench()
    line = "[bold]x[/bold] :smile: " + "word " * 40
    tried.target.runtime.console.say(line)
    assert tried.out == line + "\n"


# --- a terminal ---


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> TerminalOutput:
    set_up(monkeypatch)
    return TerminalOutput()


def red(environment: dict[str, str], stream: TerminalOutput) -> bool:
    Console(environment, stream, stream).error(ERROR(what="x"))
    assert "error[some-code]" in "".join(stream.screen)
    return "\x1b[1;31merror" in stream.getvalue()


def test_an_error_is_red_on_a_terminal(terminal: TerminalOutput) -> None:
    assert red({}, terminal)


def test_an_error_is_not_red_if_no_color_is_set(terminal: TerminalOutput) -> None:
    assert not red({"NO_COLOR": "1"}, terminal)


def test_a_deploy_on_a_terminal_ends_with_one_table_and_no_plain_progress(
    deployed: Checkout, terminal: TerminalOutput
) -> None:
    deployed.release()
    deployed.terminal = terminal
    deployed.run("deploy")
    screen = terminal.screen
    tables = [line for line in screen if line.startswith("ai-assistant-task:2 ")]
    assert tables == ["ai-assistant-task:2  20 s"], "the table is redrawn, not repeated"
    rows = [" ".join(line.split()) for line in screen]
    assert "new tasks 1 running, 0 starting, 0 failed" in rows
    assert "now 1 of 1 tasks running, COMPLETED" in rows
    events = [line for line in screen if line.startswith("event")]
    assert events[0].startswith("event    (service ai-assistant-service) has started 1 tasks")
    assert not [line for line in screen if line.startswith("  5 s:")]
    assert max(len(line) for line in screen) <= 80
    assert screen[-2].startswith("ai-assistant ")


def test_while_it_waits_the_table_shows_both_revisions(
    deployed: Checkout, terminal: TerminalOutput
) -> None:
    deployed.release()
    deployed.aws.faults.interrupt(after=13)
    deployed.terminal = terminal
    deployed.run("deploy")
    screen = "\n".join(terminal.screen)
    waits = " ".join(screen.split())
    assert re.search(r"^  new tasks +1 running, 0 starting, 0 failed$", screen, re.MULTILINE)
    assert re.search(r"^  tasks of ai-assistant-task:1 +1 running", screen, re.MULTILINE)
    assert "waiting for them to become healthy, then for 1 earlier to stop" in waits


def test_a_lost_response_is_shown_on_a_terminal(
    deployed: Checkout, terminal: TerminalOutput
) -> None:
    deployed.release()
    deployed.aws.moments.when(
        "ecs:UpdateService",
        lambda: deployed.aws.faults.refuse("ecs:DescribeServices", "Odd", "no", times=1),
    )
    deployed.terminal = terminal
    deployed.run("deploy")
    assert "no answer (1 of 3): AWS refused ecs:DescribeServices: no (Odd)" in terminal.screen


def test_hostile_text_is_harmless_on_a_terminal(
    deployed: Checkout, terminal: TerminalOutput
) -> None:
    deployed.release()
    deployed.aws.next_rollout(Crashes(says=(HOSTILE,)))
    deployed.terminal = terminal
    deployed.run("deploy")
    assert "all is lost" in "\n".join(terminal.screen)
    for odd in ESCAPE, BIDI:
        assert odd not in terminal.getvalue()


def test_a_terminal_that_cannot_redraw_gets_plain_lines(
    deployed: Checkout, terminal: TerminalOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    deployed.release()
    deployed.terminal = terminal
    deployed.run("deploy")
    assert "  5 s: " in terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()
