"""What the stories stand on: one account that grows, and copies of it in which things go wrong."""

from collections.abc import Iterator

import pytest
from rendering import Render

from simulator.simulation import SimulatedAws
from story.world import World


@pytest.fixture(scope="module")
def world(
    started_aws: SimulatedAws, example: Render, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    started_aws.reset()
    yield World(started_aws, example, tmp_path_factory.mktemp("world"))
    started_aws.check()
