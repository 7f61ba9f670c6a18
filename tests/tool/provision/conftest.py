"""The stages of a service that tests of `provision` begin at. GitHub is not asked."""

import pytest

from tests.support.checkout import SUBJECT, Checkout


@pytest.fixture
def new(rendered: Checkout) -> Checkout:
    """A service that nothing in AWS belongs to yet."""
    rendered.set("github.subject", SUBJECT)
    return rendered


@pytest.fixture
def existing(provisioned: Checkout) -> Checkout:
    """A service whose stack exists."""
    provisioned.set("github.subject", SUBJECT)
    return provisioned


@pytest.fixture
def running(deployed: Checkout) -> Checkout:
    """A service that runs its first release."""
    deployed.set("github.subject", SUBJECT)
    return deployed
