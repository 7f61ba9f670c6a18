"""Run an app as a service does, on a real server on a free port, and read its log."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx2

from tests.support.rendering import ROOT

PATIENCE = 30  # seconds, for what takes one or two
PORT = re.compile(r"(?:Listening at:|running on) https?://127\.0\.0\.1:(\d+)")

Line = dict[str, Any]


class Server:
    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    def lines(self) -> list[Line]:
        lines = []
        for text in self.log.read_text().splitlines():
            try:
                lines.append(dict(json.loads(text)))
            except (TypeError, ValueError):
                raise AssertionError(f"not a JSON object, but a line of the log: {text}") from None
        return lines

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (outcome := condition()):
            assert self.process.poll() is None, f"the server has ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"{PATIENCE} s passed:\n{self.log.read_text()}"
            time.sleep(0.02)
        return outcome

    def port(self) -> int:
        return int(self.wait_for(lambda: PORT.search(self.log.read_text()))[1])

    def get(self, path: str, **headers: str) -> httpx2.Response:
        url = f"http://127.0.0.1:{self.port()}{path}"
        return httpx2.get(url, headers=headers, timeout=PATIENCE)

    def lines_of(self, path: str, **headers: str) -> list[Line]:
        """Request a path, and return the lines with the trace id of this request."""
        trace = f"Root={uuid4()}"
        self.get(path, **headers, **{"x-amzn-trace-id": trace})
        return self.lines_with(trace)

    def lines_with(self, trace: str) -> list[Line]:
        """The lines with a trace id, once its request has ended and another one after it."""
        self.wait_for(lambda: f'{trace}"' in self.log.read_text())
        after = f"Root={uuid4()}"
        self.get("/after", **{"x-amzn-trace-id": after})
        self.wait_for(lambda: after in self.log.read_text())
        return [line for line in self.lines() if line.get("trace_id") == trace]


@contextmanager
def serving(
    *command: str | Path,
    cwd: Path = ROOT / "template",
    programs: Path = Path(sys.executable).parent,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run a server of this environment, or of the one whose programs are named; at the end, check
    that gunicorn has only logged JSON."""
    words = [programs / str(command[0]), *command[1:]]
    with TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=cwd, env=environment, stdout=log, stderr=log)
        server = Server(process, Path(log.name))
        try:
            yield server
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
        if command[0] == "gunicorn":
            server.lines()
