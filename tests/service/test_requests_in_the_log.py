"""The log lines of requests and WebSockets, in the app alone and behind gunicorn."""

import asyncio
import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from app.request_log import PIPE_BUF, RequestLog
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from websockets.sync.client import connect

from tests.service.servers import Line, Server, serving
from tests.support.rendering import ROOT

TRACE = "Root=1-67891233-abcdef012345678912345678"

log = logging.getLogger("orders")
app = FastAPI()
app.add_middleware(RequestLog)


@app.get("/health")
async def health(status: int) -> JSONResponse:
    return JSONResponse(None, status)


@app.put("/orders/{number}", status_code=201)
async def order(number: int) -> int:
    log.warning("working")
    return number


@app.get("/crash")
async def crash() -> None:
    raise ZeroDivisionError


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    log.warning("working")
    async for text in websocket.iter_text():
        await websocket.send_text(text)


@app.websocket("/closed")
async def closed(websocket: WebSocket, code: int) -> None:
    await websocket.accept()
    await websocket.close(code)


@app.websocket("/refused")
async def refused(websocket: WebSocket) -> None:
    await websocket.close()


@app.websocket("/denied")
async def denied(websocket: WebSocket) -> None:
    await websocket.send_denial_response(JSONResponse(None, 401))


@app.websocket("/crash")
async def crash_in_a_websocket(websocket: WebSocket) -> None:
    await websocket.accept()
    raise ZeroDivisionError


class Log:
    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self.capfd = capfd

    def text(self) -> str:
        return self.capfd.readouterr().out

    def lines(self) -> list[Line]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str]) -> Log:
    return Log(capfd)


@pytest.fixture
def client() -> TestClient:
    return TestClient(app, client=("203.0.113.9", 5), raise_server_exceptions=False)


def check_and_remove_times(line: Line) -> Line:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert 0 <= line.pop("duration_ms") < 60_000
    return line


def test_a_request_is_one_line(client: TestClient, logged: Log) -> None:
    client.put("/orders/7?token=secret", headers={"x-amzn-trace-id": TRACE})
    [line] = logged.lines()
    assert check_and_remove_times(line) == {
        "level": "INFO",
        "logger": "app.requests",
        "trace_id": TRACE,
        "message": "request",
        "method": "PUT",
        "path": "/orders/7",
        "status": 201,
        "client": "203.0.113.9",
    }, "a query string may hold a secret: it is never logged"


def test_a_websocket_is_one_line(client: TestClient, logged: Log) -> None:
    headers = {"x-amzn-trace-id": TRACE}
    with client.websocket_connect("/echo?token=secret", headers=headers) as websocket:
        websocket.send_text("hello")
        assert websocket.receive_text() == "hello"
        assert logged.lines() == [], "the line comes at the end"
        websocket.close(4001)
    [line] = logged.lines()
    assert check_and_remove_times(line) == {
        "level": "INFO",
        "logger": "app.requests",
        "trace_id": TRACE,
        "message": "websocket",
        "path": "/echo",
        "status": 101,
        "close_code": 4001,
        "client": "203.0.113.9",
    }


def test_a_websocket_that_the_app_closes_has_the_code_of_the_app(
    client: TestClient, logged: Log
) -> None:
    with client.websocket_connect("/closed?code=1013") as websocket:
        assert websocket.receive()["code"] == 1013
    assert [line["close_code"] for line in logged.lines()] == [1013]


@pytest.mark.parametrize(("path", "status"), [("/refused", 403), ("/denied", 401)])
def test_a_websocket_that_the_app_does_not_accept_has_a_status(
    client: TestClient, logged: Log, path: str, status: int
) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(path):
        pass
    [line] = logged.lines()
    assert line["status"] == status
    assert "close_code" not in line


def test_a_websocket_whose_app_crashes_ends_without_a_code(client: TestClient, logged: Log) -> None:
    with pytest.raises(ZeroDivisionError), client.websocket_connect("/crash") as websocket:
        websocket.receive()
    [line] = logged.lines()
    assert (line["status"], line["close_code"]) == (101, 1006)


def test_a_crash_before_the_response_is_a_500(client: TestClient, logged: Log) -> None:
    assert client.get("/crash").status_code == 500
    assert [line["status"] for line in logged.lines()] == [500]


def test_health_is_logged_only_if_it_fails(client: TestClient, logged: Log) -> None:
    client.get("/health?status=200")
    assert logged.lines() == []
    client.get("/health?status=503")
    assert [line["status"] for line in logged.lines()] == [503], (
        "app/request_log.py: a request for /health that fails is logged"
    )


def test_a_path_with_control_characters_is_one_line(client: TestClient, logged: Log) -> None:
    client.get("/%0A%7B%22level%22%3A%22CRITICAL%22%7D%0D%1B[2J")
    assert [line["path"] for line in logged.lines()] == ['/\n{"level":"CRITICAL"}\r\x1b[2J']


def request(app: ASGIApp, **scope: Any) -> None:
    """Send a request with members of a scope that no client of a test can choose."""

    async def send(_message: Message) -> None:
        pass

    http = {"type": "http", "method": "GET", "path": "/", "headers": list[object](), "client": None}
    asyncio.run(RequestLog(app)({**http, **scope}, asyncio.Future, send))


async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_a_request_over_a_unix_socket_has_no_client(logged: Log) -> None:
    request(respond)
    assert [line["client"] for line in logged.lines()] == [None]


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600", "\x00", '"'])
def test_long_values_from_the_client_are_cut_to_a_line_of_one_write(
    logged: Log, letter: str
) -> None:
    trace = letter.encode() * 20_000
    request(
        respond,
        method="M" * 20_000,
        path=letter * 20_000,
        client=(letter * 20_000, 0),
        headers=[(b"x-amzn-trace-id", trace)],
    )
    text = logged.text()
    assert len(text) <= PIPE_BUF
    line = json.loads(text)
    assert line["path"].startswith(letter * 150)
    assert line["client"] == letter * 45
    assert line["trace_id"] == trace[:200].decode("latin-1")
    assert line["method"] == "M" * 20


def test_a_request_does_not_get_the_trace_of_another(client: TestClient, logged: Log) -> None:
    client.put("/orders/1", headers={"x-amzn-trace-id": TRACE})
    client.put("/orders/2")
    assert [line.get("trace_id") for line in logged.lines()] == [TRACE, None]


@pytest.mark.parametrize("error", [asyncio.CancelledError, ZeroDivisionError])
def test_a_request_that_ends_in_an_exception_is_one_line(
    logged: Log, error: type[BaseException]
) -> None:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    with pytest.raises(error):
        request(fail)
    assert [line["status"] for line in logged.lines()] == [500]


async def request_together(log: RequestLog, *paths: str) -> None:
    """Make requests that end in the same turn of the event loop."""

    async def send(_message: Message) -> None:
        pass

    http = {"type": "http", "method": "GET", "headers": []}
    await asyncio.gather(*(log({**http, "path": path}, asyncio.Future, send) for path in paths))


def test_requests_that_end_together_are_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one write, as far as a pipe accepts their lines at once."""
    written: list[str] = []
    monkeypatch.setattr("app.request_log.write", written.append)
    asyncio.run(request_together(RequestLog(respond), "/1", "/2", "/3"))
    assert [text.count("\n") for text in written] == [3]
    written.clear()
    asyncio.run(request_together(RequestLog(respond), *["/" + "x" * 900] * 6))
    assert [text.count("\n") for text in written] == [3, 3]
    assert max(map(len, written)) <= PIPE_BUF


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    app = "tests.service.set_ups.untouched:app"
    with serving("gunicorn", "--bind", "127.0.0.1:0", "--pythonpath", str(ROOT), app) as server:
        yield server


def test_a_websocket_works_behind_gunicorn_and_uvicorn_logs_nothing_of_it(server: Server) -> None:
    url = f"ws://127.0.0.1:{server.port()}/echo?token=secret"
    headers = {"x-amzn-trace-id": TRACE, "x-forwarded-for": "198.51.100.66, 203.0.113.9"}
    with connect(url, additional_headers=headers) as websocket:
        websocket.send("hello")
        assert websocket.recv() == "hello"
    opened, line = server.lines_with(TRACE)
    assert opened["message"] == "the socket is open"
    assert (line["message"], line["status"], line["close_code"]) == ("websocket", 101, 1000)
    assert line["client"] == "203.0.113.9"
    text = server.log.read_text()
    assert "secret" not in text
    assert "connection open" not in text


def test_a_service_without_websockets_does_not_import_their_package() -> None:
    """gunicorn.conf.py gives uvicorn app/protocol.py, or uvicorn would import it at the start."""
    check = (
        "import sys, app.main, app.protocol, uvicorn_worker; sys.exit('websockets' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT / "template")
    assert done.returncode == 0


def test_the_client_is_the_one_that_the_load_balancer_saw(server: Server) -> None:
    [line] = server.lines_of("/health/", **{"x-forwarded-for": "198.51.100.66, 203.0.113.9"})
    assert line["client"] == "203.0.113.9", "the client itself claims the addresses before it"


def test_trailers_change_neither_client_nor_trace(server: Server) -> None:
    """They come after a chunked body, and so after the headers of the load balancer."""
    with socket.create_connection(("127.0.0.1", server.port()), 30) as connection:
        connection.sendall(
            b"POST /trailers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\nX-Forwarded-For: 203.0.113.9\r\n"
            b"X-Amzn-Trace-Id: Root=of-the-load-balancer\r\n\r\n2\r\n{}\r\n0\r\n"
            b"X-Forwarded-For: 198.51.100.66\r\nX-Amzn-Trace-Id: Root=forged\r\n\r\n"
        )
        while connection.recv(1024):
            pass
    [line] = server.lines_with("Root=of-the-load-balancer")
    assert line["client"] == "203.0.113.9"


def test_an_invalid_request_is_a_line(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port()), 30) as connection:
        connection.sendall(b"\x16\x03\x01 this is TLS\r\n\r\n")
        assert connection.recv(1024).startswith(b"HTTP/1.1 400 ")
    server.wait_for(lambda: "Invalid HTTP request received." in server.log.read_text())
