"""A service in a git repository of its own, and changes by its owner."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class ServiceRepository:
    folder: Path  # of the service

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, capture_output=True, check=True, text=True
        )
        return done.stdout.strip()

    def begin(self) -> None:
        """Make it a repository; a lock file that nothing reads stands for the real one."""
        self.git("init", "--quiet", "--template", "", "--initial-branch", "main")  # without hooks
        self.write("uv.lock", "version = 1\n")
        self.commit("Start")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def document(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return found

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text, f"{name} does not say {old!r} any more: change this test with it"
        self.write(name, text.replace(old, new))

    def change(self, name: str, change: Mapping[str, Any]) -> None:
        """Give a JSON document other values at its top, and commit it."""
        self.write(name, json.dumps(self.document(name) | dict(change), indent=2))
        self.commit(f"Change {name}")

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")
