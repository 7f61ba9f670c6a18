"""infra/stack.yml, and the files that must agree with it, satisfy each invariant."""

import pytest

from tests.stack.invariants import INVARIANTS
from tests.stack.rendered_service import RenderedService


@pytest.mark.parametrize("name", INVARIANTS)
def test_an_invariant_is_kept(service: RenderedService, name: str) -> None:
    try:
        INVARIANTS[name](service)
    except AssertionError as broken:
        raise AssertionError(f"infra/stack.yml: {name.replace('_', ' ')}: {broken}") from broken
