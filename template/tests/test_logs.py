"""Whatever happens, one line is one JSON document, and a request is one line."""

import asyncio
import io
import json
import logging
import logging.config
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import LOGGING, JSONFormatter, RequestLog, trace_id

Lines = Callable[[], list[dict[str, Any]]]

log = logging.getLogger("test")


out = io.StringIO()  # for stdout


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What has been logged since the last call."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stdout = {**LOGGING["handlers"]["stdout"], "stream": out}
    logging.config.dictConfig({**LOGGING, "handlers": {"stdout": stdout}})
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
    with redirect_stdout(out):
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


def test_requests_that_end_together_are_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """But never more at once than a pipe takes from one process without mixing in another's."""
    written: list[str] = []
    monkeypatch.setattr(sys, "stdout", stdout := io.StringIO())
    monkeypatch.setattr(stdout, "write", written.append)
    log = RequestLog(answering(200))

    async def ignore(_message: Message) -> None:
        pass

    async def together(*paths: str) -> None:
        http = {"type": "http", "method": "GET", "headers": []}
        requests = [log({**http, "path": path}, asyncio.Future, ignore) for path in paths]
        await asyncio.gather(*requests)

    asyncio.run(together("/1", "/2", "/3"))
    assert [text.count("\n") for text in written] == [3]
    written.clear()
    asyncio.run(together(*["/" + "x" * 1500] * 4))
    assert [text.count("\n") for text in written] == [2, 2]
    assert max(map(len, written)) <= 4096


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
