"""An account that grows from nothing to a service that serves; tests branch off on the way."""

from pathlib import Path
from typing import Literal

from simulator.forked_copy import play_aside
from simulator.simulation import SimulatedAws
from tests.story.service import Play, StoryService
from tests.support.rendering import Render

Stage = Literal["nothing", "provisioned", "serving", "twice deployed"]


def deployed_again(service: StoryService) -> None:
    service.release()
    service.deploy().ends(0)


GROWTH: dict[Stage, Play] = {
    "nothing": lambda _: None,
    "provisioned": lambda service: service.provision().ends(0),
    "serving": lambda service: service.deploy().ends(0),
    "twice deployed": deployed_again,
}


class World:
    def __init__(self, aws: SimulatedAws, render: Render, folder: Path) -> None:
        self.aws, self.render, self.folder = aws, render, folder
        self.reached = -1
        self.number = 0

    def grow(self, stage: Stage) -> None:
        stages = list(GROWTH)
        wanted = stages.index(stage)
        if self.reached < 0 or wanted < self.reached:
            self.aws.reset()
            self.service = StoryService(self.aws, self.render, self.new_folder())
            self.reached = 0
        for step in stages[self.reached + 1 : wanted + 1]:
            GROWTH[step](self.service)
        self.reached = wanted

    def new_folder(self) -> Path:
        self.number += 1
        return self.folder / str(self.number)

    def aside(self, stage: Stage, play: Play) -> None:
        """Play in a copy of the account at a stage, with a clone of the service."""
        self.grow(stage)
        service = self.service.copy(self.new_folder())
        self.aws.calls.clear()
        play_aside(self.aws, lambda: play(service))
