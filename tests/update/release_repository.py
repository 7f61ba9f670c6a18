"""A repository for tests of releases."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.release import RECORDS, ROOT, git


class ReleaseRepository:
    """A copy of the files of a release, without a release."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.path = folder
        shutil.copytree(template, folder)
        (folder / "scripts").mkdir()
        for name in "scripts/release.py", "pyproject.toml":
            shutil.copy2(ROOT / name, folder / name)
        (folder / "CHANGELOG.md").write_text(
            "# Changelog\n\n## 9.0.0\n\nNine.\n\n## 8.0.0\n\nOld.\n"
        )
        self.records = folder / RECORDS.relative_to(ROOT)
        git(folder, "init", "--quiet")
        self.version("9.0.0")

    def change(self, name: str) -> None:
        with (self.path / "template" / name).open("a") as file:
            file.write("\nOne more line.\n")
        self.commit()

    def version(self, version: str) -> None:
        project = self.path / "pyproject.toml"
        lines = project.read_text().splitlines()
        number = next(n for n, line in enumerate(lines) if line.startswith("version = "))
        lines[number] = f'version = "{version}"'
        project.write_text("\n".join(lines) + "\n")
        self.commit()

    def commit(self) -> None:
        git(self.path, "add", "--all", "--force")
        git(self.path, "commit", "--quiet", "--allow-empty", "--message", "Change")

    def release(self, *words: str) -> tuple[int, str]:
        """The exit code and the output of scripts/release.py."""
        script = self.path / "scripts" / "release.py"
        done = subprocess.run(
            [sys.executable, script, *words],
            cwd=self.path,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    def record(self, *versions: str) -> None:
        """Release each version, with a change of the template after it."""
        for version in versions:
            code, said = self.release("record", version)
            assert code == 0, said
            self.change("README.md.jinja")
