"""`docker stop`, which is what ECS does, loses no request that has begun, even while others arrive.

A request that is sent at the moment when the server closes the connection is lost, by the nature of
HTTP: the server never sees it, and a client may send it again. On a busy server that can be one
request of each client. So the load balancer takes a task out before it is stopped; here there is
none.
"""

import time

import pytest

from tests.container.containers import serving
from tests.support.installed_service import InstalledService

pytestmark = pytest.mark.container

REQUESTS = 16

# For the scripts below.
CLIENT = """
import http.client, json, socket, time
body = json.dumps({"text": "word " * 100}).encode()
def connect():
    return http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
def begin(connection):
    connection.putrequest("POST", "/reading-time")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders(body[:50])
def end(connection):
    connection.send(body[50:])
    got = connection.getresponse()
    return got.status, json.loads(got.read())
"""

# Half of the connections are new, half have answered before. Each has sent half of a request when
# the stop begins, and the rest when the server takes no more connections. One more stays idle.
IN_FLIGHT = f"""{CLIENT}
new = [connect() for _ in range({REQUESTS // 2})]
kept = [connect() for _ in range({REQUESTS // 2})]
idle = connect()
for connection in [*kept, idle]:
    begin(connection)
    assert end(connection)[0] == 200
for connection in [*new, *kept]:
    begin(connection)
for later in connect(), connect():  # the server has read the halves when it answers who came later
    begin(later)
    assert end(later)[0] == 200
print("in flight", flush=True)
while True:
    try:
        socket.create_connection(("127.0.0.1", 8080), 60).close()
    except OSError:
        break
    time.sleep(0.05)
print(json.dumps([end(connection) for connection in [*new, *kept]]))
"""

# Clients that go on until they are refused a connection, half of them over one that they keep.
GOING_ON = f"""{CLIENT}
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
def go_on(keep):
    came, connection = Counter(), connect()
    while came.total() < 20_000:
        try:
            if not connection.sock:
                connection.connect()
        except OSError:
            came["refused"] += 1
            return came
        try:
            begin(connection)
            came[str(end(connection)[0])] += 1
            if not keep:
                connection.close()
        except OSError:
            came["closed"] += 1
            connection.close()
    return came
with ThreadPoolExecutor({REQUESTS}) as clients:
    going = [clients.submit(go_on, number % 2) for number in range({REQUESTS})]
    time.sleep(1)
    print("going on", flush=True)
    print(json.dumps(sum((client.result() for client in going), Counter())))
"""


def test_a_stop_loses_no_request_in_flight(image: str, service: InstalledService) -> None:
    with serving(image, service.path) as container:
        others = container.start(GOING_ON)
        assert others.line() == "going on"
        clients = container.start(IN_FLIGHT)
        assert clients.line() == "in flight"
        assert container.stop() == 0, "it ended by itself, before it would have been killed"
        assert clients.result() == [[200, {"words": 100, "minutes": 1}]] * REQUESTS
        came = others.result()
        begun = len(container.logged("request")) - (REQUESTS + REQUESTS // 2 + 3)
    assert came.pop("refused") == REQUESTS, "who comes later is told before it sends anything"
    assert came.pop("closed", 0) <= REQUESTS, "at most one request of each that goes on"
    assert came == {"200": begun}, "the server has seen only the requests that it answered"


# One stream that does not end.
STREAM = """
import http.client, json
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
connection.request("GET", "/stream")
answer = connection.getresponse()
print(json.dumps(answer.status), flush=True)
try:
    answer.read()
except http.client.IncompleteRead as cut:
    print(json.dumps(len(cut.partial)))
"""


def test_an_open_stream_is_cut_in_time_for_the_lifespan_to_end(
    edited_image: str, edited: InstalledService
) -> None:
    with serving(edited_image, edited.path) as container:
        stream = container.start(STREAM)
        assert stream.line() == "200"
        begin = time.monotonic()
        assert container.stop() == 0, "it ended by itself, before it would have been killed"
        assert 25 <= time.monotonic() - begin < 30, "gunicorn.conf.py: after 25 s, before 30 s"
        assert stream.result() > len("tick") * 20, "the client knows that the stream was cut"
        assert container.logged("Application shutdown complete.")
        [line] = [line for line in container.lines() if line["level"] == "ERROR"]
    assert line["message"].startswith("Cancel 1 running task(s)"), line
