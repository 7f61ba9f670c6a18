"""The service that the tests of infra/stack.yml look at."""

import pytest

from tests.stack.rendered_service import RenderedService
from tests.support.rendering import Render

pytest.register_assert_rewrite("tests.stack.invariants")  # or its messages lack the values


@pytest.fixture(scope="module")
def service(example: Render) -> RenderedService:
    return RenderedService(example)
