"""The lists of tests/mutations: each mistake can be made, and the tests that notice it exist."""

from collections.abc import Iterator

import pytest

from tests.mutations import product, tool
from tests.mutations.in_a_fork import concerns
from tests.mutations.mutation import ROOT, Mutation

MUTATIONS = [*product.MUTATIONS, *tool.MUTATIONS]


def test_the_text_of_each_mistake_is_in_its_file() -> None:
    gone = [
        mutation.name
        for mutation in MUTATIONS
        if mutation.old not in (ROOT / mutation.file).read_text(encoding="utf-8")
    ]
    assert gone == [], "change these in tests/mutations as the code has changed, or delete them"


class Collected:
    """A plugin of pytest that keeps the tests that it would run."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.items = [*items]


@pytest.fixture(scope="module")
def collected() -> list[pytest.Item]:
    files = sorted({mutation.test_file for mutation in MUTATIONS})
    found = Collected()
    options = ["--collect-only", "--quiet", "--numprocesses=0", "-p", "no:cacheprovider"]
    ignored = ["-W", "ignore:Module already imported", f"--rootdir={ROOT}"]
    pytest.main([*options, *ignored, *(str(ROOT / file) for file in files)], plugins=[found])
    return found.items


def without_test(items: list[pytest.Item]) -> Iterator[Mutation]:
    for mutation in MUTATIONS:
        if not any(concerns(mutation, item) for item in items):
            yield mutation


@pytest.mark.slow
def test_the_tests_of_each_mistake_exist(collected: list[pytest.Item]) -> None:
    assert collected, "pytest collects no tests"
    lost = [f"{mutation.tests} for {mutation.name}" for mutation in without_test(collected)]
    assert lost == [], "no test has this name: change it in tests/mutations"
