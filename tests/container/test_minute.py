"""The timeouts of a minute, as they are in production, all waited for at once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.container.containers import Container, Script, serving, until
from tests.support.installed_service import InstalledService

pytestmark = pytest.mark.container

IDLE_TIMEOUT = 60  # seconds, after which a load balancer gives up a connection; infra/stack.yml

BODY_TIMEOUT = 60  # seconds, for which a body is waited for; app/limits.py

IDLE = f"""
import http.client, json, time
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
def ask():
    connection.request("GET", "/health")
    answer = connection.getresponse()
    answer.read()
    return answer.status
first, same = ask(), connection.sock
time.sleep({IDLE_TIMEOUT})
print(json.dumps([first, ask(), connection.sock is same]))
"""

# One connection sends half a body and no more, the other a byte every second.
SLOW = """
import json, socket, time
from concurrent.futures import ThreadPoolExecutor
def half(trickle):
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", 8080), 60) as connection:
        connection.sendall(
            b"POST /reading-time HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\n"
            b"Content-Length: 1000\\r\\n\\r\\n"
        )
        connection.settimeout(1 if trickle else 600)
        answer = b""
        while not answer.endswith(b'"}'):
            try:
                answer += connection.recv(65536)
            except TimeoutError:
                connection.sendall(b" ")
        return answer.decode().splitlines()[0], time.monotonic() - begin
with ThreadPoolExecutor() as both:
    print(json.dumps(list(both.map(half, [False, True]))))
"""


@dataclass(frozen=True)
class Minute:
    container: Container
    idle: Script
    slow: Script
    frozen: Container


@pytest.fixture(scope="module")
def minute(image: str, service: InstalledService) -> Iterator[Minute]:
    """A container with an idle client and slow ones, and one whose worker has just frozen."""
    with serving(image, service.path) as container, serving(image, service.path) as frozen:
        idle, slow = container.start(IDLE), container.start(SLOW)
        (worker,) = frozen.workers()
        frozen.run("bash", "-c", f"kill -STOP {worker}")
        yield Minute(container, idle, slow, frozen)


def test_an_idle_connection_outlives_the_load_balancers(minute: Minute) -> None:
    assert minute.idle.result() == [200, 200, True]


def test_a_body_that_does_not_arrive_times_out(minute: Minute) -> None:
    for status, waited in minute.slow.result():
        assert status == "HTTP/1.1 408 Request Timeout"
        assert waited > BODY_TIMEOUT - 1, "the limit is the whole time that it may take"
    assert len(minute.container.workers()) == 1


def test_a_frozen_worker_is_replaced(minute: Minute) -> None:
    def killed() -> list[dict[str, Any]]:
        return [line for line in minute.frozen.lines() if "TIMEOUT" in json.dumps(line)]

    until(killed)
    until(lambda: len(minute.frozen.workers()) == 2)
    until(minute.frozen.healthy)
