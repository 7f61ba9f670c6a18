"""The settings of a service for git, editors and pre-commit."""

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.rendering import ANSWERS_FILE, Render, asked


@pytest.fixture
def repository(example: Render, tmp_path: Path) -> Path:
    path = tmp_path / "service"
    shutil.copytree(example.path, path)
    git(path, "init", "--quiet", "--initial-branch", "main")
    return path


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, check=True, text=True
    )
    return done.stdout


def hooks(service: Render) -> dict[str, dict[str, Any]]:
    (repo,) = yaml.safe_load(service.text(".pre-commit-config.yaml"))["repos"]
    assert repo["repo"] == "local", "uv.lock says which version of a linter runs"
    return {hook["id"]: hook for hook in repo["hooks"]}


def test_git_keeps_every_file_of_the_template(repository: Path, example: Render) -> None:
    git(repository, "add", ".")
    assert set(git(repository, "ls-files").splitlines()) == example.files().keys()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("uv.lock", True),
        ("app/new.py", True),
        ("infra/other.env", True),
        (".venv/bin/python", False),
        ("app/__pycache__/main.pyc", False),
        (".pytest_cache/x", False),
        ("app/.mypy_cache/x", False),
        (".ruff_cache/x", False),
        ("app/.tile_cache/x", True),
        (".env", False),
        ("app/.env", False),
        (".env.local", False),
        (".env.production.local", False),
        (".env.example", True),
        ("app/.env.sample", True),
        (".env.template", True),
    ],
)
def test_git_keeps_sources_and_no_secrets(repository: Path, name: str, kept: bool) -> None:
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).touch()
    git(repository, "add", ".")
    found = name in git(repository, "ls-files").splitlines()
    assert found is kept, f".gitignore: {name} {'is a source' if kept else 'is no source'}"


def test_a_checkout_on_windows_keeps_what_linux_runs(repository: Path) -> None:
    for name in "infra/deploy-manual.sh", "Dockerfile", "infra/settings.toml", "app/main.py":
        assert git(repository, "check-attr", "eol", name).endswith("eol: lf\n"), name


def test_every_linter_is_locked(example: Render) -> None:
    """So a laptop and CI find the same, and a missing or stale uv.lock is an error."""
    group = tomllib.loads(example.text("pyproject.toml"))["dependency-groups"]["dev"]
    installed = {re.split(r"[<>=~!;\[ ]", each)[0].removesuffix("-py") for each in group}
    for name, hook in hooks(example).items():
        if hook["language"] == "pygrep":
            continue
        uv, run, locked, tool, *_ = shlex.split(hook["entry"])
        assert [uv, run, locked] == ["uv", "run", "--locked"], name
        assert tool in installed, f"{name}: add {tool} to the dev group of pyproject.toml"
    assert "pre-commit" in installed


LINTERS = {
    "ruff-check": "ruff check",
    "ruff-format": "ruff format --check",
    "mypy": "mypy",
    "shellcheck": "shellcheck --external-sources",
    "yamllint": "yamllint --strict",
    "zizmor": "zizmor --offline --quiet --persona auditor .",
}


def test_every_linter_of_ci_is_present_and_as_strict_as_chosen(example: Render) -> None:
    found = {
        name: hook["entry"].removeprefix("uv run --locked ")
        for name, hook in hooks(example).items()
        if hook["language"] == "system"
    }
    assert found == LINTERS, (
        ".pre-commit-config.yaml: a linter that looks at less, or whose findings do not count, is "
        "red nowhere. If the change is meant, change LINTERS in this test too"
    )
    assert "exclude" not in example.text(".pre-commit-config.yaml")


def test_a_leftover_conflict_marker_fails_the_hook(example: Render) -> None:
    pattern = re.compile(hooks(example)["conflict-markers"]["entry"])
    conflict = [
        "<<<<<<< before updating",
        "||||||| last update",
        ">>>>>>> after updating",
        "<<<<<<<",
    ]
    assert all(pattern.search(line) for line in conflict)
    assert not any(pattern.search(line) for line in ["=======", "# <<<<<<< quoted", "cat <<EOF"])
    for name, content in example.files().items():
        assert not any(pattern.search(line) for line in content.decode().splitlines()), name


def test_an_incomplete_answers_file_fails_the_hook(example: Render) -> None:
    """An update would silently use the default for a missing answer."""
    hook = hooks(example)["answers"]
    assert hook["args"] == ["--multiline"], "red is what matches"
    assert "files" not in hook, "`copier copy -a` decides the name"
    pattern = re.compile(hook["entry"], re.MULTILINE | re.DOTALL)
    for name, content in example.files().items():
        assert not pattern.search(content.decode()), f"{name} is red"
    whole = example.text(ANSWERS_FILE)
    lines = whole.splitlines(keepends=True)
    for key in asked():
        [line] = [line for line in lines if line.startswith(f"{key}:")]
        assert pattern.search(whole.replace(line, "")), f"without {key} it is not red"
        assert pattern.search("".join(lines[: lines.index(line)])), f"cut off before {key}"


def test_the_answers_of_another_template_pass_the_hook(example: Render) -> None:
    hook = hooks(example)["answers"]
    another = (
        "# Changes here will be overwritten by Copier\n_src_path: gh:someone/else\nteam: web\n"
    )
    assert not re.search(hook["entry"], another, re.MULTILINE | re.DOTALL)


def test_a_review_shows_where_the_code_comes_from(repository: Path) -> None:
    """GitHub folds a generated file away, but _src_path decides what the next update runs."""
    names = ANSWERS_FILE, ".copier-answers.ecs.yml", "uv.lock"
    folded = git(repository, "check-attr", "linguist-generated", *names).splitlines()
    assert [line.split(": ")[0] for line in folded if line.endswith(": set")] == ["uv.lock"]
