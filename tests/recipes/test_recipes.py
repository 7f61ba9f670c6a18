"""Every recipe, applied to fresh renders: linted, typed, tested, started, and kept by an update."""

import json
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.recipes.conftest import Needs
from tests.recipes.service import ANSWERS, PAGES, PAIRS, Recipes, RecipeService
from tests.support.rendering import Render
from tests.update.history import HERE, NEXT, Owned

pytestmark = pytest.mark.recipe

# Names of recipes, joined by "+", and of answers.
COMBINATIONS = [
    *((name, answers) for name in PAGES for answers in ANSWERS),
    *(("+".join(pair), "example") for pair in PAIRS if set(pair) <= set(PAGES)),
]


@pytest.fixture(scope="module", params=COMBINATIONS, ids="-".join)
def combination(request: pytest.FixtureRequest) -> tuple[str, str]:
    names, answers = request.param
    return names, answers


@pytest.fixture(scope="module")
def service(recipes: Recipes, combination: tuple[str, str]) -> RecipeService:
    return recipes.service(*combination)


@pytest.fixture(scope="session")
def types(tmp_path_factory: pytest.TempPathFactory) -> str:
    """mypy's cache of the packages, which the recipes share: it saves half of the time."""
    return str(tmp_path_factory.mktemp("types"))


def test_linters_and_type_checks_pass(service: RecipeService, types: str) -> None:
    service.uv("run", "--locked", "pre-commit", "run", "--all-files", MYPY_CACHE_DIR=types)


def test_its_tests_pass_and_none_is_skipped(
    service: RecipeService, combination: tuple[str, str], needs: Needs
) -> None:
    environment = needs.of(combination[0])
    last = service.uv("run", "--locked", "pytest", **environment).splitlines()[-1]
    assert re.fullmatch(r"=+ \d+ passed in .*", last), last


def test_the_service_starts_without_its_dependencies(service: RecipeService) -> None:
    """As `test-image` does: with stand-ins for its secrets, and without a network."""
    with service.serving() as server:
        assert server.get("/health").json()["status"] == "ok"
        workers = int(service.environment()["WEB_CONCURRENCY"])
        started = "Application startup complete"
        server.wait_for(lambda: server.log.read_text().count(started) == workers)
    assert server.process.returncode == 0, server.log.read_text()


def test_an_update_keeps_every_line_of_the_recipe(
    service: RecipeService, combination: tuple[str, str], recipes: Recipes, tmp_path: Path
) -> None:
    """To a release in which the template grew, in the files that the recipe changed, too."""
    names, answers = combination
    before = recipes.history.service(HERE, tmp_path / "before", ANSWERS[answers])
    after = recipes.history.service(NEXT, tmp_path / "after", ANSWERS[answers])
    mine = Owned(service.copy(tmp_path / "mine").path, ANSWERS[answers])
    added = difference(before, mine)
    assert added, f"{names} changes no file"
    mine.update(NEXT)
    assert mine.conflicts() == set(), f"move the change of the recipe away:\n{mine.git('diff')}"
    assert difference(after, mine) == added
    for name in mine.git("ls-files").splitlines():
        parses(mine, name)


def difference(old: Owned, new: Owned) -> dict[str, tuple[Counter[str], Counter[str]]]:
    """The lines that a service has more and has less than another one, by file."""
    found = {}
    for name in new.git("ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        path = old.path / name
        was = Counter(path.read_text("utf-8").splitlines() if path.is_file() else [])
        now = Counter((new.path / name).read_text("utf-8").splitlines())
        if was != now and not name.startswith(".copier-answers"):
            found[name] = now - was, was - now
    return found


def parses(service: Render, name: str) -> None:
    text = service.text(name)
    if name.endswith(".json"):
        json.loads(text)
    elif name.endswith((".toml", ".lock")):
        tomllib.loads(text)
    elif name.startswith(".github/"):
        yaml.safe_load(text)
