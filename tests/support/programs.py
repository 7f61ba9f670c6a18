"""Programs of the system that some tests need."""

import os
import shutil

import pytest


def require(program: str, package: str) -> str:
    """The path of a program; without it tests fail in CI, and are skipped at home."""
    if found := shutil.which(program):
        return found
    missing = f"{program} is not installed: apt-get install --no-install-recommends {package}"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
