"""The demo waits for an answer of the service it started, and says why if none comes."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scripts import demo

JSON = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n"


@contextmanager
def server(*answers: bytes | None) -> Iterator[str]:
    """A server that gives one of the answers to each connection, the last to all that follow.

    None means no answer: the connection stays open.
    """
    connections: list[socket.socket] = []

    def serve() -> None:
        for number in range(1000):
            try:
                connection, _ = listening.accept()
            except OSError:  # closed below
                return
            connections.append(connection)
            connection.recv(65536)
            answer = answers[min(number, len(answers) - 1)]
            if answer is not None:
                connection.sendall(answer)
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/health"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


@pytest.fixture
def running() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


NO_ANSWER_YET = {
    "silence": None,
    "it hangs up": b"",
    "half an answer": JSON + b'{"status"',
    "an answer that is not HTTP": b"SSH-2.0-OpenSSH_10.0\r\n",
    "an answer that is not JSON": JSON + b"<html>not ready",
    "an error": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("first", NO_ANSWER_YET.values(), ids=NO_ANSWER_YET)
def test_a_slow_start_is_waited_for(
    running: "subprocess.Popen[bytes]", first: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "ANSWER", 0.1)
    with server(first, JSON + b'{"status":"ok"}') as url:
        assert demo.ask(url, running) == '{"status": "ok"}'


@pytest.mark.parametrize("always", NO_ANSWER_YET.values(), ids=NO_ANSWER_YET)
def test_no_answer_in_time_ends_with_the_reason(
    running: "subprocess.Popen[bytes]", always: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "ANSWER", 0.1)
    monkeypatch.setattr(demo, "START_UP", 0.2)
    with server(always) as url, pytest.raises(SystemExit) as ended:
        demo.ask(url, running)
    message = str(ended.value)
    assert message.startswith(f"{url} did not answer within 0.2 s (")
    assert "()" not in message, "the reason is missing"
    assert message.endswith("run `make demo` again.")


def test_a_server_that_ends_is_not_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as process:
        process.wait()
        with pytest.raises(SystemExit, match="The server ended with exit code 3"):
            demo.ask("http://127.0.0.1:9/health", process)


def test_windows_gets_a_server_that_runs_there() -> None:
    assert demo.server_command(8080, "posix") == ["gunicorn", "--bind", "127.0.0.1:8080"]
    assert demo.server_command(8080, "nt")[0] == "uvicorn", "gunicorn needs os.fork"
