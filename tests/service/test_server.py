"""gunicorn as gunicorn.conf.py sets it up: a real one, on a free port, with the probe below."""

import asyncio
import gc
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from app.request_log import RequestLog

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 30  # seconds, for what takes one or two
PROBE = ("--pythonpath", "tests", "test_server:probe")
BOOTED = re.compile(r"Started server process \[(\d+)\]")

log = logging.getLogger("probe")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    await asyncio.sleep(0.1)  # as a database takes to close its connections
    log.info("lifespan has ended")


probe = FastAPI(lifespan=lifespan)
probe.add_middleware(RequestLog)


@probe.get("/pid")
async def pid() -> int:
    return os.getpid()


@probe.get("/modules")
async def modules() -> list[str]:
    return sorted(sys.modules)


@probe.get("/garbage")
async def garbage() -> tuple[bool, int]:
    return gc.isenabled(), gc.get_freeze_count()


@probe.get("/slow")
async def slow() -> None:
    log.info("begun")
    await asyncio.sleep(1)


@probe.get("/stream")
async def stream() -> StreamingResponse:
    async def ticks() -> AsyncIterator[bytes]:
        log.info("begun")
        while True:
            yield b"tick"
            await asyncio.sleep(0.1)

    return StreamingResponse(ticks())


@probe.get("/endless")
async def endless() -> None:
    log.info("begun")
    await asyncio.sleep(3600)


@probe.get("/crash")
async def crash() -> None:
    raise ZeroDivisionError("on purpose")


@probe.get("/cancel")
async def cancel() -> None:
    raise asyncio.CancelledError("by the app")


@probe.get("/noise")
async def noise() -> None:
    warnings.warn("a library warns", stacklevel=1)
    sys.stderr.write("a library prints\n")
    sys.stdout.write("half a line ")
    log.info("between")
    sys.stdout.write("and more\n")
    try:
        await crash()
    except ZeroDivisionError:
        traceback.print_exc()


@probe.get("/thread")
async def thread() -> None:
    thread = threading.Thread(target=crash().send, args=[None])
    thread.start()
    thread.join()


class Server:
    """A running gunicorn and what it has said so far."""

    def __init__(self, *arguments: str) -> None:
        gunicorn = str(Path(sys.executable).with_name("gunicorn"))
        command = [gunicorn, "--bind", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.output: list[str] = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as stdout:
            self.output.extend(stdout)

    def lines(self) -> list[dict[str, Any]]:
        lines = []
        for text in self.output[:]:
            try:
                lines.append(json.loads(text))
            except ValueError:
                pytest.fail(f"a server says nothing but JSON lines, and this one said: {text}")
        return lines

    def messages(self) -> list[str]:
        return [line["message"] for line in self.lines()]

    def until(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (outcome := condition()):
            assert time.monotonic() < deadline, f"waited in vain; it said: {''.join(self.output)}"
            time.sleep(0.02)
        return outcome

    def booted(self) -> list[int]:
        return [int(m[1]) for m in map(BOOTED.fullmatch, self.messages()) if m]

    def url(self, path: str) -> str:
        found = self.until(lambda: re.search(r"Listening at: (\S+)", "".join(self.messages())))
        return f"{found[1]}{path}"

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return httpx2.get(self.url(path), headers=headers, timeout=PATIENCE)

    def said(self, path: str, **headers: str) -> list[dict[str, Any]]:
        """The lines that a request leaves, which its trace tells from others."""
        trace = f"Root={uuid4()}"
        self.get(path, **headers, **{"x-amzn-trace-id": trace})
        self.get("/next", **{"x-amzn-trace-id": f"{trace};next"})
        self.until(lambda: any(line.get("trace_id") == f"{trace};next" for line in self.lines()))
        return [line for line in self.lines() if line.get("trace_id") == trace]

    def end(self) -> int:
        """Wait until it has exited and all it said is read; return the exit code."""
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return code


@contextmanager
def serving(*arguments: str) -> Iterator[Server]:
    server = Server(*arguments)
    try:
        yield server
    finally:
        server.process.terminate()
        server.end()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(*PROBE) as server:
        yield server


def test_gunicorn_needs_no_arguments_to_serve_the_app() -> None:
    with serving() as server:
        answer = server.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert server.process.returncode == 0
    assert server.lines()


def test_requests_run_on_uvloop_and_httptools(server: Server) -> None:
    loaded = server.get("/modules").json()
    assert {"uvloop", "uvicorn.protocols.http.httptools_impl"} <= set(loaded)


def test_garbage_is_collected_but_not_looked_for_in_what_was_imported(server: Server) -> None:
    collected, kept = server.get("/garbage").json()
    assert collected
    assert kept > 10_000


def test_the_client_is_the_one_that_the_load_balancer_saw(server: Server) -> None:
    (line,) = server.said("/pid", **{"x-forwarded-for": "198.51.100.66, 203.0.113.9"})
    assert line["client"] == "203.0.113.9", "the addresses before it are the client's own claim"


def test_a_crash_is_one_line_for_the_request_and_one_with_the_traceback(server: Server) -> None:
    crash, request = server.said("/crash")
    assert (request["path"], request["status"]) == ("/crash", 500)
    assert (crash["level"], crash["logger"]) == ("ERROR", "uvicorn.error")
    assert "ZeroDivisionError: on purpose" in crash["exception"]


def test_what_python_and_libraries_print_are_lines_too(server: Server) -> None:
    warning, *printed, _ = server.said("/noise")
    assert (warning["logger"], warning["level"]) == ("py.warnings", "WARNING")
    assert "a library warns" in warning["message"]
    error = printed.pop()["message"]
    assert error.startswith("Traceback")
    assert error.endswith("ZeroDivisionError: on purpose")
    assert [(line["logger"], line["level"], line["message"]) for line in printed] == [
        ("stderr", "ERROR", "a library prints"),
        ("probe", "INFO", "between"),
        ("stdout", "INFO", "half a line and more"),
    ]


def test_a_thread_that_crashes_is_one_line(server: Server) -> None:
    server.said("/thread")
    (line,) = [line for line in server.lines() if line["logger"] == "python"]
    assert "ZeroDivisionError: on purpose" in line["exception"]


def test_what_is_not_http_is_refused_with_a_line(server: Server) -> None:
    host, port = server.url("").removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(b"\x16\x03\x01 this is TLS\r\n\r\n")
        assert connection.recv(1024).startswith(b"HTTP/1.1 400 ")
    server.until(lambda: "Invalid HTTP request received." in server.messages())


def test_a_worker_that_dies_is_replaced(server: Server) -> None:
    first = server.get("/pid").json()
    os.kill(first, signal.SIGKILL)
    server.until(lambda: len(server.booted()) == 2)
    assert server.get("/pid").json() == server.booted()[-1] != first


def test_sigterm_lets_requests_in_flight_finish() -> None:
    with serving(*PROBE) as server, ThreadPoolExecutor() as clients:
        answers = [clients.submit(server.get, "/slow") for _ in range(4)]
        server.until(lambda: server.messages().count("begun") == len(answers))
        server.process.terminate()
        assert [answer.result().status_code for answer in answers] == [200] * len(answers)
    assert server.process.returncode == 0


def test_sigterm_cuts_what_does_not_finish_in_time_and_one_line_says_how_many() -> None:
    """gunicorn.conf.py: LIFESPAN_SECONDS, which is 5, before gunicorn would kill the worker."""
    with serving("--graceful-timeout", "6", *PROBE) as server, ThreadPoolExecutor() as clients:
        cut = [clients.submit(read_to_the_end, server.url("/stream")) for _ in range(3)]
        unanswered = clients.submit(server.get, "/endless")
        server.until(lambda: server.messages().count("begun") == 4)
        begin = time.monotonic()
        server.process.terminate()
        assert [stream.result() for stream in cut] == ["cut"] * 3
        assert unanswered.result().status_code == 500
        assert server.end() == 0
        assert 1 <= time.monotonic() - begin < 6, "cut after 1 s, and nobody had to be killed"
    assert "lifespan has ended" in server.messages()
    (line,) = [line for line in server.lines() if line["level"] not in {"INFO", "WARNING"}]
    assert line["message"].startswith("Cancel 4 running task(s)"), line
    requests = [(line["path"], line["status"]) for line in server.lines() if "path" in line]
    assert sorted(requests) == [("/endless", 500), *[("/stream", 200)] * 3]


def read_to_the_end(url: str) -> str:
    """How a stream ends: whole, or cut."""
    try:
        httpx2.get(url, timeout=PATIENCE)
    except httpx2.RemoteProtocolError:
        return "cut"
    return "whole"


def test_an_app_that_cancels_its_own_request_still_gets_its_traceback(server: Server) -> None:
    """Only the tracebacks of the requests that a stop cuts are dropped."""
    crash, _ = server.said("/cancel")
    assert "CancelledError" in crash["exception"]


def test_a_server_that_cannot_start_says_why_in_lines() -> None:
    with serving(*PROBE[:2], "test_server:missing") as server:
        assert server.end() != 0
    assert any("missing" in message for message in server.messages())
