"""What the tests of recipes stand on."""

import pytest

# The environment that the tests of a recipe's service need, by the name of a fixture that returns
# it. Such a fixture calls tests.support.programs.require.
NEEDS: dict[str, str] = {}


@pytest.fixture
def needs(request: pytest.FixtureRequest) -> "Needs":
    return Needs(request)


class Needs:
    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.request = request

    def of(self, names: str) -> dict[str, str]:
        """What the tests of recipes, joined by "+", find in their environment."""
        fixtures = [NEEDS[name] for name in names.split("+") if name in NEEDS]
        found: dict[str, str] = {}
        for fixture in fixtures:
            found |= self.request.getfixturevalue(fixture)
        return found
