"""Fixtures of the container tests: an engine, and two images that it builds once."""

import os
from collections.abc import Iterator

import pytest

from tests.container.containers import NO_ENGINE, Container, built, engine_answers, serving
from tests.support.installed_service import InstalledService
from tests.support.rendering import Render

COMMIT = "0123456789abcdef0123456789abcdef01234567"

# Endpoints that an owner may add, for the tests to request.
ENDPOINTS = '''
import asyncio
import os
import time
from collections.abc import AsyncIterator

from fastapi import Request, UploadFile
from fastapi.responses import StreamingResponse


@app.post("/uploads")
async def upload(file: UploadFile) -> dict[str, object]:
    """Say how large the file was, and whether it was too large for memory."""
    return {"size": file.size, "rolled": getattr(file.file, "_rolled")}


@app.get("/worker")
async def worker() -> int:
    """Keep this worker busy for a moment, so that the other ones have a chance."""
    time.sleep(0.01)
    return os.getpid()


@app.get("/scheme")
async def scheme(request: Request) -> str:
    """The scheme of the links that the app would make."""
    return request.url.scheme


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Send a tick every second, without end."""

    async def ticks() -> AsyncIterator[bytes]:
        while True:
            yield b"tick"
            await asyncio.sleep(1)

    return StreamingResponse(ticks())


@app.get("/crash")
async def crash() -> None:
    raise ZeroDivisionError("on purpose")
'''


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """CI has an engine; who has none at home is told how to get one."""
    if engine_answers():
        return
    if os.environ.get("CI"):
        pytest.fail(NO_ENGINE)
    pytest.skip(NO_ENGINE)


@pytest.fixture(scope="session")
def service(example: Render, tmp_path_factory: pytest.TempPathFactory) -> InstalledService:
    """A fresh render and its lock file: all that a build needs."""
    service = InstalledService(example.path).copy(tmp_path_factory.mktemp("fresh") / "ai-assistant")
    service.uv("lock", "--quiet")
    return service


@pytest.fixture(scope="session")
def image(service: InstalledService) -> Iterator[str]:
    """The image of a fresh render."""
    with built(service.path, "--build-arg", f"COMMIT={COMMIT}") as image:
        yield image


@pytest.fixture(scope="module")
def container(image: str, service: InstalledService) -> Iterator[Container]:
    """A container for tests that leave it as they found it."""
    with serving(image, service.path) as container:
        yield container


@pytest.fixture(scope="session")
def bumped(service: InstalledService, tmp_path_factory: pytest.TempPathFactory) -> InstalledService:
    """The fresh render with one more dependency."""
    bumped = service.copy(tmp_path_factory.mktemp("bumped") / "ai-assistant")
    bumped.uv("add", "--quiet", "--no-sync", "python-multipart")
    return bumped


@pytest.fixture(scope="session")
def edited(bumped: InstalledService, tmp_path_factory: pytest.TempPathFactory) -> InstalledService:
    """That one with more endpoints."""
    edited = bumped.copy(tmp_path_factory.mktemp("edited") / "ai-assistant")
    main = edited.path / "app" / "main.py"
    before = "app.add_middleware(Limits)"
    after = "app.add_middleware(Limits, larger={'/uploads': 20_000_000})"
    assert before in main.read_text()
    main.write_text(main.read_text().replace(before, after) + ENDPOINTS)
    return edited


@pytest.fixture(scope="session")
def bumped_image(bumped: InstalledService) -> Iterator[str]:
    with built(bumped.path) as image:
        yield image


@pytest.fixture(scope="session")
def edited_image(edited: InstalledService) -> Iterator[str]:
    with built(edited.path) as image:
        yield image
