"""The tests of the tool begin at a stage of a service, such as `deployed`."""

from pathlib import Path

import pytest

from tests.support.stages import (
    account,
    deployed,
    deployed_twice,
    order_by_stage,
    provisioned,
    pytest_pyfunc_call,
    rendered,
)

__all__ = [
    "account",
    "deployed",
    "deployed_twice",
    "provisioned",
    "pytest_pyfunc_call",
    "rendered",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order_by_stage(items, Path(__file__).parent)
