"""Two services of docs/recipes/microservice.md call each other, whatever the other one does."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from tests.recipes.service import Recipes, RecipeService
from tests.service.servers import PATIENCE, Line, Server

pytestmark = pytest.mark.recipe

TRACE = "Root=1-67891233-abcdef012345678912345678"
ORDER = {"country": "DE", "items": [{"cents": 2500, "grams": 400, "quantity": 2}]}
QUOTE = {"goods_cents": 5000, "shipping_cents": 550, "total_cents": 5550, "days": 2}
TOTAL = 5  # seconds: TOTAL_SECONDS of the page


@pytest.fixture(scope="module")
def shop(recipes: Recipes) -> RecipeService:
    return recipes.service("microservice", "example")


@pytest.fixture(scope="module")
def other(recipes: Recipes) -> RecipeService:
    """A service with other answers, two workers among them."""
    return recipes.service("microservice", "other")


def ask(server: Server) -> httpx2.Response:
    return httpx2.post(
        f"http://127.0.0.1:{server.port()}/quotes",
        json=ORDER,
        headers={"X-Amzn-Trace-Id": TRACE},
        timeout=PATIENCE,
    )


def lines(server: Server, message: str, count: int = 1) -> list[Line]:
    """The lines that say a call of the other service, or a request for a rate."""

    def found() -> list[Line]:
        path = "/shipping/rate"
        each = [line for line in server.lines() if line["message"] == message]
        return [line for line in each if line["path"] == path]

    server.wait_for(lambda: len(found()) >= count)
    return found()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port()}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_both_services_call_each_other_with_the_trace_of_the_request(
    shop: RecipeService, other: RecipeService
) -> None:
    port = free_port()  # known before its server starts, because each needs the other's
    with (
        other.serving(SHIPPING_URL=f"http://127.0.0.1:{port}") as second,
        shop.serving("--bind", f"127.0.0.1:{port}", SHIPPING_URL=url(second)) as first,
    ):
        for asking, asked in ((first, second), (second, first)):
            assert ask(asking).json() == QUOTE
            [call] = lines(asking, "call")
            assert (call["trace_id"], call["attempts"]) == (TRACE, 1)
            [request] = lines(asked, "request")
            assert request["trace_id"] == TRACE, "the other service logs another request"


def test_a_service_with_stuck_workers_is_504_within_the_total_timeout(
    shop: RecipeService, other: RecipeService
) -> None:
    """The kernel still accepts connections for them."""
    with other.serving() as slow, shop.serving(SHIPPING_URL=url(slow)) as server:
        with stopped(workers(slow)):
            begin = time.monotonic()
            answer = ask(server)
            seconds = time.monotonic() - begin
            health = server.get("/health").status_code
        assert answer.status_code == 504
        assert seconds < TOTAL + 5, "TOTAL_SECONDS does not end the call"
        assert health == 200, "/health depends on the other service"
        assert ask(server).json() == QUOTE, "it does not recover"


def workers(server: Server) -> list[int]:
    server.wait_for(lambda: "Application startup complete" in server.log.read_text())
    listed = subprocess.run(
        ["pgrep", "--parent", str(server.process.pid)], capture_output=True, text=True, check=True
    )
    return [int(pid) for pid in listed.stdout.split()]


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_service_that_is_gone_is_503_at_once(shop: RecipeService, other: RecipeService) -> None:
    """Connections that were kept open are gone as well, and so is the port."""
    with other.serving() as gone, shop.serving(SHIPPING_URL=url(gone)) as server:
        assert ask(server).json() == QUOTE
        gone.process.terminate()
        gone.process.wait(PATIENCE)
        answer = ask(server)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert lines(server, "call", count=2)[-1]["outcome"] == "cannot be reached"
        assert server.get("/health").status_code == 200


class FaultyHandler(BaseHTTPRequestHandler):
    """A service that fails; `status` is what it answers, 0 for nothing."""

    protocol_version = "HTTP/1.1"
    status: int
    requests: list[str]

    def do_GET(self) -> None:
        self.requests.append(self.path)
        self.close_connection = not self.status
        if self.status:
            self.send_response(self.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def faulty(status: int) -> Iterator[tuple[str, list[str]]]:
    """Its URL, and the requests that it gets."""
    requests: list[str] = []
    handler = type("Handler", (FaultyHandler,), {"status": status, "requests": requests})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "answered", "attempts"), [(500, 502, 1), (503, 503, 3), (0, 502, 3)]
)
def test_a_failing_service_is_retried_or_reported(
    shop: RecipeService, status: int, answered: int, attempts: int
) -> None:
    with faulty(status) as (address, requests), shop.serving(SHIPPING_URL=address) as server:
        assert ask(server).status_code == answered
        assert len(requests) == attempts


def test_a_service_that_is_down_gets_few_retries(
    shop: RecipeService,
) -> None:
    calls_made, budget, share = 60, 10, 0.1
    with faulty(503) as (address, requests), shop.serving(SHIPPING_URL=address) as server:
        port = server.port()
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            statuses = {client.post("/quotes", json=ORDER).status_code for _ in range(calls_made)}
    assert statuses == {503}
    retries = len(requests) - calls_made
    assert budget <= retries <= budget + calls_made * share, "the budget of retries"


def test_a_stop_waits_for_the_call_in_progress(shop: RecipeService, other: RecipeService) -> None:
    with other.serving() as slow, shop.serving(SHIPPING_URL=url(slow)) as server:
        assert ask(server).json() == QUOTE
        with stopped(workers(slow)):
            answers: list[httpx2.Response] = []
            thread = threading.Thread(target=lambda: answers.append(ask(server)))
            thread.start()
            time.sleep(0.5)  # the request is on its way
            server.process.terminate()
        thread.join(PATIENCE)
        assert [answer.json() for answer in answers] == [QUOTE]
        assert server.process.wait(PATIENCE) == 0


def test_the_service_that_others_call_has_an_internal_load_balancer(shop: RecipeService) -> None:
    settings = (shop.path / "infra" / "settings.toml").read_text()
    assert "\ninternal = true\n" in settings
    environment = shop.container()["environment"]
    assert json.dumps(environment).count("SHIPPING_URL") == 1
