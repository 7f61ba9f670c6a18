"""Small commands for the PATH of a script."""

import os
import shlex
import sys
from pathlib import Path


def put_program(path: Path, *words: str) -> None:
    """Write a command that runs `words` and its own arguments."""
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)


def python(program: Path) -> tuple[str, ...]:
    """The words that start a program of the simulator quickly: without installed packages."""
    return sys.executable, "-I", "-S", os.fspath(program)
