"""The image of a render: what its Dockerfile makes, unchanged, and what of it a deploy pushes."""

import gzip
import io
import json
import re
import tarfile
import tomllib
from pathlib import Path

import pytest

from tests.container.conftest import COMMIT
from tests.container.containers import Container, built, docker, succeed
from tests.support.build_context import CONTEXT, EDIT
from tests.support.installed_service import InstalledService

pytestmark = pytest.mark.container


def layers(image: str) -> list[str]:
    """The digests of an image's layers, the base's first."""
    found: list[str] = json.loads(succeed("inspect", "--format", "{{json .RootFS.Layers}}", image))
    return found


def changed_layer(before: str, after: str, folder: Path) -> bytes:
    """The tar archive of the one layer in which two images differ."""
    digests = layers(before)
    changed = [number for number, digest in enumerate(layers(after)) if digest not in digests]
    assert len(changed) == 1, f"{len(changed)} of {len(digests)} layers are pushed and pulled again"
    succeed("save", "--output", folder / "image.tar", after)
    with tarfile.open(folder / "image.tar") as image:
        (manifest,) = json.loads(member(image, "manifest.json"))
        layer = member(image, manifest["Layers"][changed[0]])
    return gzip.decompress(layer) if layer.startswith(b"\x1f\x8b") else layer


def member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file, f"{name} is no file"
    return file.read()


def test_health_returns_the_commit_of_the_build(container: Container) -> None:
    status, _, body = container.get("/health")
    assert (status, json.loads(body)) == (200, {"status": "ok", "commit": COMMIT})


def test_it_is_not_root(image: str, container: Container) -> None:
    assert succeed("inspect", "--format", "{{.Config.User}}", image) == "10001:10001"
    assert container.run("id", "-u").stdout.strip() == "10001"
    assert container.run("id", "-g").stdout.strip() == "10001"


@pytest.mark.parametrize("tool", ["uv", "uvx", "curl", "wget", "gcc", "git"])
def test_the_image_has_only_what_the_app_needs(container: Container, tool: str) -> None:
    assert container.run("bash", "-c", f"type -P {tool}").returncode == 1


def test_the_packages_of_the_tool_are_left_out(
    container: Container, service: InstalledService
) -> None:
    """All but those that the app needs itself, such as pydantic, which is FastAPI's."""
    project = tomllib.loads((service.path / "pyproject.toml").read_text(encoding="utf-8"))
    tool = {re.split(r"[\[<>=]", line)[0] for line in project["dependency-groups"]["infra"]}
    assert {"boto3", "rich", "typer"} <= tool, "which packages does the tool import now?"
    script = """
import importlib.metadata, json
print(json.dumps([found.name.lower() for found in importlib.metadata.distributions()]))
"""
    installed = set(json.loads(container.run("python", "-c", script).stdout))
    assert "fastapi" in installed
    assert installed & (tool | {"botocore", "awscrt", "mypy", "pytest"}) == {"pydantic"}


def test_nothing_but_the_app_is_copied(container: Container) -> None:
    found = container.run("ls", "-A", "/srv").stdout.split()
    assert found == [".venv", "__pycache__", "app", "gunicorn.conf.py"]


def test_nothing_is_compiled_at_start(container: Container) -> None:
    """Python loads every module of the app from bytecode, without a check against the source."""
    script = """
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
"""
    stale = json.loads(container.run("python", "-c", script).stdout)
    assert stale == [], "each start would compile these again: the root file system is read-only"


def test_a_traceback_points_into_the_lines_of_the_app_alone(container: Container) -> None:
    """For all others the columns are left out, which weigh more than a megabyte."""
    script = """
import app.main, fastapi.routing, json
columns = [{c for *_, c in f.__code__.co_positions()} != {None} for f in
    (app.main.health, fastapi.routing.get_request_handler, json.loads)]
print(json.dumps(columns))
"""
    assert json.loads(container.run("python", "-c", script).stdout) == [True, False, False]


def test_two_builds_have_the_same_layers(
    image: str, service: InstalledService, tmp_path: Path
) -> None:
    """Another commit, checkout, umask and secret: what is the same is neither pushed nor pulled."""
    other = service.copy(tmp_path / "elsewhere")
    for path in other.path.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    cache = other.path / "app" / "__pycache__"
    cache.mkdir()
    (cache / "main.cpython-311.pyc").write_bytes(b"of another machine")
    (other.path / "app" / ".env").write_text("TOKEN=secret")
    with built(other.path, "--no-cache", "--build-arg", "COMMIT=another") as again:
        assert layers(again) == layers(image)


def test_the_build_gets_the_code_and_no_secret(service: InstalledService, tmp_path: Path) -> None:
    """By .dockerignore: all that it lets in could be copied into the image."""
    full = service.copy(tmp_path / "full")
    for name in CONTEXT:
        (full.path / name).parent.mkdir(parents=True, exist_ok=True)
        (full.path / name).touch()
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    context = tmp_path / "context"
    output = f"type=local,dest={context}"
    succeed("build", "--quiet", f"--output={output}", "--file", tmp_path / "Dockerfile", full.path)
    let_in = {name: (context / name).exists() for name in CONTEXT}
    assert let_in == CONTEXT, EDIT


def test_a_dependency_more_changes_the_packages_alone(
    image: str, bumped_image: str, tmp_path: Path
) -> None:
    layer = changed_layer(image, bumped_image, tmp_path)
    with tarfile.open(fileobj=io.BytesIO(layer)) as pushed:
        assert all(name.startswith("srv/.venv") for name in pushed.getnames() if name != "srv")


def test_an_edit_changes_the_code_alone(
    bumped_image: str, edited_image: str, tmp_path: Path
) -> None:
    layer = changed_layer(bumped_image, edited_image, tmp_path)
    code = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(layer)) as pushed,
        tarfile.open(fileobj=code, mode="w") as files,
    ):
        for file in (member for member in pushed if member.isfile()):
            assert re.match(r"srv/(app/|(__pycache__/)?gunicorn\.conf\.)", file.name), file.name
            files.addfile(file, pushed.extractfile(file))
    assert len(gzip.compress(layer)) <= 1.1 * len(gzip.compress(code.getvalue()))


def test_a_missing_lock_file_says_what_to_do(service: InstalledService, tmp_path: Path) -> None:
    unlocked = service.copy(tmp_path / "unlocked")
    (unlocked.path / "uv.lock").unlink()
    done = docker("build", "--network", "host", unlocked.path)
    assert done.returncode != 0
    assert "Unable to find lockfile at `uv.lock`" in done.stderr


def test_a_lock_file_that_is_not_up_to_date_is_refused(
    service: InstalledService, tmp_path: Path
) -> None:
    stale = service.copy(tmp_path / "stale")
    stale.uv("add", "--quiet", "--frozen", "python-multipart")
    done = docker("build", "--network", "host", stale.path)
    assert done.returncode != 0
    assert "The lockfile at `uv.lock` needs to be updated" in done.stderr
