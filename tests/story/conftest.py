"""The commands of these tests run in processes of their own, which call the simulated AWS."""

import pytest

from tests.support.checkout import SUBJECT, Checkout


@pytest.fixture
def new(rendered: Checkout) -> Checkout:
    """A service without any resource in AWS."""
    rendered.own_process = True
    rendered.set("github.subject", SUBJECT)  # so GitHub is not asked
    rendered.commit("Name the subject")
    return rendered


@pytest.fixture
def existing(provisioned: Checkout) -> Checkout:
    """A service whose stack exists, and that was never deployed."""
    provisioned.own_process = True
    return provisioned


@pytest.fixture
def running(deployed: Checkout) -> Checkout:
    """A service that runs its first release."""
    deployed.own_process = True
    return deployed


@pytest.fixture
def running_second(deployed_twice: Checkout) -> Checkout:
    """A service that runs its second release."""
    deployed_twice.own_process = True
    return deployed_twice
