"""Programs of the system that some tests need."""

import os
import shutil

import pytest


def require(program: str, package: str, path: str | None = None) -> str:
    """Where a program is on the PATH, or on another one. Without it tests fail in CI, and are
    skipped at home."""
    if found := shutil.which(program, path=path):
        return found
    missing = f"{program} is not installed: apt-get install --no-install-recommends {package}"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
