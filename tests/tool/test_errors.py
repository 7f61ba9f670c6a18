"""Every error of the tool: its code is stable, its message complete.

docs/reference/errors.md has all messages as one text, and tests/source/test_docs.py fails if one
differs: read the difference of that page as a user would.
"""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from types import ModuleType

import infra.tool
import pytest
from infra.tool.aws_errors import Kind
from infra.tool.errors import ExitCode, Problem


def modules() -> list[ModuleType]:
    """Every module of the tool."""
    names = [module.name for module in pkgutil.walk_packages(infra.tool.__path__, "infra.tool.")]
    assert len(names) > 20
    return [importlib.import_module(name) for name in sorted(names)]


def problems() -> dict[str, Problem]:
    """By their code. Two of the same code are an error."""
    found: dict[str, Problem] = {}
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, Problem):
                known = found.setdefault(value.code, value)
                assert known is value, (
                    f"{module.__name__}.{name}: another error has the code {value.code}"
                )
    return found


def placeholders(problem: Problem) -> set[str]:
    text = problem.message + problem.remedy
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@dataclass(frozen=True)
class Site:
    """A place that makes an error, or one of several."""

    where: str
    problems: list[Problem]
    details: set[str]


def sites(module: ModuleType) -> Iterator[Site]:
    """Every call of an error in a module: by its name, by a choice of names, or by a table, and
    each error that Patience calls."""
    tree = ast.parse(inspect.getsource(module))
    known = {name: listed(value) for name, value in vars(module).items() if listed(value)}
    for node in ast.walk(tree):  # such as `problem = CHANGING if is_changing else FAILED`
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp):
            names = [each.id for each in ast.walk(node.value) if isinstance(each, ast.Name)]
            choice = [problem for name in names for problem in known.get(name, [])]
            known |= {target.id: choice for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called := known.get(name_of(node.func))):
            details = {keyword.arg or "**" for keyword in node.keywords}
            yield Site(f"{module.__name__}:{node.lineno}", called, details)
        elif isinstance(node, ast.keyword) and node.arg == "unanswered":  # of Patience
            handed = known.get(name_of(node.value), [])
            yield Site(f"{module.__name__}:{node.value.lineno}", handed, {"text", "again"})


def listed(value: object) -> list[Problem]:
    """The errors that a name of a module stands for."""
    if isinstance(value, Mapping):
        return [each for each in value.values() if isinstance(each, Problem)]
    return [value] if isinstance(value, Problem) else []


def name_of(called: ast.expr) -> str:
    """Of `NAME(...)` and of `NAME[...](...)`."""
    named = called.value if isinstance(called, ast.Subscript) else called
    return named.id if isinstance(named, ast.Name) else ""


def test_codes_are_unique_lower_case_words_with_dashes() -> None:
    for code in problems():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code), f"{code}: lower case, with dashes"


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_every_call_fills_the_placeholders(module: ModuleType) -> None:
    for site in sites(module):
        needed = [placeholders(problem) for problem in site.problems]
        for problem, names in zip(site.problems, needed, strict=True):
            assert names <= site.details, f"{site.where}: {problem.code} needs {sorted(names)}"
        assert site.details <= set().union(*needed), f"{site.where}: no text uses all details"


def test_every_error_of_a_call_to_aws_has_the_same_details() -> None:
    for kind in Kind:
        assert placeholders(kind.value) <= {"operation", "text"}
        assert "text" in placeholders(kind.value), "AWS's own reason must be told"


def test_no_error_is_left_unused() -> None:
    used = {kind.value.code for kind in Kind}
    for module in modules():
        used |= {problem.code for site in sites(module) for problem in site.problems}
    assert problems().keys() - used == set(), "delete these: no code raises them"


def test_a_message_is_one_line_with_a_problem_and_a_remedy() -> None:
    for code, problem in problems().items():
        for text in problem.message, problem.remedy:
            assert text, f"{code}: say what is wrong and what to do"
            assert "\n" not in text
            assert text == text.strip()
            assert not text.endswith("."), f"{code}: no full stop, a command may end it"


def test_untrusted_details_are_made_harmless() -> None:
    error = Problem("x", "{what} is wrong", "see {what}")(what="a\n##[error]b\u202e{code}")
    assert error.message == "a # #[error]b {code} is wrong"
    assert error.remedy == "see a # #[error]b {code}"


def test_exit_codes_have_not_changed() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "FAILED": 1,
        "NOT_READY": 2,
        "UNKNOWN": 3,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }
