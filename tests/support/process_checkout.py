"""A rendered service, and its scripts run for real against the simulated AWS."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.tool import settings_file
from infra.tool.settings import Settings

from simulator.calls import Call
from simulator.simulation import SimulatedAws
from tests.support.checkout import SUBJECT
from tests.support.rendering import ROOT, Render
from tests.support.repository import ServiceRepository
from tests.support.settings import change

# The tool in a process of its own; a command follows.
TOOL = sys.executable, os.fspath(ROOT / "tests" / "support" / "tool_process.py")


@dataclass(frozen=True)
class Done:
    """What a script did."""

    code: int
    out: str
    err: str
    calls: list[Call]

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def asked(self) -> list[str]:
        return [call.name for call in self.calls]

    @property
    def changed(self) -> list[str]:
        """What AWS was asked to change, and did."""
        return [call.name for call in self.calls if call.changes and not call.error]

    def changes_nothing(self) -> None:
        assert self.changed == [], f"this may change nothing:\n{self.text}"

    def ends(self, code: int, *says: str) -> None:
        """Assert how it ended, and that it said each of some things."""
        assert self.code == code, f"exit {self.code} instead of {code}:\n{self.text}"
        for words in says:
            assert words in self.text, f"it should say {words!r}:\n{self.text}"


@dataclass
class ProcessCheckout(ServiceRepository):
    """A service of its own in git, whose pauses move the clock of the simulation alone."""

    aws: SimulatedAws
    render: Render
    folder: Path

    def __post_init__(self) -> None:
        self.service = self.folder / "service"
        shutil.copytree(self.render.path, self.service)
        if not (self.service / ".git").exists():  # which a clone has
            # GitHub is not asked.
            change(self.service, "github.subject", SUBJECT)
            self.begin()

    @property
    def settings(self) -> Settings:
        return settings_file.read(self.service)

    @property
    def deploy_role(self) -> str:
        return f"role/{self.settings.names.deploy_role}"

    @property
    def url(self) -> str:
        """Where the load balancer of the stack is, as a script would ask for it."""
        (stack,) = self.aws.client("cloudformation").describe_stacks(
            StackName=self.settings.names.stack
        )["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return str(outputs["Url"])

    def run(self, *words: str, principal: str = "root", typing: str = "", **more: str) -> Done:
        """Run a script as somebody; `typing` is what a person types, `more` the environment."""
        before = len(self.aws.calls)
        done = subprocess.run(
            words,
            cwd=self.service,
            env=os.environ | self.aws.environment(principal) | more,
            input=typing,
            capture_output=True,
            text=True,
        )
        return Done(done.returncode, done.stdout, done.stderr, list(self.aws.calls)[before:])

    def provision(self, *words: str) -> Done:
        return self.run(*TOOL, "provision", *words)

    def destroy(self, *words: str) -> Done:
        return self.run(*TOOL, "destroy", *words, typing=f"{self.settings.service.name}\n")

    def deploy(self, *, principal: str = "", **more: str) -> Done:
        """As GitHub's runner does, unless it is said who does."""
        who = principal or self.deploy_role
        return self.run(*TOOL, "deploy", principal=who, **more)

    def new_commit(self, text: str = "") -> str:
        """Something else to deploy."""
        self.write("NOTES.md", text or f"After {self.head}.\n")
        self.commit("Write a note")
        return self.head
