"""Fixtures of every test: the template as git would publish it, and services rendered from it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_copie.plugin import Copie

from tests.support.rendering import EXAMPLE, ROOT, Render
from tests.update.history import History, history

if TYPE_CHECKING:  # it imports much, and few tests need it
    from simulator.fixtures import Ground
    from simulator.simulation import SimulatedAws
    from tests.recipes.service import Recipes

pytest_plugins = ["tests.support.stage_fixtures"]


def pytest_configure() -> None:
    """Keep the tests independent of the environment of the person who runs them."""
    if missing := [tool for tool in ("bash", "git", "jq") if not shutil.which(tool)]:
        pytest.exit(f"not installed: {', '.join(missing)} (apt-get install {missing[0]})")
    for name in [name for name in os.environ if name.startswith(("AWS_", "COPIER_", "GITHUB_"))]:
        del os.environ[name]
    os.environ["COPIER_SETTINGS_PATH"] = os.fspath(ROOT / "tests" / "no-settings.yml")
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    os.environ["GIT_CONFIG_SYSTEM"] = os.devnull
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, if run in the background
    for role in "AUTHOR", "COMMITTER":
        os.environ[f"GIT_{role}_NAME"] = "Test"
        os.environ[f"GIT_{role}_EMAIL"] = "test@example.com"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git tracks or would add, in a plain folder: it renders twice as fast."""
    copy = tmp_path_factory.mktemp("template")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard", "copier.yml", "template"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        encoding="utf-8",
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="session")
def varying(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only the files that depend on the answers: they render four times as fast as the template."""
    copy = tmp_path_factory.mktemp("varying")
    for path in template / "copier.yml", *template.rglob("*.jinja"):
        (copy / path.relative_to(template)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy / path.relative_to(template))
    return copy


@pytest.fixture(scope="session")
def example(copie_session: Copie, template: Path) -> Render:
    """A render of example-answers.yml. Tests only read it; one that writes makes its own copy."""
    made = copie_session.copy(extra_answers=dict(EXAMPLE), template_dir=template)
    if made.exception:
        raise made.exception
    assert made.project_dir
    return Render(made.project_dir.rename(made.project_dir.with_name(EXAMPLE["app_name"])), EXAMPLE)


@pytest.fixture(scope="session")
def published(template: Path, tmp_path_factory: pytest.TempPathFactory) -> History:
    """The template as a repository of releases. Tests only read it."""
    return history(template, tmp_path_factory.mktemp("published") / "fastapi-ecs-template")


@pytest.fixture(scope="session")
def recipes(published: History, tmp_path_factory: pytest.TempPathFactory) -> "Recipes":
    """Services in which recipes of docs/recipes were applied, each made once."""
    from tests.recipes.service import Recipes

    return Recipes(published, tmp_path_factory.mktemp("recipes"))


@pytest.fixture(scope="session")
def started_aws() -> Iterator["SimulatedAws"]:
    """Started once: it takes a second. moto has one state for a process, so there is only one."""
    from simulator.simulation import SimulatedAws

    with SimulatedAws() as aws:
        yield aws


@pytest.fixture
def aws(started_aws: "SimulatedAws") -> Iterator["SimulatedAws"]:
    """A brand-new account in an AWS that can also fail."""
    started_aws.reset()
    yield started_aws
    started_aws.check()


@pytest.fixture
def ground(aws: "SimulatedAws") -> "Ground":
    """The resources that a service needs, in an account without other resources."""
    from simulator.fixtures import Ground

    return Ground(aws)
