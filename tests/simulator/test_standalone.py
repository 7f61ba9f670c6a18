"""The simulator stands alone: a package of its own, on libraries that pyproject.toml pins."""

import ast
import sys
from pathlib import Path

import pytest

from tests.support.rendering import ROOT

LIBRARIES = {"boto3", "botocore", "moto", "werkzeug", "yaml"}


@pytest.mark.parametrize("path", sorted((ROOT / "simulator").glob("*.py")), ids=lambda p: p.name)
def test_the_simulator_imports_nothing_of_the_tests_or_the_template(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    others = imported - LIBRARIES - {"simulator"} - sys.stdlib_module_names
    assert not others, f"simulator/{path.name} imports {others}: pass in what it needs"
