"""Long products of parameters: a part in `make test`, the rest in `make test-slow`."""

from collections.abc import Collection

import pytest
from _pytest.mark import ParameterSet


def numbers(count: int, *, quick: Collection[int]) -> list[ParameterSet]:
    """The numbers from 0 on. Only those in `quick` are for `make test`."""
    assert max(quick) < count, f"there are {count} numbers from 0 on: correct {sorted(quick)}"
    slow = pytest.mark.slow
    return [pytest.param(each, marks=() if each in quick else slow) for each in range(count)]
