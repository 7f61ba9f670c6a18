"""However an app sets up logging, a record is one line under gunicorn, and no request fails."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.servers import Line, Server, serving
from tests.support.rendering import ROOT

SET_UPS = [path.stem for path in Path(__file__).with_name("set_ups").glob("[!_]*.py")]
CRASHING = ["crash_at_import", "crash_at_startup"]

# One for each way to configure `logging`, and each library. The others are variations.
MAIN = ["untouched", "basic_config", "dict_config", "loguru_intercept", "structlog_json"]
MAIN += ["rich_handler"]

Serve = Callable[[str], Server]


def gunicorn(set_up: str) -> list[str]:
    app = f"tests.service.set_ups.{set_up}:app"
    return ["gunicorn", "--bind", "127.0.0.1:0", "--pythonpath", str(ROOT), app]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if name in MAIN else pytest.mark.slow)
        for name in sorted(set(SET_UPS) - set(CRASHING))
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(*gunicorn(request.param)) as server:
        yield server


def without_request(lines: list[Line]) -> list[Line]:
    """The lines without that of the request, which is the last one."""
    assert [line["logger"] for line in lines].count("app.requests") == 1, lines
    assert lines[-1]["logger"] == "app.requests", lines
    return lines[:-1]


def test_a_record_is_one_line(server: Server) -> None:
    [line] = without_request(server.lines_of("/info"))
    assert "the order is paid" in line["message"]
    assert line["level"] in {"INFO", "WARNING"}, "an alarm on errors must not go off"


def test_a_record_with_an_exception_is_one_line(server: Server) -> None:
    *_, request = lines = server.lines_of("/exception")
    [line] = without_request(lines)
    assert "the order failed" in line["message"]
    assert "ZeroDivisionError: on purpose" in line["message"] + line.get("exception", "")
    assert line["level"] == "ERROR"
    assert request["status"] == 200


def test_a_crash_is_one_line_with_its_traceback(server: Server) -> None:
    *_, request = lines = server.lines_of("/crash")
    [line] = without_request(lines)
    text = line["message"] + line.get("exception", "")
    assert "Traceback (most recent call last)" in text
    assert "ZeroDivisionError: on purpose" in text
    assert line["level"] == "ERROR"
    assert request["status"] == 500


@pytest.mark.parametrize("path", ["/thread", "/task"])
def test_a_crash_outside_of_the_request_is_one_line(server: Server, path: str) -> None:
    before = len(server.lines())
    server.lines_of(path)
    lines = [line for line in server.lines()[before:] if line["logger"] != "app.requests"]
    [line] = lines
    assert "ZeroDivisionError: on purpose" in line["message"] + line.get("exception", "")
    assert line["level"] == "ERROR"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/print", "the order is printed"),
        ("/traceback", "ZeroDivisionError: on purpose"),
        ("/warning", "UserWarning:"),
    ],
)
def test_printed_text_is_one_line_too(server: Server, path: str, text: str) -> None:
    [line] = without_request(server.lines_of(path))
    assert text in " ".join(line["message"].split())


def test_a_request_is_logged_once_and_without_its_query_string(server: Server) -> None:
    lines = server.lines_of("/missing?token=secret")
    assert without_request(lines) == []
    assert lines[-1]["path"] == "/missing"
    assert "secret" not in server.log.read_text()


@pytest.mark.parametrize("set_up", CRASHING)
def test_a_crash_at_the_start_leaves_its_traceback(set_up: str) -> None:
    with serving(*gunicorn(set_up)) as server:
        assert server.process.wait(30) != 0
        [line] = [line for line in server.lines() if "Traceback" in f"{line}"]
    assert "ZeroDivisionError: on purpose" in f"{line}"
