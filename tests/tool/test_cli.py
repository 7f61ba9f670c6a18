"""Help, usage, signals and unexpected errors: how any command begins and ends."""

import os
import re
import signal
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

import pytest
from infra.tool import checks, cli
from infra.tool.clock import SystemClock
from infra.tool.console import Console
from infra.tool.runtime import Runtime
from infra.tool.target import Target

from tests.support.checkout import Checkout

# By command: its exit codes, as its help lists them.
COMMANDS = {
    "provision": [0, 1, 2, 3, 130, 143],
    "deploy": [0, 1, 2, 3, 130, 143],
    "rollback": [0, 1, 2, 3, 130, 143],
    "status": [0, 1, 2, 130, 143],
    "logs": [0, 2, 130, 143],
    "check": [0, 2, 130, 143],
    "destroy": [0, 1, 2, 3, 130, 143],
    "test-image": [0, 1, 2, 130, 143],
    "settings": [0, 2, 130, 143],
    "explain-credentials": [1, 2, 130, 143],
}


def nothing_may_be_asked(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("nothing may be read or asked for this")


def run(*words: str, root: Path = Path("/does/not/exist")) -> tuple[int, str]:
    """Run a command without files, network or credentials. Returns its exit code and stderr."""
    err = StringIO()
    runtime = Runtime(
        root=root,
        environment={"PATH": "/does/not/exist"},
        console=Console({}, StringIO(), err),
        clock=SystemClock(),
        connect=nothing_may_be_asked,
        fetch=nothing_may_be_asked,
        resolve=nothing_may_be_asked,
        ask=nothing_may_be_asked,
    )
    return cli.run(words, runtime), err.getvalue()


# --- help ---


@pytest.fixture(autouse=True)
def _a_screen_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("words", [("--help",), ("-h",), (), ("",)])
def test_help_fits_one_screen_and_reads_nothing(
    words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == (0, "")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 80
    listed = [line.split()[0] for line in lines if re.match(r"  [a-z]", line)]
    assert listed == list(COMMANDS), "name every command of the tool in this test, too"


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_lists_every_exit_code_and_reads_nothing(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, option) == (0, "")
    text = capsys.readouterr().out
    codes = re.findall(r"^ +(\d+)  ", text.partition("Exit codes:")[2], re.MULTILINE)
    assert [int(code) for code in codes] == COMMANDS[command]
    assert max(len(line) for line in text.splitlines()) <= 80


# --- wrong usage ---


@pytest.mark.parametrize(
    "words",
    [
        ("--force",),
        ("stauts",),
        ("status", "--force"),
        ("status", "now"),
        ("check", "everything"),
        ("deploy", "--now"),
        ("logs", "--since"),
        ("logs", "--since", "soon"),
        ("rollback", "41", "42"),
        ("--json", "status"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_refused_before_anything_is_read(words: Sequence[str]) -> None:
    code, err = run(*words)
    assert code == 2
    first, second = err.splitlines()
    assert first.startswith("error[usage]: ")
    assert re.fullmatch(r"to fix it: uv run --frozen -m infra( [a-z]+)? --help", second)


def test_an_empty_argument_is_ignored(tmp_path: Path) -> None:
    code, err = run("status", "", root=tmp_path)
    assert (code, err.partition("]")[0]) == (2, "error[settings-missing")


# --- unexpected errors ---


def test_an_unexpected_error_is_one_line_and_its_traceback_is_in_a_file(
    deployed: Checkout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: Target) -> NoReturn:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(checks, "check_credentials", fail)
    monkeypatch.setattr("tempfile.tempdir", os.fspath(tmp_path))
    run = deployed.run("status").expect(1, "unexpected")
    assert len(run.err.splitlines()) == 2
    assert "Traceback" not in run.text
    [file] = tmp_path.glob("infra-error-*.txt")
    assert os.fspath(file) in run.err
    assert "ZeroDivisionError: by\nzero" in file.read_text(encoding="utf-8")


def test_an_unexpected_error_after_a_change_makes_the_outcome_unknown(
    deployed: Checkout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def change_and_fail(target: Target) -> NoReturn:
        target.aws.ecs.create_cluster(clusterName="another")
        raise ZeroDivisionError

    monkeypatch.setattr(checks, "check_credentials", change_and_fail)
    monkeypatch.setattr("tempfile.tempdir", os.fspath(tmp_path))
    deployed.run("status", principal="root").expect(3, "unexpected")


# --- in a process of its own ---


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_at_once(
    deployed: Checkout, sent: signal.Signals, code: int
) -> None:
    deployed.write_log("hello")
    with deployed.start_tool("logs", "--follow", "--since", "3000d") as process:
        assert process.stdout
        assert process.stdout.readline() == "hello\n", "it follows the log"
        process.send_signal(sent)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, "", "")


def test_status_runs_in_a_process_of_its_own(deployed: Checkout) -> None:
    with deployed.start_tool("status") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "200 in " in out
    assert f"commit {deployed.head}" in out
    assert "\x1b" not in out, "colour is for terminals"


@pytest.mark.parametrize("command", ["deploy", "provision"])
def test_without_credentials_a_command_asks_for_a_sign_in(deployed: Checkout, command: str) -> None:
    deployed.own_process = True
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
    run = deployed.run(command, **none).expect(2, "sign-in")
    run.expect_text("Unable to locate credentials", "aws sso login")
    assert run.operations == [], "there is nothing to sign a request with"


def test_the_region_of_the_shell_is_not_used(deployed: Checkout) -> None:
    with deployed.start_tool("status", AWS_REGION="eu-west-1") as process:
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_character_that_the_terminal_lacks_is_replaced(deployed: Checkout) -> None:
    deployed.write_log("Grüße")
    with deployed.start_tool("logs", "--since", "3000d", PYTHONIOENCODING="ascii") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "Gr??e\n", "")


def test_a_closed_pipe_is_not_an_error(deployed: Checkout) -> None:
    deployed.write_log(*(f"line {number} " + "x" * 100 for number in range(3000)))
    with deployed.start_tool("logs", "--since", "3000d") as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr
        err = process.stderr.read()
    assert err == ""


def test_ctrl_c_while_modules_are_imported_shows_no_traceback(
    rendered: Checkout, tmp_path: Path
) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    with rendered.start_tool("status", principal="root", PYTHONPATH=os.fspath(tmp_path)) as process:
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
