"""A plugin of pytest: one core runs all tests of a recipe, so that it is applied once.

    pytest -m recipe -p tests.recipes.scheduling

`--dist=loadgroup` of pytest-xdist 3.8 would do it, but finds no group with pytest 9.2: it adds them
to an attribute of items that nothing reads any more.
"""

import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Both kinds of tests: [bedrock-example] of test_recipes.py, and those of test_bedrock.py.
COMBINATION = re.compile(r"/test_recipes\.py::.*\[(?P<names>[\w+-]+)-\w+\]$")
FILE = re.compile(r"/test_(?P<name>\w+)\.py::")


def recipe_of(test: str) -> str:
    """The name of the recipe, or of the recipes, that a test is about."""
    if combination := COMBINATION.search(test):
        return combination["names"]
    file = FILE.search(test)
    return file["name"].replace("_", "-") if file else test


class RecipeScheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    def _split_scope(self, nodeid: str) -> str:
        return recipe_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> RecipeScheduling:
    return RecipeScheduling(config, log)
