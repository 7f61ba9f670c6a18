"""The image of a render: its Dockerfile as it stands, run as its task definition says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import Container, build, docker, running, succeed, until
from owned import Service, own
from rendering import Render

pytestmark = pytest.mark.slow

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def service(example: Render, tmp_path_factory: pytest.TempPathFactory) -> Service:
    return own(example, tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def image(service: Service) -> Iterator[str]:
    image = build(service.path, "--build-arg", f"COMMIT={COMMIT}")
    yield image
    docker("rmi", image)


@pytest.fixture(scope="module")
def container(image: str, service: Service) -> Iterator[Container]:
    with running(image, service.path) as container:
        until(container.healthy)
        yield container


def layers(image: str) -> list[str]:
    found: list[str] = json.loads(succeed("inspect", "--format", "{{json .RootFS.Layers}}", image))
    return found


def test_health_says_which_commit_was_built(container: Container) -> None:
    answer = container.python("""
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8080/health").read().decode())
""")
    assert answer == {"status": "ok", "commit": COMMIT}


def test_the_health_check_is_red_while_the_app_hangs(container: Container) -> None:
    container.run("bash", "-c", "kill -STOP -1")
    assert not container.healthy()
    container.run("bash", "-c", "kill -CONT -1")
    until(container.healthy)


def test_the_health_check_is_red_when_nothing_listens(image: str, service: Service) -> None:
    with running(image, service.path, "sleep", "60") as container:
        assert not container.healthy()


def test_the_health_check_is_red_when_the_app_answers_an_error(
    image: str, service: Service
) -> None:
    script = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Ill(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(503)
HTTPServer(("127.0.0.1", 8080), Ill).serve_forever()
"""
    with running(image, service.path, "python", "-c", script) as container:
        until(
            lambda: container.run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080").returncode == 0
        )
        assert not container.healthy()


def test_it_stops_well_and_says_nothing_but_json_lines(image: str, service: Service) -> None:
    with running(image, service.path) as container:
        until(container.healthy)
        assert container.stop() == 0
        lines = [json.loads(line) for line in container.output().splitlines()]
    assert {line["level"] for line in lines} == {"INFO"}, lines


def test_it_is_not_root(image: str, container: Container) -> None:
    assert succeed("inspect", "--format", "{{.Config.User}}", image) == "10001:10001"
    assert container.run("id", "-u").stdout.strip() == "10001"
    assert container.run("id", "-g").stdout.strip() == "10001"


@pytest.mark.parametrize("tool", ["uv", "uvx", "curl", "wget", "gcc", "git"])
def test_what_the_app_does_not_need_is_left_out(container: Container, tool: str) -> None:
    assert container.run("bash", "-c", f"type -P {tool}").returncode == 1


def test_nothing_but_the_app_is_copied(container: Container) -> None:
    found = container.run("ls", "-A", "/srv").stdout.split()
    assert found == [".venv", "__pycache__", "app", "gunicorn.conf.py"]


def test_nothing_is_compiled_at_start(container: Container) -> None:
    """Every module of the running app comes from bytecode that nobody checks against its source."""
    stale = container.python("""
import json, sys
import app.main, gunicorn.app.wsgiapp, uvicorn_worker
caches = {m.__cached__ for m in sys.modules.values() if getattr(m, "__cached__", None)}
def unchecked(cache):
    try:
        with open(cache, "rb") as file:
            return file.read(8)[4:] == bytes([1, 0, 0, 0])
    except FileNotFoundError:
        return False
assert len(caches) > 100
print(json.dumps(sorted(c for c in caches if not unchecked(c))))
""")
    assert stale == [], "each start would compile these again: the root file system is read-only"


def test_two_builds_have_the_same_layers(image: str, service: Service, tmp_path: Path) -> None:
    """Another commit, checkout, umask and secret: what is the same is neither pushed nor pulled."""
    other = service.copy(tmp_path / "elsewhere")
    for path in other.path.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    cache = other.path / "app" / "__pycache__"
    cache.mkdir()
    (cache / "main.cpython-311.pyc").write_bytes(b"of another machine")
    (other.path / "app" / ".env").write_text("TOKEN=secret")
    again = build(other.path, "--no-cache", "--build-arg", "COMMIT=another")
    try:
        assert layers(again) == layers(image)
    finally:
        docker("rmi", again)


def test_a_missing_lock_file_says_what_to_do(service: Service, tmp_path: Path) -> None:
    unlocked = service.copy(tmp_path / "unlocked")
    (unlocked.path / "uv.lock").unlink()
    done = docker("build", "--network", "host", unlocked.path)
    assert done.returncode != 0
    assert "Unable to find lockfile at `uv.lock`" in done.stderr


def test_a_lock_file_that_is_not_up_to_date_is_refused(service: Service, tmp_path: Path) -> None:
    stale = service.copy(tmp_path / "stale")
    stale.uv("add", "--quiet", "--frozen", "python-multipart")
    done = docker("build", "--network", "host", stale.path)
    assert done.returncode != 0
    assert "The lockfile at `uv.lock` needs to be updated" in done.stderr


def test_a_large_upload_has_a_place_to_go(service: Service, tmp_path: Path) -> None:
    """With one more dependency and one more endpoint, as the owner would add them."""
    uploads = service.copy(tmp_path / "uploads")
    uploads.uv("add", "--quiet", "--no-sync", "python-multipart")
    with (uploads.path / "app" / "main.py").open("a") as main:
        main.write("""
from fastapi import UploadFile

@app.post("/uploads")
async def upload(file: UploadFile) -> dict[str, object]:
    return {"size": file.size, "on disk": getattr(file.file, "_rolled")}
""")
    image = build(uploads.path)
    try:
        with running(image, uploads.path) as container:
            until(container.healthy)
            answer = container.python("""
import urllib.request
head = 'Content-Disposition: form-data; name="file"; filename="large"'
body = "\\r\\n".join(["--border", head, "", "x" * 3_000_000, "--border--", ""]).encode()
headers = {"Content-Type": "multipart/form-data; boundary=border"}
request = urllib.request.Request("http://127.0.0.1:8080/uploads", body, headers)
print(urllib.request.urlopen(request).read().decode())
""")
        assert answer == {"size": 3_000_000, "on disk": True}
    finally:
        docker("rmi", image)
