"""Where output goes, and how it looks on a terminal, in a pipe and in a workflow's log."""

from io import StringIO

import pytest
from infra.tool.console import Console
from infra.tool.errors import Problem, ToolError

from tests.support.terminal import TerminalOutput

RED = "31m"
BROKEN = Problem("broken", "{what} is broken", "mend it:\n100% of it")


def broken(what: str = "the pipe") -> ToolError:
    return BROKEN(what=what)


def printed(error: ToolError, file: StringIO, **environment: str) -> str:
    environment = {"TERM": "xterm", "COLUMNS": "80"} | environment
    Console(environment, StringIO(), file).error(error)
    return file.getvalue()


def test_facts_go_to_stdout_and_warnings_and_errors_to_stderr() -> None:
    out, err = StringIO(), StringIO()
    console = Console({}, out, err)
    console.say("progress")
    console.fact("name", "value")
    console.warn("careful")
    console.error(broken())
    assert out.getvalue() == "progress\nname        value\n"
    assert err.getvalue().splitlines()[:2] == ["careful", "error[broken]: the pipe is broken"]


def test_a_long_name_is_separated_from_its_value() -> None:
    out = StringIO()
    Console({}, out, StringIO()).fact("a name of twelve or more", "value")
    assert out.getvalue() == "a name of twelve or more value\n"


def test_an_error_is_red_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert RED in printed(broken(), TerminalOutput())
    assert "\x1b" not in printed(broken(), StringIO())


def test_no_color_turns_colour_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert RED not in printed(broken(), TerminalOutput(), NO_COLOR="1")


def test_in_a_pipe_a_long_line_stays_one_line() -> None:
    out = StringIO()
    Console({}, out, StringIO()).fact("name", "word " * 99)
    assert len(out.getvalue().splitlines()) == 1


def test_on_a_terminal_a_long_value_is_wrapped_beside_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = TerminalOutput()
    Console({}, out, StringIO()).fact("name", "word " * 40)
    first, *others = out.getvalue().splitlines()
    assert first.startswith("name        word")
    assert others
    assert all(line.startswith(" " * 12) and len(line) <= 80 for line in others)


def test_markup_in_a_text_is_printed_unchanged() -> None:
    out = StringIO()
    Console({}, out, StringIO()).say("[bold]x[/bold] :smile: [/]")
    assert out.getvalue() == "[bold]x[/bold] :smile: [/]\n"


def test_in_a_workflow_an_error_is_one_annotation_on_one_line() -> None:
    error = printed(broken("50%\r\n::error::hostile"), StringIO(), GITHUB_ACTIONS="true")
    assert error == (
        "::error title=broken::50%25 ::error::hostile is broken%0ATo fix it: mend it:"
        "%0A100%25 of it\n"
    )


def test_outside_of_a_workflow_no_line_is_a_workflow_command() -> None:
    out, err = StringIO(), StringIO()
    console = Console({}, out, err)
    with console.quoted():
        console.say("from the log")
    console.error(broken("::error::hostile"))
    assert out.getvalue() == "from the log\n"
    for line in err.getvalue().splitlines():
        assert not line.lstrip().startswith("::")


def say_and_stop(console: Console, text: str) -> None:
    """Say something in quotation, and be interrupted."""
    with console.quoted():
        console.say(text)
        raise KeyboardInterrupt


def test_quoted_text_cannot_give_a_runner_commands_or_end_the_quotation() -> None:
    tokens = set()
    for _ in range(3):
        out = StringIO()
        console = Console({"GITHUB_ACTIONS": "true"}, out, StringIO())
        with pytest.raises(KeyboardInterrupt):
            say_and_stop(console, "::error::hostile")
        stop, order, resume = out.getvalue().splitlines()
        token = stop.removeprefix("::stop-commands::")
        assert (order, resume) == ("::error::hostile", f"::{token}::")
        assert len(token) >= 10
        tokens.add(token)
    assert len(tokens) == 3, "the token is another each time"
