"""Requests that may arrive: through the load balancer, directly, and from an attacker."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.container.containers import Container, serving, until
from tests.support.installed_service import InstalledService

pytestmark = pytest.mark.container

# For the scripts below: send bytes and return all that comes back until the server closes.
SEND = """
import json, socket
def send(data):
    with socket.create_connection(("127.0.0.1", 8080), 60) as connection:
        try:
            connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has answered before it has read all
        answer = b""
        try:
            while data := connection.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
        return answer.decode("latin-1")
def post(body, *headers):
    head = ["POST /reading-time HTTP/1.1", "Host: x", "Connection: close", *headers]
    return "\\r\\n".join([*head, "", ""]).encode("latin-1") + body
def typed(body):
    return post(body, "Content-Type: application/json", f"Content-Length: {len(body)}")
"""

MALFORMED = {
    "not HTTP": r"b'\x16\x03\x01 this is TLS\r\n\r\n'",
    "an unknown method": r"b'FOO / HTTP/1.1\r\nHost: x\r\n\r\n'",
    "an unknown version": r"b'GET / HTTP/3.0\r\nHost: x\r\n\r\n'",
    "HTTP/2 without an upgrade": r"b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'",
    "a path of bytes": r"b'GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n'",
    "a path without end": r"b'GET /' + b'a' * 100_000 + b' HTTP/1.1\r\nHost: x\r\n\r\n'",
    "a target that is no path": r"b'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'",
    "a header with a null byte": r"b'GET / HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n'",
    "a header on two lines": r"b'GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n'",
    "two lengths": r"post(b'{}', 'Content-Length: 2', 'Content-Length: 3')",
    "a length below nothing": r"post(b'{}', 'Content-Length: -1')",
    "length and chunks": r"post(b'0\r\n\r\n', 'Content-Length: 2', 'Transfer-Encoding: chunked')",
    "a chunk without a size": r"post(b'zz\r\n', 'Transfer-Encoding: chunked')",
    "no body": r"typed(b'')",
    "no JSON": r"typed(b'{')",
    "no UTF-8": r"typed(b'{\"text\": \"\xff\"}')",
    "half of a pair": r"typed(b'{\"text\": \"\\ud800\"}')",
    "not a number": r"typed(b'{\"text\": NaN}')",
    "too large a number": r"typed(b'{\"text\": 1e999}')",
    "too many digits": r"typed(b'{\"text\": ' + b'9' * 5000 + b'}')",
    "too deep": r"typed(b'[' * 100_000)",
    "deep": r"typed(b'{\"text\":' * 5000 + b'1' + b'}' * 5000)",
    "another type": r"post(b'{}', 'Content-Type: \xff', 'Content-Length: 2')",
    "a body too large": r"typed(b' ' * 3_000_000)",
    "a body too large to come": r"post(b'', 'Content-Length: 99999999999')",
    "chunks too large": r"post(b'300000\r\n' + b' ' * 0x300000, 'Transfer-Encoding: chunked')",
}


def test_malformed_or_large_requests_are_refused_and_use_no_memory(
    image: str, service: InstalledService
) -> None:
    requests = ", ".join(f"{name!r}: {request}" for name, request in MALFORMED.items())
    script = f"{SEND}\nprint(json.dumps({{k: send(v) for k, v in {{{requests}}}.items()}}))"
    with serving(image, service.path) as container:
        before = container.memory()
        answers = container.ask(script)
        unclean = {k: v[:99] for k, v in answers.items() if not v.startswith("HTTP/1.1 4")}
        assert not unclean
        assert container.healthy()
        assert len(container.workers()) == 1, "the worker lives on"
        assert container.memory() - before < 64 * 1024
        assert {line["level"] for line in container.lines()} <= {"INFO", "WARNING"}


def test_half_a_request_does_not_delay_other_clients(image: str, service: InstalledService) -> None:
    script = f"""{SEND}
import http.client
halves = [b"", b"GET", b"GET / HTTP/1.1\\r\\nX: ", post(b"{{", "Content-Length: 9")] * 25
held = []
for half in halves:
    held.append(socket.create_connection(("127.0.0.1", 8080), 60))
    held[-1].sendall(half)
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
statuses, headers = set(), {{"content-type": "application/json"}}
for _ in range(500):
    connection.request("POST", "/reading-time", '{{"text": "a"}}', headers)
    answer = connection.getresponse()
    statuses.add(answer.status)
    answer.read()
print(json.dumps(sorted(statuses)))
"""
    with serving(image, service.path) as container:
        assert container.ask(script) == [200]
        assert container.healthy()


# 300 clients that send a body of the largest size without its last byte, half of them in chunks and
# with no length; meanwhile others send whole requests. Prints how many of the 300 were refused, how
# the others were answered, and how long the slowest health check took, and then waits.
HALF_SENT = """
import http.client, json, socket, sys, threading, time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
SIZE = 2 * 2**20
HEAD = b"POST /reading-time HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\n"
LENGTH = b"Content-Length: %d\\r\\n\\r\\n" % SIZE
CHUNKED = b"Transfer-Encoding: chunked\\r\\n\\r\\n%x\\r\\n" % SIZE
def half(number):
    connection = socket.create_connection(("127.0.0.1", 8080), 60)
    connection.sendall(HEAD + (CHUNKED if number % 2 else LENGTH) + b" " * (SIZE - 1))
    return connection
def refused(connection):
    connection.settimeout(0)
    try:
        return connection.recv(100).split()[1].decode()
    except BlockingIOError:
        return "held"
def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
    begin = time.monotonic()
    connection.request(method, path, body, {"content-type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status, time.monotonic() - begin
def others():
    while not done.wait(0.2):
        status, seconds = ask("GET", "/health")
        checks.append(seconds)
        answers[f"/health {status}"] += 1
        status, _ = ask("POST", "/reading-time", json.dumps({"text": "word " * 100}))
        answers[f"/reading-time {status}"] += 1
done, checks, answers = threading.Event(), [], Counter()
with ThreadPoolExecutor(31) as clients:
    other = clients.submit(others)
    try:
        connections = list(clients.map(half, range(300)))
        time.sleep(3)
        statuses = Counter(map(refused, connections))
    finally:
        done.set()
    other.result()
print(json.dumps([statuses, answers, max(checks)]), flush=True)
sys.stdin.readline()
for connection in connections:
    connection.close()
time.sleep(1)
largest = b'{"text": "a"}'.ljust(SIZE)
print(json.dumps([ask("POST", "/reading-time", largest)[0] for _ in range(100)]))
"""


def test_half_sent_bodies_do_not_take_the_memory_from_other_requests(
    image: str, service: InstalledService
) -> None:
    with serving(image, service.path) as container:
        before = container.memory()
        clients = container.start(HALF_SENT)
        statuses, answers, slowest = json.loads(clients.line())
        held = container.memory() - before
        assert statuses.keys() == {"held", "503"}, "none is answered otherwise, or cut off"
        assert 12 <= statuses["held"] <= 24, "24 times 2 MB are three quarters of 64 MB"
        assert {answer[-3:] for answer in answers} == {"200"}, answers
        assert slowest < container.definition["healthCheck"]["timeout"]
        assert held < 128 * 1024, f"{held} kB for 300 clients: of 512 MB most is the app's"
        clients.go_on()
        assert clients.result() == [200] * 100, "all that was held is free again"
        assert len(container.workers()) == 1, "the worker lives on"


def logged(container: Container, trace: str) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        return [line for line in container.lines() if line.get("trace_id") == trace]

    (line,) = until(found)
    return dict(line)


CLAIMS = {"x-forwarded-for": "198.51.100.66, 203.0.113.9", "x-forwarded-proto": "https"}


def asked_from(container: Container, address: str) -> tuple[str, str]:
    """Scheme and client of a request with these claims, from an address."""
    scheme = container.ask(f"""
import fcntl, http.client, json, socket, struct
family = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton("{address}"))
with socket.socket() as any_socket:  # 0x8916 is SIOCSIFADDR: one more address for this network
    fcntl.ioctl(any_socket, 0x8916, b"lo:1".ljust(16, b"\\0") + family)
connection = http.client.HTTPConnection("{address}", 8080, 60, source_address=("{address}", 0))
claims = {CLAIMS} | {{"x-amzn-trace-id": "Root={address}"}}
connection.request("GET", "/scheme", headers=claims)
print(connection.getresponse().read().decode())
""")
    return scheme, logged(container, f"Root={address}")["client"]


@pytest.fixture(scope="module")
def edited_container(edited_image: str, edited: InstalledService) -> Iterator[Container]:
    """A container with more endpoints, for tests that leave it as they found it."""
    with serving(edited_image, edited.path) as container:
        yield container


@pytest.mark.parametrize("address", ["10.1.2.3", "172.31.2.3", "192.168.2.3", "100.64.2.3"])
def test_behind_the_load_balancer_its_client_and_scheme_are_used(
    edited_container: Container, address: str
) -> None:
    """It appends the address that it saw to whatever a client claims, and replaces the scheme."""
    assert asked_from(edited_container, address) == ("https", "203.0.113.9")


@pytest.mark.parametrize("address", ["198.18.0.7", "11.0.0.1", "172.32.0.1"])
def test_headers_from_outside_the_private_networks_are_ignored(
    edited_container: Container, address: str
) -> None:
    assert asked_from(edited_container, address) == ("http", address)


def test_large_uploads_can_be_stored(edited_image: str, edited: InstalledService) -> None:
    upload = """
import http.client, json
from concurrent.futures import ThreadPoolExecutor
part = 'Content-Disposition: form-data; name="file"; filename="large"'
def upload(size):
    body = "\\r\\n".join(["--border", part, "", "x" * size, "--border--", ""]).encode()
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
    headers = {"content-type": "multipart/form-data; boundary=border"}
    connection.request("POST", "/uploads", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()
with ThreadPoolExecutor() as clients:
    print(json.dumps(list(clients.map(upload, [10_000_000, 10_000_000, 25_000_000]))))
"""
    with serving(edited_image, edited.path) as container:
        *uploads, (too_large, _) = container.ask(upload)
        for status, body in uploads:
            assert (status, json.loads(body)) == (200, {"size": 10_000_000, "rolled": True})
        assert too_large == 413
        assert container.run("ls", "/dev/shm").stdout == "", "nothing of it is left"
