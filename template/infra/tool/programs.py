"""git and docker, as processes with the environment that the command was given."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

Done = subprocess.CompletedProcess[str]


class NotInstalledError(Exception):
    """The program is not on the PATH."""


def run(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    standard_input: str | None = None,
    show: bool = False,
    timeout: float | None = None,
) -> Done:
    """Run a program to its end, whatever its exit code. Raises NotInstalledError.

    Its output is returned, or, with `show`, printed as output of this process. After `timeout`
    seconds it is killed, and subprocess.TimeoutExpired is raised.
    """
    program = shutil.which(words[0], path=environment.get("PATH", ""))
    if program is None:
        raise NotInstalledError(words[0])
    return subprocess.run(
        [program, *words[1:]],
        cwd=folder,
        env=dict(environment),
        input=standard_input,
        stdin=subprocess.DEVNULL if standard_input is None else None,
        stdout=None if show else subprocess.PIPE,
        stderr=None if show else subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        check=False,
    )
