"""What the stories stand on: one account that grows, and copies of it in which things go wrong."""

from collections.abc import Iterator

import pytest

from simulator.simulation import SimulatedAws
from tests.story.world import World
from tests.support.rendering import Render


@pytest.fixture(scope="module")
def world(
    started_aws: SimulatedAws, example: Render, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    started_aws.reset()
    yield World(started_aws, example, tmp_path_factory.mktemp("world"))
    started_aws.check()
