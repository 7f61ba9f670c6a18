"""Every linter is silent, on the template as it stands and on a render of it."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.linting import lint
from tests.support.rendering import ROOT, Render

Files = Callable[[Path], list[str]]


def found(*patterns: str) -> Files:
    """The files below a folder that match, relative to it."""

    def files(folder: Path) -> list[str]:
        paths = {path for pattern in patterns for path in folder.glob(pattern)}
        return sorted(os.fspath(path.relative_to(folder)) for path in paths)

    return files


WORKFLOWS = found(".github/workflows/*.yml")
SCRIPTS = found("**/*.sh")
ISSUE_FORMS = found(".github/ISSUE_TEMPLATE/*.yml")(ROOT)

# Those of the template itself; not all have an ending that says so.
SHELL = [
    ".ci/run",
    *found("tests/container/*.sh")(ROOT),
]

LINTERS: dict[str, tuple[list[str], Files]] = {
    "yamllint": (["yamllint", "--strict"], found("**/*.yml", "**/*.yaml", ".*.yml", ".*.yaml")),
    "workflows have the schema of GitHub": (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"],
        WORKFLOWS,
    ),
    "dependabot.yml has the schema of GitHub": (
        ["check-jsonschema", "--builtin-schema", "vendor.dependabot"],
        found(".github/dependabot.yml"),
    ),
    "zizmor": (["zizmor", "--offline", "--no-progress", "--persona", "auditor"], found(".github")),
    "actionlint": (["actionlint"], WORKFLOWS),
    "shellcheck": (["shellcheck", "--external-sources"], SCRIPTS),
    "shfmt": (["shfmt", "--diff"], SCRIPTS),
    "hadolint": (["hadolint"], found("Dockerfile")),
    "ruff": (["ruff", "check", "--no-cache"], found("**/*.py")),
    "ruff format": (["ruff", "format", "--check", "--no-cache"], found("**/*.py")),
}


@pytest.mark.parametrize("linter", LINTERS)
def test_the_template_is_clean_before_it_is_rendered(template: Path, linter: str) -> None:
    command, files = LINTERS[linter]
    lint(template / "template", command, files(template / "template"))


@pytest.mark.slow
@pytest.mark.parametrize("linter", LINTERS)
def test_a_render_is_clean(example: Render, linter: str) -> None:
    """Most of it stands in the template already; what varies is linted in test_matrix.py, too."""
    command, files = LINTERS[linter]
    lint(example.path, command, files(example.path))


def test_the_questions_have_the_keys_that_copier_knows() -> None:
    lint(ROOT, ["check-jsonschema", "--schemafile", "copier.schema.json"], ["copier.yml"])


def test_a_misspelt_key_would_be_noticed(tmp_path: Path) -> None:
    for right, wrong in ("help:", "hlep:"), ("_exclude:", "_exclud:"), ("when:", "wehn:"):
        misspelt = tmp_path / "copier.yml"
        misspelt.write_text((ROOT / "copier.yml").read_text().replace(right, wrong, 1))
        with pytest.raises(AssertionError, match=wrong[:-1]):
            lint(
                ROOT,
                ["check-jsonschema", "--verbose", "--schemafile", "copier.schema.json"],
                [os.fspath(misspelt)],
            )


@pytest.mark.parametrize(
    ("command", "files"),
    [
        (
            ["yamllint", "--strict", "-c", "template/.yamllint.yml"],
            [
                "copier.yml",
                "example-answers.yml",
                ".github/dependabot.yml",
                *ISSUE_FORMS,
                *WORKFLOWS(ROOT),
            ],
        ),
        (["shellcheck", "--external-sources"], SHELL),
        (["shfmt", "--diff", "--indent", "2", "--case-indent"], SHELL),
        (["ruff", "check", "--no-cache"], ["."]),
        (["ruff", "format", "--check", "--no-cache"], ["."]),
        (["lint-imports", "--no-cache", "--no-logo"], ["pyproject.toml"]),
        (["mypy"], ["benchmarks", "scripts", "simulator", "tests"]),
        (["check-jsonschema", "--builtin-schema", "vendor.github-workflows"], WORKFLOWS(ROOT)),
        (
            ["check-jsonschema", "--builtin-schema", "vendor.dependabot"],
            [".github/dependabot.yml"],
        ),
        (["check-jsonschema", "--builtin-schema", "vendor.github-issue-forms"], ISSUE_FORMS),
        (["actionlint"], WORKFLOWS(ROOT)),
        (["zizmor", "--offline", "--no-progress", "--persona", "auditor"], [".github"]),
    ],
)
def test_the_template_repository_is_clean_itself(command: list[str], files: list[str]) -> None:
    lint(ROOT, command, files)


# Every place where a linter is told to look away, and why it has to.
LOOKS_AWAY = {
    ".copier-answers.yml": "yamllint disable",  # Copier writes it, under the name that -a gives
    ".github/workflows/deploy-ecs.yml": "zizmor: ignore[self-repository]",
}
DIRECTIVE = re.compile(
    r"(shellcheck [^\n]*(?:disable|source=/dev/null)\S*|hadolint ignore|yamllint disable|noqa"
    r"|type: ignore|zizmor: ignore\S*|pylint|fmt: off|ruff: ignore)"
)


def test_linter_findings_are_ignored_only_if_listed(example: Render) -> None:
    found = {
        (name, match)
        for name, content in example.files().items()
        for match in DIRECTIVE.findall(content.decode())
    }
    assert found == set(LOOKS_AWAY.items())
