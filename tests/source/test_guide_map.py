"""docs/guide-map.md leaves no step of the guide out, and names nothing that is not there."""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from infra.tool.settings_file import known_settings

from tests.support.rendering import ROOT, Render

MAP = ROOT / "docs" / "guide-map.md"

# The parts of the guide: its plan, its chapters, its steps, its permissions, its layout.
STEPS = [
    *(f"Plan {number}" for number in range(1, 6)),
    "Image",
    "Registry by command",
    *(f"Step {number}" for number in range(1, 13)),
    "IAM",
    "Layout",
]
LAYOUT = [
    ".github/workflows/deploy-ecs.yml",
    "infra/task-definition.json",
    "infra/ecr-lifecycle-policy.json",
    "infra/deploy-manual.sh",
    "ops/iam-policy-github-actions.json",
    "app/main.py",
    "Dockerfile",
    "README.md",
    ".gitignore",
]


@dataclass(frozen=True)
class GuideStep:
    step: str
    here: str
    proof: str
    because: str


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.fixture(scope="module")
def rows() -> list[GuideStep]:
    lines = [line for line in MAP.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [GuideStep(*row) for row in cells if row[0] not in ("guide step", "---")]


def test_every_step_of_the_guide_has_a_row(rows: list[GuideStep]) -> None:
    told = list(dict.fromkeys(row.step.partition(":")[0] for row in rows))
    assert told == STEPS, "one row or more for each, in the order of the guide"


def test_no_step_has_two_rows_and_no_cell_is_empty(rows: list[GuideStep]) -> None:
    steps = [row.step for row in rows]
    assert sorted(steps) == sorted(set(steps))
    for row in rows:
        assert all((row.step, row.here, row.proof, row.because)), f"{row.step}: fill every cell"


def test_the_file_of_a_step_exists(rows: list[GuideStep], example: Render) -> None:
    settings = {f"[{section}] {key}" for section, key in known_settings()}
    for row in rows:
        assert quoted(row.here), f"{row.step}: which file or command does it?"
        for words in quoted(row.here):
            is_file = (example.path / words.split()[0]).is_file()
            assert words in settings or is_file, f"{row.step}: a service has no {words}"


def parsed(file: Path) -> list[ast.stmt]:
    return ast.parse(file.read_text(encoding="utf-8")).body


def names_of_tests(file: Path) -> set[str]:
    functions = {node.name for node in parsed(file) if isinstance(node, ast.FunctionDef)}
    return {name for name in functions if name.startswith("test_")}


def cases_in(modules: Sequence[Path]) -> set[str]:
    """The names that the brackets of a test id may have: functions that a decorator makes cases,
    such as `@invariant`."""
    functions = [
        node for file in modules for node in parsed(file) if isinstance(node, ast.FunctionDef)
    ]
    names = {function.name for function in functions}
    return {
        function.name
        for function in functions
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Name) and decorator.id in names
    }


@cache
def names_in(file: Path) -> tuple[set[str], set[str]]:
    """The tests of a file, and their cases, in the file or in modules of tests that it imports."""
    imported = [
        ROOT / node.module.replace(".", "/")
        for node in parsed(file)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests.")
    ]
    modules = [module for name in imported for module in modules_of(name)]
    return names_of_tests(file), cases_in([file, *modules])


def modules_of(name: Path) -> list[Path]:
    """The module of that name, or all modules of the package."""
    return sorted(name.glob("*.py")) if name.is_dir() else [name.with_suffix(".py")]


def test_the_test_of_a_step_exists(rows: list[GuideStep]) -> None:
    for row in rows:
        assert quoted(row.proof), f"{row.step}: which test proves it?"
        for id in quoted(row.proof):
            found = re.fullmatch(r"(\S+\.py)::(test_\w+)(?:\[(.+)\])?", id)
            assert found, (
                f"{row.step}: {id} is no test, as in tests/source/test_source.py::test_name"
            )
            file, test, case = found.groups()
            assert (ROOT / file).is_file(), f"{row.step}: there is no {file}"
            tests, cases = names_in(ROOT / file)
            assert test in tests, f"{row.step}: {file} has no {test}"
            assert case is None or case in cases, f"{row.step}: {test} has no case {case}"


def test_the_files_of_the_guide_exist(example: Render) -> None:
    missing = [name for name in LAYOUT if not (example.path / name).is_file()]
    assert missing == [], "the guide's paths are an interface: put them back"
