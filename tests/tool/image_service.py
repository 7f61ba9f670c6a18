"""A service in git, and the tool on it within this process: what it prints, and how it ends."""

import io
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from infra.tool import cli, documents
from infra.tool.aws import Aws
from infra.tool.console import Console
from infra.tool.documents import Documents
from infra.tool.health import fetch
from infra.tool.runtime import Runtime
from infra.tool.target import Target

from tests.support.rendering import Render
from tests.support.repository import ServiceRepository
from tests.support.targets import Clock


@dataclass
class ImageService(ServiceRepository):
    """A checkout of the example. `target` is as a command makes it."""

    example: Render
    scratch: Path  # a folder for files of the test
    environment: dict[str, str]
    session: boto3.Session | None = None  # None: a command that asks AWS fails the test
    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        self.folder = self.scratch / "service"
        shutil.copytree(self.example.path, self.folder)
        self.begin()

    @property
    def runtime(self) -> Runtime:
        return Runtime(
            root=self.folder,
            environment=self.environment,
            console=Console(self.environment, self.out, self.err),
            clock=Clock(),
            connect=self.connect,
            fetch=fetch,
            ask=input,
            resolve=lambda _: frozenset(),
        )

    def connect(self, region: str) -> Aws:
        assert self.session, "this command asks nothing of AWS"
        return Aws(self.session, region)

    @property
    def target(self) -> Target:
        return Target(self.runtime)

    @property
    def documents(self) -> Documents:
        return documents.read(self.folder, self.target.settings)

    def run(self, *words: str) -> int:
        """Run a command of the tool. Returns its exit code."""
        return cli.run(words, self.runtime)

    @property
    def said(self) -> str:
        return self.out.getvalue() + self.err.getvalue()


def base_environment() -> Mapping[str, str]:
    """The environment variables that git needs."""
    kept = ("GIT_", "HOME", "PATH")
    return {name: value for name, value in os.environ.items() if name.startswith(kept)}
