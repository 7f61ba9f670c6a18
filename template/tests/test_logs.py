"""Whatever happens, one line is one JSON document, and a request is one line."""

import asyncio
import io
import json
import logging
import logging.config
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import LOGGING, PIPE_BUF, JSONFormatter, Printed, RequestLog, trace_id

Lines = Callable[[], list[dict[str, Any]]]

log = logging.getLogger("test")


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """The process's stdout, whatever takes the place of sys.stdout."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "__stdout__", out)
    return out


@pytest.fixture
def lines(out: io.StringIO) -> Iterator[Lines]:
    """What has been logged since the last call."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logging.config.dictConfig(LOGGING)
    trace_id.set(None)

    def read() -> list[dict[str, Any]]:
        text = out.getvalue()
        out.seek(0)
        out.truncate()
        return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]

    yield read
    root.handlers[:] = handlers
    root.setLevel(level)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON, whatever Python's parser thinks")


def test_a_line_says_when_how_bad_who_and_what(lines: Lines) -> None:
    log.warning("%d of %d", 1, 2, extra={"words": 12})
    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {"level": "WARNING", "logger": "test", "message": "1 of 2", "words": 12}


def test_an_exception_is_part_of_its_line(lines: Lines) -> None:
    try:
        raise ValueError("no\nsuch thing")
    except ValueError:
        log.exception("failed")
    (line,) = lines()
    assert line["message"] == "failed"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: no\nsuch thing")


def test_an_extra_cannot_pose_as_the_line(lines: Lines) -> None:
    log.info("true", extra={"level": "CRITICAL", "logger": "forged", "time": "never"})
    (line,) = lines()
    assert (line["level"], line["logger"]) == ("INFO", "test")
    assert line["time"] != "never"


@pytest.mark.parametrize("text", ["a\nb", "a\r\n{}", "\x00\x1b[31m", '"}', "\u2028", "\ud800", "é"])
def test_no_text_breaks_its_line(lines: Lines, text: str) -> None:
    log.info("said", extra={"text": text})
    assert [line["text"] for line in lines()] == [text]


@pytest.fixture
def printed() -> Printed:
    return Printed(None, "stderr", logging.ERROR)


def test_what_is_printed_in_pieces_is_one_line(lines: Lines, printed: Printed) -> None:
    print("a", 5, file=printed)
    print("b", end="", file=printed)
    assert [line["message"] for line in lines()] == ["a 5"]
    print("c", file=printed)
    print("and what is flushed before it ends", end="", file=printed, flush=True)
    assert [line["message"] for line in lines()] == ["bc", "and what is flushed before it ends"]


def test_what_is_no_print_reaches_the_stream_itself() -> None:
    """A child process that gets the stream, and who writes bytes to it."""
    assert sys.__stderr__
    printed = Printed(sys.__stderr__, "stderr", logging.ERROR)
    assert printed.fileno() == sys.__stderr__.fileno()
    assert printed.buffer is sys.__stderr__.buffer
    assert printed.encoding == "utf-8"


def test_threads_that_print_at_once_have_a_line_each(lines: Lines, printed: Printed) -> None:
    print("mine", end=" ", file=printed)
    with ThreadPoolExecutor(1) as other:
        other.submit(print, "another's", file=printed).result()
    print("too", file=printed)
    assert [line["message"] for line in lines()] == ["another's", "mine too"]


def test_a_traceback_that_is_printed_is_one_line(lines: Lines, printed: Printed) -> None:
    try:
        raise ValueError("no\nsuch thing")
    except ValueError:
        traceback.print_exc(file=printed)
    print("next", file=printed)
    error, following = (line["message"] for line in lines())
    assert error.startswith("Traceback")
    assert error.endswith("ValueError: no\nsuch thing")
    assert following == "next"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def ouroboros() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


@pytest.mark.parametrize("value", [float("nan"), {(1, 2): 3}, Unprintable(), ouroboros()])
def test_a_value_that_cannot_be_written_is_reported_in_its_place(
    capsys: pytest.CaptureFixture[str], lines: Lines, value: object
) -> None:
    log.info("said", extra={"value": value})
    (line,) = lines()
    assert "test_logs.py" in line["message"], "the line says who logged"
    assert "Error" in line["exception"], "and why it cannot be written"
    assert capsys.readouterr().err == ""


def test_a_log_call_with_wrong_arguments_is_reported_in_its_place() -> None:
    record = logging.makeLogRecord({"msg": "%d", "args": ("one",)})  # log.info("%d", "one")
    assert "TypeError" in json.loads(JSONFormatter().format(record))["exception"]


def request(app: ASGIApp, incoming: list[Message] | None = None, **scope: Any) -> list[Message]:
    """Send one request through the middleware, as a server does, and return what it would send."""
    sent: list[Message] = []
    messages = iter(incoming or [{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    http = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    asyncio.run(RequestLog(app)({**http, "client": ("203.0.113.9", 5), **scope}, receive, send))
    return sent


def answering(status: int, *chunks: bytes) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def test_a_request_is_one_line(lines: Lines) -> None:
    trace = "Root=1-67891233-abcdef012345678912345678"
    request(
        answering(201),
        method="PUT",
        path="/things",
        query_string=b"token=secret",
        headers=[(b"x-amzn-trace-id", trace.encode())],
    )
    (line,) = lines()
    assert line.pop("time")
    assert 0 <= line.pop("duration_ms") < 60_000
    assert line == {
        "level": "INFO",
        "logger": "app.requests",
        "message": "request",
        "trace_id": trace,
        "method": "PUT",
        "path": "/things",
        "status": 201,
        "client": "203.0.113.9",
    }, "a query string may hold a secret: it is never logged"


def test_a_path_with_control_characters_is_one_line(lines: Lines) -> None:
    path = '/\n{"level":"CRITICAL"}\r\x1b[2J'
    request(answering(404), path=path)
    assert [line["path"] for line in lines()] == [path]


def test_a_request_over_a_socket_file_has_no_client(lines: Lines) -> None:
    request(answering(200), client=None)
    assert [line["client"] for line in lines()] == [None]


def test_what_a_request_logs_carries_its_trace(lines: Lines) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        log.info("working")
        await answering(200)(scope, receive, send)

    request(app, headers=[(b"x-amzn-trace-id", b"Root=1-a")])
    request(app)
    assert [line.get("trace_id") for line in lines()] == ["Root=1-a", "Root=1-a", None, None]


def test_a_request_inherits_no_trace(lines: Lines) -> None:
    trace_id.set("Root=1-of-another")
    request(answering(200))
    assert [line.get("trace_id") for line in lines()] == [None]


def test_health_is_logged_only_when_it_is_bad(lines: Lines) -> None:
    request(answering(200), path="/health")
    assert lines() == []
    request(answering(503), path="/health")
    assert [line["status"] for line in lines()] == [503]


def test_a_crash_before_the_answer_is_a_500_and_goes_on_to_the_server(lines: Lines) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        request(app)
    assert [line["status"] for line in lines()] == [500]


def test_a_stream_passes_through_and_is_logged_at_its_end(lines: Lines) -> None:
    during: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            await send(message)
            during.extend(lines())

        await answering(200, b"a", b"b")(scope, receive, watch)

    sent = request(app)
    assert [message.get("body") for message in sent] == [None, b"a", b"b", b""]
    assert during == []
    assert [line["status"] for line in lines()] == [200]


async def together(log: RequestLog, *paths: str) -> None:
    """Requests that end in the same turn of the event loop."""

    async def ignore(_message: Message) -> None:
        pass

    http = {"type": "http", "method": "GET", "headers": []}
    await asyncio.gather(*(log({**http, "path": path}, asyncio.Future, ignore) for path in paths))


def test_requests_that_end_together_are_written_at_once(
    monkeypatch: pytest.MonkeyPatch, out: io.StringIO
) -> None:
    """But never more at once than a pipe takes from one process without mixing in another's."""
    written: list[str] = []
    monkeypatch.setattr(out, "write", written.append)
    log = RequestLog(answering(200))
    asyncio.run(together(log, "/1", "/2", "/3"))
    assert [text.count("\n") for text in written] == [3]
    written.clear()
    asyncio.run(together(log, *["/" + "x" * 900] * 6))
    assert [text.count("\n") for text in written] == [3, 3]
    assert max(map(len, written)) <= PIPE_BUF


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600", "\x00", '"'])
def test_a_long_path_and_a_long_trace_leave_a_line_that_is_written_at_once(
    lines: Lines, out: io.StringIO, letter: str
) -> None:
    request(answering(404), path=letter * 60_000, headers=[(b"x-amzn-trace-id", b"\xff" * 60_000)])
    assert len(out.getvalue()) <= PIPE_BUF
    (line,) = lines()
    assert line["path"].startswith(letter * 200)


def test_where_stdout_fails_no_request_does_and_the_next_line_is_written(
    monkeypatch: pytest.MonkeyPatch, lines: Lines, out: io.StringIO
) -> None:
    def full(_text: str) -> int:
        raise BlockingIOError

    log = RequestLog(answering(200))
    with monkeypatch.context() as while_full:
        while_full.setattr(out, "write", full)
        asyncio.run(together(log, *["/lost" + "x" * 900] * 9))
    asyncio.run(together(log, "/next"))
    assert [line["path"] for line in lines()] == ["/next"]


def test_a_client_that_leaves_is_one_line(lines: Lines) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.extend([(await receive())["type"] for _ in range(2)])
        await answering(400)(scope, receive, send)

    request(app, [{"type": "http.request", "body": b"half", "more_body": True}])
    assert heard == ["http.request", "http.disconnect"]
    assert [line["status"] for line in lines()] == [400]


def test_a_cancelled_request_is_one_line(lines: Lines) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        request(app)
    assert len(lines()) == 1


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_http_request_passes_through_untouched(lines: Lines, kind: str) -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(scope)
        await send({"type": f"{kind}.anything"})

    assert request(app, type=kind) == [{"type": f"{kind}.anything"}]
    assert [scope["type"] for scope in seen] == [kind]
    assert lines() == []
