"""gunicorn as gunicorn.conf.py sets it up."""

import os
import re
import runpy
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.service.servers import PATIENCE, Server, serving
from tests.support.rendering import ROOT

BOOTED = re.compile(r"Started server process \[(\d+)\]")


def probe(*options: str, app: str = "app") -> list[str]:
    """The command that runs the app of server_probe.py."""
    return [*GUNICORN, *options, "--pythonpath", str(ROOT), f"tests.service.server_probe:{app}"]


GUNICORN = ["gunicorn", "--bind", "127.0.0.1:0"]


def messages(server: Server) -> list[str]:
    return [line["message"] for line in server.lines()]


def booted(server: Server) -> list[int]:
    """The ids of the workers that were ever ready, the oldest first."""
    return [int(found[1]) for found in map(BOOTED.fullmatch, messages(server)) if found]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(*probe()) as server:
        yield server


def test_gunicorn_needs_no_arguments_to_serve_the_app() -> None:
    with serving(*GUNICORN) as server:
        answer = server.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert server.process.returncode == 0


# Values of gunicorn.conf.py. tests/test_contract.py of a service compares some with other files.
CHOSEN: dict[str, tuple[object, str]] = {
    "bind": ("0.0.0.0:8080", "the load balancer asks from outside of the container"),
    "worker_class": ("uvicorn_worker.UvicornWorker", "the app is asynchronous"),
    "keepalive": (75, "seconds: more than the load balancer keeps a connection"),
    "timeout": (60, "seconds until a hung worker is replaced"),
    "graceful_timeout": (30, "seconds: less than the stopTimeout of the task"),
    "LIFESPAN_SECONDS": (5, "seconds of that for the end of the app's lifespan"),
    "WEBSOCKET_MESSAGE_SIZE": (64 * 2**10, "bytes: messages do not count against the budget"),
    "control_socket_disable": (True, "its socket needs a folder that can be written to"),
    "forwarded_allow_ips": (
        "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10",
        "otherwise a client could choose its own address in the log",
    ),
    "worker_tmp_dir": ("/dev/shm" if Path("/dev/shm").is_dir() else None, "read-only elsewhere"),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_a_gunicorn_setting_has_the_chosen_value(name: str) -> None:
    found = runpy.run_path(os.fspath(ROOT / "template" / "gunicorn.conf.py"))[name]
    value, reason = CHOSEN[name]
    assert found == value, (
        f"gunicorn.conf.py: {name} is {found!r} and was {value!r}: {reason}. If the change is "
        "meant, change CHOSEN in tests/service/test_server.py too"
    )


def test_requests_run_on_uvloop_and_httptools(server: Server) -> None:
    loaded = server.get("/modules").json()
    assert {"uvloop", "uvicorn.protocols.http.httptools_impl"} <= set(loaded)


def test_uvicorn_creates_no_access_records(server: Server) -> None:
    """The lines for requests are request_log.py's; uvicorn's would cost 35 µs each."""
    for _ in range(2):
        answer = server.get("/access-records")
    assert answer.json() == [], "gunicorn.conf.py: turn uvicorn's access log off"


def test_garbage_collection_skips_imported_objects(server: Server) -> None:
    collected, kept = server.get("/garbage").json()
    assert collected
    assert kept > 10_000, "gunicorn.conf.py: gc.freeze() after the imports, or each start is longer"


def test_a_websocket_message_of_64_kb_is_accepted_and_a_larger_one_is_refused(
    server: Server,
) -> None:
    with connect(f"ws://127.0.0.1:{server.port()}/size") as socket:
        socket.send(bytes(64 * 2**10))
        assert socket.recv(PATIENCE) == str(64 * 2**10)
        socket.send(bytes(64 * 2**10 + 1))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(PATIENCE)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1009, "gunicorn.conf.py: WEBSOCKET_MESSAGE_SIZE"


def test_a_worker_that_dies_is_replaced(server: Server) -> None:
    first = server.get("/pid").json()
    os.kill(first, signal.SIGKILL)
    server.wait_for(lambda: len(booted(server)) == 2)
    assert server.get("/pid").json() == booted(server)[-1] != first


def test_sigterm_lets_requests_in_flight_finish() -> None:
    with serving(*probe()) as server, ThreadPoolExecutor() as clients:
        answers = [clients.submit(server.get, "/slow") for _ in range(4)]
        server.wait_for(lambda: messages(server).count("begun") == len(answers))
        server.process.terminate()
        assert [answer.result().status_code for answer in answers] == [200] * len(answers)
    assert server.process.returncode == 0


def read_stream(url: str) -> str:
    """Read a stream, and return how it ends."""
    try:
        httpx2.get(f"http://{url}", timeout=PATIENCE)
    except httpx2.RemoteProtocolError:
        return "cut"
    return "whole"


def read_socket(url: str) -> int | None:
    """Read a WebSocket, and return the code with which it is closed."""
    with connect(f"ws://{url}") as socket:
        try:
            socket.recv(PATIENCE)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None
    return 0


def test_sigterm_cuts_unfinished_requests_after_the_timeout_and_logs_their_number() -> None:
    """gunicorn.conf.py cuts LIFESPAN_SECONDS, which are 5, before gunicorn kills the worker."""
    with (
        serving(*probe("--graceful-timeout", "6")) as server,
        ThreadPoolExecutor() as clients,
    ):
        address = f"127.0.0.1:{server.port()}"
        streams = [clients.submit(read_stream, f"{address}/stream") for _ in range(3)]
        socket = clients.submit(read_socket, f"{address}/socket")
        unanswered = clients.submit(server.get, "/endless")
        server.wait_for(lambda: messages(server).count("begun") == 5)
        begin = time.monotonic()
        server.process.terminate()
        assert [stream.result() for stream in streams] == ["cut"] * 3
        assert socket.result() == 1012, "the server restarts: the client may connect again"
        assert unanswered.result().status_code == 500
        assert server.process.wait(PATIENCE) == 0
        assert 1 <= time.monotonic() - begin < 6, "cut after 1 s, and before it would be killed"
        lines = server.lines()
    assert "lifespan has ended" in [line["message"] for line in lines]
    [line] = [line for line in lines if line["level"] == "ERROR"]
    assert line["message"].startswith("Cancel 5 running task(s)"), line
    requests = [(line["path"], line.get("status")) for line in lines if line.get("path")]
    assert [each for each in sorted(requests, key=str) if each[0] != "/socket"] == [
        ("/endless", 500),
        *[("/stream", 200)] * 3,
    ], "each cut request still has its line"


def test_an_app_that_cancels_its_own_request_still_gets_its_traceback(server: Server) -> None:
    """Only the tracebacks of the requests that a stop cuts are dropped."""
    crash, _ = server.lines_of("/cancel")
    assert "CancelledError" in crash["exception"]


def test_a_server_that_cannot_start_logs_the_reason() -> None:
    with serving(*probe(app="missing")) as server:
        assert server.process.wait(PATIENCE) != 0
        assert any("missing" in message for message in messages(server))
