"""Fixtures of the tests of recipes."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.postgresql import Postgres, running

# The fixture that returns the environment in which the tests of a recipe's service run. It calls
# tests.support.programs.require.
NEEDS = {"rest-api-postgresql": "test_database"}


class Needs:
    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.request = request

    def of(self, names: str) -> dict[str, str]:
        """For recipes whose names are joined by "+"."""
        found: dict[str, str] = {}
        for name in names.split("+"):
            if name in NEEDS:
                found |= self.request.getfixturevalue(NEEDS[name])
        return found


@pytest.fixture
def needs(request: pytest.FixtureRequest) -> Needs:
    return Needs(request)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.fixture
def test_database(postgres: Postgres) -> dict[str, str]:
    """An empty database for the tests of a service."""
    url = postgres.create(f"tests-{uuid4()}")
    return {"TEST_DATABASE_URL": f"{url}?sslmode=disable"}
