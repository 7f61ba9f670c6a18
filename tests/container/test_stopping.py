"""`docker stop`, which is what ECS does, loses no request that has begun."""

import pytest
from owned import Service

from container.containers import serving

pytestmark = pytest.mark.container

REQUESTS = 16

# Half of the connections are new, half have answered before. Each has sent half of a request when
# the stop begins, and the rest when the server takes no more connections. One more stays idle.
IN_FLIGHT = f"""
import http.client, json, socket, time
body = json.dumps({{"text": "word " * 100}}).encode()
def connect():
    return http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
def answer(connection):
    got = connection.getresponse()
    return got.status, json.loads(got.read())
def begin(connection):
    connection.putrequest("POST", "/reading-time")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders(body[:50])
def end(connection):
    connection.send(body[50:])
    return answer(connection)
new = [connect() for _ in range({REQUESTS // 2})]
kept = [connect() for _ in range({REQUESTS // 2})]
idle = connect()
for connection in [*kept, idle]:
    begin(connection)
    assert end(connection)[0] == 200
for connection in [*new, *kept]:
    begin(connection)
print("in flight", flush=True)
while True:
    try:
        socket.create_connection(("127.0.0.1", 8080), 60).close()
    except OSError:
        break
    time.sleep(0.05)
print(json.dumps([end(connection) for connection in [*new, *kept]]))
"""


def test_a_stop_loses_no_request_in_flight(image: str, service: Service) -> None:
    with serving(image, service.path) as container:
        clients = container.start(IN_FLIGHT)
        assert clients.line() == "in flight"
        assert container.stop() == 0, "it ended by itself, before it would have been killed"
        assert clients.result() == [[200, {"words": 100, "minutes": 1}]] * REQUESTS
        assert len(container.logged("request")) == REQUESTS + REQUESTS // 2 + 1
