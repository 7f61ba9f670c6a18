"""The format of the log: each line is one JSON document, whatever an app logs or prints."""

import io
import json
import logging
import logging.config
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import pytest
from app.captured_output import CapturedStream
from app.logs import LOGGING, LineFormatter, configure_logging

from tests.service.servers import Line

Lines = Callable[[], list[Line]]

log = logging.getLogger("orders")


@pytest.fixture
def stdout(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "__stdout__", stdout)
    return stdout


@pytest.fixture
def lines(stdout: io.StringIO) -> Iterator[Lines]:
    """Returns what has been logged since the last call."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging()

    def read() -> list[Line]:
        text = stdout.getvalue()
        stdout.seek(0)
        stdout.truncate()
        return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]

    yield read
    root.handlers[:] = handlers
    root.setLevel(level)


def refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is not JSON, although Python's parser accepts it")


def test_a_line_has_time_level_logger_message_and_extra(lines: Lines) -> None:
    log.warning("%d of %d", 1, 2, extra={"words": 12})
    [line] = lines()
    assert line.pop("time")[-5:-4] == "."
    assert line == {"level": "WARNING", "logger": "orders", "message": "1 of 2", "words": 12}


def test_an_exception_is_part_of_its_line(lines: Lines) -> None:
    try:
        raise ValueError("no\nsuch thing")
    except ValueError:
        log.exception("failed")
    [line] = lines()
    assert line["message"] == "failed"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: no\nsuch thing")


def test_extra_and_printed_json_do_not_replace_the_standard_fields(
    lines: Lines,
) -> None:
    forged = {"logger": "forged", "time": "never"}
    log.info("true", extra=forged)
    print(json.dumps(forged), file=CapturedStream(None, "stdout", "INFO"))
    record, printed = lines()
    assert (record["logger"], printed["logger"]) == ("orders", "stdout")
    assert "never" not in {record["time"], printed["time"]}


@pytest.mark.parametrize("text", ["a\nb", "a\r\n{}", "\x00\x1b[2J", '"}', "\u2028", "\ud800", "é"])
def test_no_text_breaks_a_line_of_the_log(lines: Lines, text: str) -> None:
    log.info("said", extra={"text": text})
    print(f"-{text}-", file=CapturedStream(None, "stdout", "INFO"))
    record, printed = lines()
    assert record["text"] == text
    assert printed["message"] == f"-{text}-"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def ouroboros() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


@pytest.mark.parametrize("value", [float("nan"), {(1, 2): 3}, Unprintable(), ouroboros()])
def test_a_value_without_json_is_reported_in_its_place(lines: Lines, value: object) -> None:
    log.info("said", extra={"value": value})
    [line] = lines()
    assert "test_log_lines.py" in line["message"], "the line names the call"
    assert "Error" in line["exception"], "and what is wrong with it"


def test_a_log_call_with_wrong_arguments_is_reported_in_its_place() -> None:
    record = logging.makeLogRecord({"msg": "%d", "args": ("one",)})
    assert "TypeError" in json.loads(LineFormatter().format(record))["exception"]


@pytest.mark.parametrize("fails", ["write", "flush"])
def test_no_logging_call_fails_if_stdout_does(
    monkeypatch: pytest.MonkeyPatch, lines: Lines, stdout: io.StringIO, fails: str
) -> None:
    def full(*_arguments: object) -> NoReturn:
        raise BlockingIOError

    with monkeypatch.context() as while_full:
        while_full.setattr(stdout, fails, full)
        log.info("lost")
        print("lost", file=CapturedStream(None, "stdout", "INFO"))
    lines()
    log.info("next")
    assert [line["message"] for line in lines()] == ["next"]


@pytest.mark.usefixtures("lines")
def test_a_terminal_gets_text(monkeypatch: pytest.MonkeyPatch, stdout: io.StringIO) -> None:
    monkeypatch.setattr(stdout, "isatty", lambda: True)
    try:
        raise ValueError("no such thing")
    except ValueError:
        log.exception("failed", extra={"words": 12})
    first, *rest = stdout.getvalue().splitlines()
    assert first.endswith(" ERROR    orders failed words=12")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "ValueError: no such thing"


def test_the_servers_loggers_stay_enabled(lines: Lines) -> None:
    """dictConfig and fileConfig disable existing loggers by default."""
    for name in "uvicorn.error", "asyncio", "python":
        logging.getLogger(name).disabled = True
        logging.getLogger(name).error("%s", name)
    assert [line["message"] for line in lines()] == ["uvicorn.error", "asyncio", "python"]


def test_gunicorn_can_apply_the_configuration_again(lines: Lines) -> None:
    """On SIGHUP, for example."""
    logging.config.dictConfig(LOGGING)
    log.info("once")
    logging.getLogger("gunicorn.error").info("once")
    logging.getLogger("uvicorn.error").info("once")
    assert [line["message"] for line in lines()] == ["once"] * 3


@pytest.fixture
def stderr() -> CapturedStream:
    return CapturedStream(None, "stderr", "ERROR")


def messages(lines: Lines) -> list[str]:
    return [line["message"] for line in lines()]


def test_a_line_that_is_printed_in_pieces_is_one_line(lines: Lines, stderr: CapturedStream) -> None:
    print("a", 5, file=stderr)
    print("b", end="", file=stderr)
    assert messages(lines) == ["a 5"]
    print("c", file=stderr)
    print("flushed before its end", end="", file=stderr, flush=True)
    assert messages(lines) == ["bc", "flushed before its end"]


def test_threads_that_print_at_once_have_a_line_each(lines: Lines, stderr: CapturedStream) -> None:
    print("mine", end=" ", file=stderr)
    with ThreadPoolExecutor(1) as other:
        other.submit(print, "another's", file=stderr).result()
    print("too", file=stderr)
    assert messages(lines) == ["another's", "mine too"]


def test_a_printed_traceback_is_one_line(lines: Lines, stderr: CapturedStream) -> None:
    try:
        raise ValueError("no\nsuch thing")
    except ValueError:
        traceback.print_exc(file=stderr)
    print("next", file=stderr)
    error, following = messages(lines)
    assert error.startswith("Traceback")
    assert error.endswith("ValueError: no\nsuch thing")
    assert following == "next"


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("2026-11-27 20:33:59 | WARNING  | orders:pay:7 - late", "WARNING"),
        ("2026-11-27 20:33:59 [\x1b[32m\x1b[1minfo     \x1b[0m] paid", "INFO"),
        ('{"event": "an error", "level": "info"}', "INFO"),
        ('{"text": "20:33:59 | INFO | paid", "record": {"level": {"name": "INFO"}}}', "INFO"),
        ("paid\nan info on line 2", "ERROR"),
        ("", None),
    ],
)
def test_printed_text_has_the_level_that_it_names(
    lines: Lines, stderr: CapturedStream, text: str, level: str | None
) -> None:
    print(text, file=stderr)
    assert [line["level"] for line in lines()] == ([level] if level else [])


def test_a_traceback_on_stdout_is_an_error(lines: Lines) -> None:
    print("failed\nTraceback (most recent call last):", file=CapturedStream(None, "stdout", "INFO"))
    assert [line["level"] for line in lines()] == ["ERROR"]


@pytest.mark.parametrize("text", ["{", '{"a": NaN}', '{"a": 1e999}', '{"a":' * 5000, "{'a': 1}"])
def test_text_that_only_looks_like_json_is_a_message(
    lines: Lines, stderr: CapturedStream, text: str
) -> None:
    print(text, file=stderr)
    assert messages(lines) == [text]


def test_bytes_and_child_processes_use_the_original_stream() -> None:
    assert sys.__stderr__
    captured = CapturedStream(sys.__stderr__, "stderr", "ERROR")
    assert captured.fileno() == sys.__stderr__.fileno()
    assert captured.buffer is sys.__stderr__.buffer
    assert captured.encoding == "utf-8"
    assert captured.writable()
