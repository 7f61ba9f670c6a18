"""gunicorn as gunicorn.conf.py sets it up: a real one, on a free port, with the probe below."""

import asyncio
import gc
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.request_log import RequestLog

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 30  # seconds, for what takes one or two
PROBE = ("--pythonpath", "tests", "test_server:probe")
BOOTED = re.compile(r"Started server process \[(\d+)\]")

log = logging.getLogger("probe")
probe = FastAPI()
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


def test_a_server_that_cannot_start_says_why_in_lines() -> None:
    with serving(*PROBE[:2], "test_server:missing") as server:
        assert server.end() != 0
    assert any("missing" in message for message in server.messages())
