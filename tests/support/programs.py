"""Programs of the system that some tests need."""

import os
import shutil

import pytest


def require(program: str, package: str, path: str | None = None) -> str:
    """The path of a program on the PATH, or on another one. If it is missing, the test fails in CI
    and is skipped elsewhere."""
    if found := shutil.which(program, path=path):
        return found
    missing = f"{program} is not installed: apt-get install --no-install-recommends {package}"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
