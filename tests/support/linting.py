"""Run a linter."""

import os
import subprocess
import sys
from pathlib import Path


def lint(folder: Path, command: list[str], files: list[str]) -> None:
    """Run a linter. Fails with its output if it has findings."""
    assert files, f"{command[0]} has nothing to read in {folder}"
    tools = Path(sys.executable).parent
    done = subprocess.run(
        [tools / command[0], *command[1:], *files],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",  # actionlint asks shellcheck
            "PYTHONPATH": "template",  # of the root, where lint-imports finds the tool
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
