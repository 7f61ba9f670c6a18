"""What the tests of the simulation stand on."""

import pytest

from simulated_aws.ground import Ground
from simulated_aws.simulation import SimulatedAws


@pytest.fixture
def ground(aws: SimulatedAws) -> Ground:
    """What a service needs, in an account that has nothing else."""
    return Ground(aws)
