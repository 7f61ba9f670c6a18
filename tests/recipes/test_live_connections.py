"""The recipe of live connections: real clients, through a stop of the server and at its limits."""

import json
import re
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.recipes.balancer import balancing
from tests.recipes.service import FOLDER, Recipes, RecipeService
from tests.service.servers import PATIENCE, Line, Server
from tests.support.browser import launched
from tests.support.programs import require

IDLE_TIMEOUT = 60  # seconds, of the load balancer
CUT = 25  # seconds after which uvicorn cuts the connections of a stop

# In each test the pool of clients is the first to be made and the last to end: if a test fails, its
# servers end, and then the clients that still read from them.
pytestmark = pytest.mark.recipe


@pytest.fixture(scope="module")
def service(recipes: Recipes) -> RecipeService:
    return recipes.service("live-connections", "example")


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    """The URL of a Valkey, or of a Redis, which has the same commands."""
    program = shutil.which("valkey-server") or require("redis-server", "redis-server")
    with TemporaryDirectory() as folder:  # a short path: that of a socket has 107 characters
        path = Path(folder) / "valkey"
        options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder]
        log = (Path(folder) / "log").open("wb")
        with log, subprocess.Popen([program, *options], stdout=log, stderr=log) as process:
            try:
                until(path.exists)
                yield f"unix://{path}"
            finally:
                process.terminate()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s"
        time.sleep(0.02)


@contextmanager
def ready(service: RecipeService, **environment: str) -> Iterator[Server]:
    """The server of a service, once it accepts clients."""
    with service.serving(**environment) as server:
        until(lambda: accepts_clients(server))
        yield server


def accepts_clients(server: Server) -> bool:
    with httpx2.stream("GET", url(server, "/messages/events"), timeout=PATIENCE) as answer:
        return answer.status_code == 200


def url(server: Server, path: str, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{server.port()}{path}"


def publish(server: Server, *texts: str) -> None:
    with httpx2.Client(timeout=PATIENCE) as client:
        for text in texts:
            answer = client.post(url(server, "/messages"), json={"text": text})
            assert answer.status_code == 202


@dataclass
class Listener:
    """The messages that a client has received. It stops reading after the text "last"."""

    texts: list[str] = field(default_factory=list)
    last_id: str | None = None
    reset: bool = False
    ready: bool = False
    code: int | None = None  # of a WebSocket that the server closed

    def got(self, id: str, text: str) -> bool:
        self.texts.append(text)
        self.last_id = id
        return text == "last"

    def stream(self, server: Server) -> None:
        """Server-sent events, until their end. Raises RemoteProtocolError if they are cut."""
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        address = url(server, "/messages/events")
        with httpx2.stream("GET", address, headers=headers, timeout=PATIENCE) as answer:
            assert answer.status_code == 200
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                event[name] = value
                if line == "" and self.dispatch(event):
                    return
                event = event if line else {}

    def dispatch(self, event: dict[str, str]) -> bool:
        self.ready = True
        self.last_id = event.get("id", self.last_id)
        self.reset |= event.get("event") == "reset"
        if "data" not in event or "event" in event:
            return False
        return self.got(event["id"], json.loads(event["data"])["text"])

    def socket(self, server: Server) -> None:
        """A WebSocket, until it is closed."""
        after = f"?after={self.last_id}" if self.last_id else ""
        with connect(url(server, f"/messages/socket{after}", "ws")) as opened:
            self.read(opened)

    def read(self, opened: ClientConnection) -> None:
        try:
            while True:
                message = json.loads(opened.recv(PATIENCE))
                self.ready = True
                self.last_id = message.get("id", self.last_id)
                self.reset |= message["type"] == "reset"
                if message["type"] == "message" and self.got(message["id"], message["text"]):
                    return
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd else None


def test_a_stop_closes_every_connection_at_once_and_logs_no_error(service: RecipeService) -> None:
    streams, sockets = [Listener() for _ in range(20)], [Listener() for _ in range(20)]
    with ThreadPoolExecutor(40) as clients, ready(service) as server:
        reading = [clients.submit(each.stream, server) for each in streams]
        reading += [clients.submit(each.socket, server) for each in sockets]
        until(lambda: all(each.ready for each in [*streams, *sockets]))
        publish(server, "one")
        server.process.terminate()
        for each in reading:
            each.result(PATIENCE)  # raises if a stream is cut, as uvicorn does it after 25 s
        assert server.process.wait(PATIENCE) == 0
        lines = server.lines()
    assert [each.texts for each in [*streams, *sockets]] == [["one"]] * 40
    assert {each.code for each in sockets} == {1012}, "service restart"
    assert [line["clients"] for line in lines if "clients" in line] == [40]
    assert [line for line in lines if line["level"] == "ERROR"] == []
    paths = [(line["path"], line.get("close_code")) for line in lines if line.get("path")]
    assert paths.count(("/messages/socket", 1012)) == 20
    assert paths.count(("/messages/events", None)) >= 20
    assert "Application shutdown complete." in [line["message"] for line in lines]


def test_clients_lose_nothing_when_they_move_from_an_old_task_to_a_new_one(
    service: RecipeService, valkey: str
) -> None:
    """As in a deploy: both run, messages keep coming, then the old one is stopped."""
    streams, sockets = [Listener() for _ in range(5)], [Listener() for _ in range(5)]
    listeners = [*streams, *sockets]
    sent: list[str] = []
    enough = Event()
    with (
        ThreadPoolExecutor(20) as clients,
        ready(service, EVENTS_URL=valkey) as old,
        ready(service, EVENTS_URL=valkey) as new,
    ):
        reading = [clients.submit(each.stream, old) for each in streams]
        reading += [clients.submit(each.socket, old) for each in sockets]
        until(lambda: all(each.ready for each in listeners))
        publishing = clients.submit(keep_publishing, new, sent, enough)
        until(lambda: all(each.texts for each in listeners))
        old.process.terminate()
        for each in reading:
            each.result(PATIENCE)
        assert old.process.wait(PATIENCE) == 0
        until(lambda: all(len(each.texts) < len(sent) for each in listeners))  # each misses some
        reading = [clients.submit(each.stream, new) for each in streams]
        reading += [clients.submit(each.socket, new) for each in sockets]
        enough.set()
        publishing.result(PATIENCE)
        publish(new, "last")
        for each in reading:
            each.result(PATIENCE)
    assert [each.texts for each in listeners] == [[*sent, "last"]] * 10
    assert not any(each.reset for each in listeners)


def keep_publishing(server: Server, sent: list[str], enough: Event) -> None:
    while not enough.wait(0.02):
        publish(server, str(len(sent)))
        sent.append(str(len(sent)))


def test_a_process_that_starts_later_has_the_earlier_messages(
    service: RecipeService, valkey: str
) -> None:
    stream, web_socket = Listener(), Listener()
    with ThreadPoolExecutor() as clients, ready(service, EVENTS_URL=valkey) as old:
        reading = [clients.submit(stream.stream, old), clients.submit(web_socket.socket, old)]
        until(lambda: stream.ready and web_socket.ready)
        publish(old, "last", "missed", "last")
        for each in reading:
            each.result(PATIENCE)
    with ThreadPoolExecutor() as clients, ready(service, EVENTS_URL=valkey) as new:
        reading = [clients.submit(stream.stream, new), clients.submit(web_socket.socket, new)]
        for each in reading:
            each.result(PATIENCE)
    assert stream.texts == web_socket.texts == ["last", "missed", "last"]
    assert not stream.reset
    assert not web_socket.reset


def test_a_client_of_a_single_process_is_told_that_messages_are_lost(
    service: RecipeService,
) -> None:
    stream, web_socket = Listener(), Listener()
    with ThreadPoolExecutor() as clients, ready(service) as old:
        reading = [clients.submit(stream.stream, old), clients.submit(web_socket.socket, old)]
        until(lambda: stream.ready and web_socket.ready)
        publish(old, "last")
        for each in reading:
            each.result(PATIENCE)
        assert "EVENTS_URL" in old.log.read_text(), "the log says that events stay in this process"
    with ThreadPoolExecutor() as clients, ready(service) as new:
        reading = [clients.submit(stream.stream, new), clients.submit(web_socket.socket, new)]
        until(lambda: stream.reset and web_socket.reset)
        publish(new, "last")
        for each in reading:
            each.result(PATIENCE)
    assert stream.texts == web_socket.texts == ["last", "last"]


def test_a_message_reaches_the_clients_of_every_worker(recipes: Recipes, valkey: str) -> None:
    two_workers = recipes.service("live-connections", "other")
    listeners = [Listener() for _ in range(12)]
    with ThreadPoolExecutor(12) as clients, ready(two_workers, EVENTS_URL=valkey) as server:
        reading = [clients.submit(each.socket, server) for each in listeners]
        until(lambda: all(each.ready for each in listeners))
        publish(server, "last")
        for each in reading:
            each.result(PATIENCE)
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        ended = [line["clients"] for line in server.lines() if "clients" in line]
    assert [each.texts for each in listeners] == [["last"]] * 12
    assert len(ended) == 2, "each of the two workers ends its own connections"


def test_a_client_that_does_not_read_is_dropped_and_continues_where_it_was(
    service: RecipeService,
) -> None:
    slow, sent = Listener(), 0
    with ready(service) as server:
        # Without compression, and with little room in the client, so that the server has to wait.
        address = url(server, "/messages/socket", "ws")
        with connect(address, compression=None, max_queue=1) as opened:
            while "reads too slowly" not in server.log.read_text():
                assert sent < 5000, "40 MB wait for a client"
                publish(server, *(large(number) for number in range(sent, sent + 100)))
                sent += 100
            slow.read(opened)
        assert slow.code == 1013, "try again later"
        before = len(slow.texts)
        publish(server, "last")
        slow.socket(server)
    assert 100 <= before < sent
    assert slow.texts == [*map(large, range(sent)), "last"]
    assert not slow.reset


def test_clients_that_disconnect_during_much_output_log_no_error(service: RecipeService) -> None:
    with ready(service) as server:
        publish(server, *map(large, range(300)))
        streams = [open_stream(server, after="1-0") for _ in range(50)]  # each is sent all 300
        for each in streams:
            break_off(each)
        until(lambda: streams_ended(server) > len(streams))
        lines = lines_of_a_stop(server)
    assert [line for line in lines if line["level"] == "ERROR"] == []
    assert [line["clients"] for line in lines if "clients" in line] == [0], "a place is not free"


def test_clients_that_read_nothing_and_then_disconnect_log_no_error(service: RecipeService) -> None:
    with ready(service) as server:
        streams = [open_stream(server) for _ in range(50)]
        sent = 0
        while server.log.read_text().count("reads too slowly") < len(streams):
            assert sent < 5000, "40 MB wait for a client"
            publish(server, *map(large, range(sent, sent + 100)))
            sent += 100
        for each in streams:
            break_off(each)
        until(lambda: streams_ended(server) > len(streams))
        lines = lines_of_a_stop(server)
    assert [line for line in lines if line["level"] == "ERROR"] == []
    assert [line["clients"] for line in lines if "clients" in line] == [0], "a place is not free"


def open_stream(server: Server, after: str | None = None) -> socket.socket:
    """A connection whose client has read the beginning of the answer."""
    connection = socket.create_connection(("127.0.0.1", server.port()), PATIENCE)
    last_id = f"Last-Event-ID: {after}\r\n" if after else ""
    connection.sendall(
        f"GET /messages/events HTTP/1.1\r\nHost: localhost\r\n{last_id}\r\n".encode()
    )
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    return connection


def break_off(connection: socket.socket) -> None:
    """Reset a connection, as a client does that is gone: what is under way is lost."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def streams_ended(server: Server) -> int:
    return [line.get("path") for line in server.lines()].count("/messages/events")


def lines_of_a_stop(server: Server) -> list[Line]:
    """The log of a server, once it has stopped without having to cut a connection."""
    begin = time.monotonic()
    server.process.terminate()
    assert server.process.wait(PATIENCE) == 0
    assert time.monotonic() - begin < CUT, "a stream was open until uvicorn cut it"
    return server.lines()


def large(number: int) -> str:
    """A message of 8 kB."""
    return f"{number} " + "\N{GRINNING FACE}" * 1990


def test_idle_connections_are_kept_alive(service: RecipeService) -> None:
    with ThreadPoolExecutor() as clients, ready(service) as server:
        comment = clients.submit(first_comment, server)
        ping = clients.submit(first_ping, server)
        assert comment.result() < IDLE_TIMEOUT
        assert ping.result() < IDLE_TIMEOUT


def first_comment(server: Server) -> float:
    """Seconds until a stream without events has a comment."""
    begin = time.monotonic()
    with httpx2.stream("GET", url(server, "/messages/events"), timeout=IDLE_TIMEOUT) as answer:
        next(line for line in answer.iter_lines() if line.startswith(":"))
    return time.monotonic() - begin


def first_ping(server: Server) -> float:
    """Seconds until a WebSocket without messages has a ping: 0x89, and four bytes."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port()), timeout=IDLE_TIMEOUT) as opened:
        request = "GET /messages/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
        request += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        opened.sendall(f"{request}Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode())
        received = b""
        while b"\x89\x04" not in received:
            piece = opened.recv(2**12)
            assert piece, f"closed after {received!r}"
            received += piece
    return time.monotonic() - begin


def test_the_clients_that_the_page_shows_survive_a_deploy(
    service: RecipeService, valkey: str
) -> None:
    scripts = re.findall(
        r"^```js\n(.*?)^```$", (FOLDER / "live-connections.md").read_text("utf-8"), re.M | re.S
    )
    assert len(scripts) == 2, "one for EventSource, one for WebSocket"
    with (
        launched() as browser,
        ready(service, EVENTS_URL=valkey) as old,
        ready(service, EVENTS_URL=valkey) as new,
        balancing(old.port()) as balancer,
    ):
        pages = [browser.new_page() for _ in scripts]
        for page, script in zip(pages, scripts, strict=True):
            page.goto(f"http://127.0.0.1:{balancer.port}/health")
            page.evaluate("() => { shown = []; show = (message) => shown.push(message.text); }")
            page.add_script_tag(content=script)
        number = 0
        while not all(page.evaluate("shown.length") for page in pages):
            number += 1
            assert number < 600, "a page does not connect"
            publish(new, str(number))
            pages[0].wait_for_timeout(50)
        balancer.target = new.port()
        old.process.terminate()
        publish(new, "while no client listens")
        assert old.process.wait(PATIENCE) == 0
        [clients] = [line["clients"] for line in old.lines() if "clients" in line]
        assert clients == 2, "both were connected to the old one"
        publish(new, "last")
        for page in pages:
            page.wait_for_function("shown.includes('last')", timeout=PATIENCE * 1000)
            shown = page.evaluate("shown")
            assert shown[-2:] == ["while no client listens", "last"]
            assert len(shown) == len(set(shown)), "none comes twice"
