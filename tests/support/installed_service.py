"""A render with its own Python environment, as its owner works in it."""

import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.support.rendering import Render


@dataclass(frozen=True)
class InstalledService:
    path: Path

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the service; the environment of this suite is not the service's, but
        `more` is added to it."""
        uv = os.environ.get("UV") or shutil.which("uv")
        assert uv, "uv is not on PATH: `make test` brings it"
        environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"} | more
        environment["PATH"] = f"{Path(uv).parent}:{environment['PATH']}"  # linters call it again
        return subprocess.run(
            words, cwd=self.path, env=environment, capture_output=True, text=True, check=False
        )

    def uv(self, *words: str, **more: str) -> str:
        """Run uv in the service, and return what it prints."""
        done = self.run("uv", *words, **more)
        assert done.returncode == 0, f"uv {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def copy(self, to: Path) -> "InstalledService":
        """Its files without its environment, which cannot be moved."""
        shutil.copytree(self.path, to, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
        return InstalledService(to)


def own(example: Render, folder: Path) -> InstalledService:
    """A copy of the example after `uv sync` on the oldest Python that it supports."""
    service = InstalledService(example.path).copy(folder / "ai-assistant")
    project = tomllib.loads((service.path / "pyproject.toml").read_text())["project"]
    service.uv("sync", "--python", project["requires-python"].removeprefix(">="))
    return service
