"""A plugin: the fixtures `rendered`, `provisioned`, `deployed` and `deployed_twice`.

A test that asks for one begins at that stage of a service, and runs in a fork of this process: so
whatever it does to the account and to the checkout is gone when the next one begins.
"""

import inspect
from typing import TYPE_CHECKING

import pytest

from tests.support.rendering import Render

if TYPE_CHECKING:  # they import much, and few tests need them
    from simulator.simulation import SimulatedAws
    from tests.support.checkout import Checkout
    from tests.support.stages import Account

# In their order: the account moves from one to the next.
STAGES = ("rendered", "provisioned", "deployed", "deployed_twice")


@pytest.fixture(scope="session")
def staged_account(
    started_aws: "SimulatedAws", example: Render, tmp_path_factory: pytest.TempPathFactory
) -> "Account":
    from tests.support.stages import Account, warm_up

    warm_up(started_aws)
    return Account(started_aws, example, tmp_path_factory.mktemp("account"))


@pytest.fixture
def rendered(staged_account: "Account") -> "Checkout":
    """A service without any resource in AWS."""
    return staged_account.bring_to("rendered")


@pytest.fixture
def provisioned(staged_account: "Account") -> "Checkout":
    """A service whose stack exists, and that was never deployed."""
    return staged_account.bring_to("provisioned")


@pytest.fixture
def deployed(staged_account: "Account") -> "Checkout":
    """A service that runs its first release."""
    return staged_account.bring_to("deployed")


@pytest.fixture
def deployed_twice(staged_account: "Account") -> "Checkout":
    """A service that runs its second release."""
    return staged_account.bring_to("deployed_twice")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Within a file, the tests of earlier stages come first: the account is made once for all."""
    staged = {item.path for item in items if "staged_account" in fixtures_of(item)}
    here = [item for item in items if item.path in staged]
    order = {item: number for number, item in enumerate(sorted(here, key=stage_of))}
    items.sort(key=lambda item: order.get(item, -1))


def fixtures_of(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


def stage_of(item: pytest.Item) -> tuple[str, int]:
    """Tests that prepare the account for themselves come last."""
    fixtures = fixtures_of(item)
    stages = [number for number, name in enumerate(STAGES) if name in fixtures]
    return str(item.path), max(stages, default=len(STAGES) if "staged_account" in fixtures else -1)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that begins at a stage in a fork."""
    if "staged_account" not in pyfuncitem.fixturenames:
        return None
    from simulator.forked_copy import run_in_fork
    from tests.support.stages import Account

    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    account = pyfuncitem.funcargs["staged_account"]
    assert isinstance(account, Account)
    run_in_fork(account.aws, lambda: pyfuncitem.obj(**arguments))
    return True
