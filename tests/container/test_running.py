"""A container of a fresh render, run as its task definition says."""

import re
from pathlib import Path

import pytest

from tests.container.containers import Container, serving, starting, succeed, until
from tests.support.installed_service import InstalledService
from tests.support.rendering import EXAMPLE, render

pytestmark = pytest.mark.container


# The limits that the kernel enforces: in a control group of version 2, or else of version 1.
LIMITS = """
cd /sys/fs/cgroup
if [ -e cgroup.controllers ]; then
  cat cpu.max memory.max
else
  echo "$(cat cpu/cpu.cfs_quota_us) $(cat cpu/cpu.cfs_period_us)"
  cat memory/memory.limit_in_bytes
fi
"""


def test_the_engine_applies_the_limits_of_fargate(container: Container) -> None:
    """Or everything below would be proven for more than it gets."""
    state = container.run("bash", "-c", "cat /proc/self/status /proc/mounts").stdout
    for capabilities in "CapPrm", "CapEff", "CapBnd":
        assert re.search(rf"{capabilities}:\s+0{{16}}\n", state), capabilities
    assert re.search(r"NoNewPrivs:\s+1\n", state)
    assert re.search(r" / \S+ ro\b", state), "the root file system is read-only"
    cpu, memory = container.run("bash", "-c", LIMITS).stdout.splitlines()
    quota, period = map(int, cpu.split())
    assert quota / period == 0.25
    assert int(memory) == 512 * 2**20


def test_the_container_stops_cleanly_and_logs_only_information(
    image: str, service: InstalledService
) -> None:
    with serving(image, service.path) as container:
        assert container.stop() == 0
        lines = container.lines()
    assert {line["level"] for line in lines} == {"INFO"}, lines


def test_the_health_check_fails_while_the_app_hangs(image: str, service: InstalledService) -> None:
    with serving(image, service.path) as container:
        container.run("bash", "-c", "kill -STOP -1")
        assert not container.healthy()
        container.run("bash", "-c", "kill -CONT -1")
        until(container.healthy)


def test_the_health_check_fails_if_nothing_listens(image: str, service: InstalledService) -> None:
    with starting(image, service.path, "sleep", "60") as container:
        assert not container.healthy()


def test_the_health_check_fails_if_the_app_returns_an_error(
    image: str, service: InstalledService
) -> None:
    script = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Ill(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(503)
HTTPServer(("127.0.0.1", 8080), Ill).serve_forever()
"""
    with starting(image, service.path, "python", "-c", script) as container:
        until(
            lambda: container.run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080").returncode == 0
        )
        assert not container.healthy()


def test_a_killed_worker_is_replaced_and_the_container_keeps_running(
    image: str, service: InstalledService
) -> None:
    with serving(image, service.path) as container:
        (worker,) = container.workers()
        state = "{{.State.Running}} {{.State.Pid}} {{.State.StartedAt}}"
        before = succeed("inspect", "--format", state, container.id)
        container.run("bash", "-c", f"kill -KILL {worker}")
        until(lambda: len(container.workers()) == 2)
        until(container.healthy)
        assert succeed("inspect", "--format", state, container.id) == before


def test_an_app_that_cannot_start_ends_with_a_reason_in_its_log(
    image: str, service: InstalledService
) -> None:
    with starting(image, service.path, "gunicorn", "app.main:missing") as container:
        assert succeed("wait", container.id) != "0", "ECS replaces a task that ends"
        said = [line["message"] for line in container.lines()]
    assert any("missing" in message for message in said), said


def test_logs_stay_json_when_the_app_crashes(edited_image: str, edited: InstalledService) -> None:
    with serving(edited_image, edited.path) as container:
        assert container.get("/crash")[0] == 500
        until(lambda: container.logged("Exception in ASGI application"))
        (crash,) = [line for line in container.lines() if "exception" in line]
    assert crash["exception"].startswith("Traceback")
    assert crash["exception"].endswith("ZeroDivisionError: on purpose")


def test_memory_stays_flat(image: str, service: InstalledService) -> None:
    """Whatever it is asked, refused requests and clients that leave included."""
    soak = """
import http.client, json, socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
def connect():
    return http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
def ask(requests):
    connection, statuses = connect(), Counter()
    def post(path, body):
        connection.request("POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] += 1
    for number in range(requests):
        post("/reading-time", json.dumps({"text": "word " * 100}))
        post("/reading-time", json.dumps({"text": number}))
        post(f"/missing/{number}", "")
        if number % 10 == 0:
            post("/reading-time", b" " * 2_500_000)
            leaving = connect()
            leaving.putrequest("POST", "/reading-time")
            leaving.putheader("content-length", "1000")
            leaving.endheaders(b"half")
            leaving.close()
    return statuses
with ThreadPoolExecutor(8) as clients:
    print(json.dumps(sum(clients.map(ask, [150] * 8), Counter())))
"""
    with serving(image, service.path) as container:
        statuses = container.ask(soak)
        assert statuses == {"200": 1200, "422": 1200, "404": 1200, "413": 120}
        warm = container.memory()
        for _ in range(4):
            container.ask(soak)
        growth = container.memory() - warm
    # A body of 2.5 MB may just be held, or have been: so many requests that a leak outgrows it.
    assert growth < 4096, f"{growth} kB more after 4 times the same: each leaves something behind"


@pytest.fixture
def larger(template: Path, tmp_path: Path) -> Path:
    """A render with two whole processors for each task."""
    return render(template, tmp_path / "larger", {**EXAMPLE, "cpu": 2048, "memory": 4096}).path


def test_each_processor_has_a_worker_and_they_share_the_load(
    edited_image: str, larger: Path
) -> None:
    """Of many connections at once, none of two workers gets less than a third."""
    who = """
import http.client, json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
def ask(_client):
    workers = Counter()
    for _ in range(20):
        connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
        connection.request("GET", "/worker")
        workers[connection.getresponse().read().decode()] += 1
        connection.close()
    return workers
with ThreadPoolExecutor(32) as clients:
    print(json.dumps(sum(clients.map(ask, range(32)), Counter())))
"""
    with serving(edited_image, larger) as container:
        ready = until(lambda: len(found := container.workers()) == 2 and found)
        shares = container.ask(who)
        assert sorted(shares) == sorted(ready)
        assert min(shares.values()) > sum(shares.values()) / 3, shares
        for worker in ready:
            container.run("bash", "-c", f"kill -STOP {worker}")
            assert container.get("/health")[0] == 200, "the other one answers alone"
            container.run("bash", "-c", f"kill -CONT {worker}")
