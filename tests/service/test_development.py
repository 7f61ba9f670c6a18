"""The README's command for development logs as gunicorn does, and watches only app/."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.servers import Server, serving
from tests.support.rendering import Render

ENDPOINT = """

@app.get("/info")
async def log_information() -> None:
    logging.getLogger("orders").info("the order is paid")
"""


@pytest.fixture(scope="module")
def folder(example: Render, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("development")
    shutil.copytree(example.path / "app", folder / "app")
    main = folder / "app" / "main.py"
    main.write_text("import logging\n" + main.read_text() + ENDPOINT)
    return folder


@pytest.fixture(scope="module")
def server(example: Render, folder: Path) -> Iterator[Server]:
    [command] = re.findall(r"^uv run (uvicorn .+?) +#", example.text("README.md"), re.MULTILINE)
    with serving(*command.replace("8080", "0").split(), cwd=folder) as server:
        server.wait_for(lambda: "startup complete" in server.log.read_text())
        yield server


def test_reload_watches_only_the_app(server: Server, folder: Path) -> None:
    """.venv has some 2,000 files, and looking at them takes a sixth of a processor."""
    [watched] = re.findall(r"Will watch for changes in .+: (\[.+\])", server.log.read_text())
    assert watched == str([str(folder / "app")])


def test_a_record_of_the_app_and_each_request_is_one_line(server: Server) -> None:
    before = server.log.read_text()
    server.get("/info?token=secret")
    server.wait_for(lambda: "app.requests" in server.log.read_text())
    lines = server.log.read_text().removeprefix(before).splitlines()
    record, request = [json.loads(line) for line in lines]
    assert (record["level"], record["message"]) == ("INFO", "the order is paid")
    assert (request["path"], request["status"]) == ("/info", 200)
