"""Small commands for the PATH of a script."""

import os
import shlex
import sys
from pathlib import Path


def put_program(path: Path, *words: str) -> None:
    """Write a command that is others with more arguments."""
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)


def python(program: Path) -> tuple[str, ...]:
    """How to run a program of ours quickly: with Python's own library alone."""
    return sys.executable, "-I", "-S", os.fspath(program)
