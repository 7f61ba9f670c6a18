"""The tests are packages in which a name leads to one place."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.rendering import ROOT

FILES = sorted((ROOT / "tests").rglob("*.py"))


@pytest.fixture(scope="module")
def sources() -> dict[str, ast.Module]:
    """Each file of the tests by its name, parsed."""
    return {
        file.relative_to(ROOT).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
        for file in FILES
    }


def imported(source: ast.Module) -> Iterator[str]:
    """The modules that a file imports; for `from a import b`, which may be one, "a" and "a.b"."""
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (module, *(f"{module}.{alias.name}" for alias in node.names))


def is_test(module: str) -> bool:
    return (
        module.rpartition(".")[2].startswith("test_")
        and (ROOT / f"{module.replace('.', '/')}.py").is_file()
    )


def test_no_test_imports_a_test(sources: dict[str, ast.Module]) -> None:
    found = [
        f"{name} imports {module}"
        for name, source in sources.items()
        for module in imported(source)
        if is_test(module)
    ]
    assert found == [], "move what both need into a module that is not a test, as in tests/support"


def test_no_import_is_relative(sources: dict[str, ast.Module]) -> None:
    found = [
        f"{name} imports {module}"
        for name, source in sources.items()
        for module in imported(source)
        if module.startswith(".")
    ]
    assert found == [], "write it from the root: from tests.support.checkout import Checkout"


def test_every_folder_of_tests_is_a_package() -> None:
    folders: set[Path] = {file.parent for file in FILES}
    found = [
        str(each.relative_to(ROOT)) for each in folders if not (each / "__init__.py").is_file()
    ]
    assert found == [], "add an empty __init__.py"


def test_each_class_has_a_name_of_its_own(sources: dict[str, ast.Module]) -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name, source in sources.items():
        for node in ast.walk(source):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{name}:{node.lineno}")
    found = {name: where for name, where in places.items() if len(where) > 1}
    assert found == {}, "give each class the name of what it is"
