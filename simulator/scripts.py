"""The environment of a script under test: a folder of programs, and the server that they call.

Both are made for the first script; a test in process needs neither.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

from simulator.principals import Credentials
from simulator.programs import put_program, python
from simulator.server import Server

DOCKER = Path(__file__).with_name("docker_client.py")

Docker = Literal["recorded", "real"]


@dataclass
class Scripts:
    server: Server
    region: str
    docker: Docker | None

    def __post_init__(self) -> None:
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder with the programs in `bin`, made when it is first needed."""
        if self._folder is None:
            self._folder = Path(mkdtemp(prefix="simulated-aws-"))
            self._fill(self._folder / "bin")
        return self._folder

    def stop(self) -> None:
        self.server.stop()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    @contextmanager
    def in_a_fork(self) -> Iterator[None]:
        """The programs belong to the process that was forked; the server is a new one."""
        self.server.leave()
        is_lent = self._folder is not None
        try:
            yield
        finally:
            if not is_lent:
                self.stop()

    def environment(self, credentials: Credentials) -> dict[str, str]:
        keys = {
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret,
            "AWS_SESSION_TOKEN": credentials.token,
        }
        return {name: value for name, value in keys.items() if value} | {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": f"http://{self.server.address}",
            "AWS_PAGER": "",
            "AWS_RETRY_MODE": "standard",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "SIMULATED_REGISTRY": self.server.address,
        }

    def _fill(self, bin: Path) -> None:
        """Write the programs that come first on the PATH of scripts: none uses a network."""
        bin.mkdir()
        aws = Path(sys.executable).with_name("aws")
        assert aws.exists(), "aws is missing: uv sync"
        (bin / "aws").symlink_to(aws)
        if self.docker == "recorded":
            put_program(bin / "docker", *python(DOCKER), "recorded")
        elif self.docker == "real":
            docker = shutil.which("docker")
            assert docker, "docker is missing: install it, or ask for docker='recorded'"
            put_program(bin / "docker", *python(DOCKER), "real", docker)
            lend_plugins(bin.with_name("docker"))


def lend_plugins(folder: Path) -> None:
    """The user's docker plugins: docker finds them beside the passwords, which are not shared."""
    given = os.environ.get("DOCKER_CONFIG")
    own = (Path(given) if given else Path.home() / ".docker") / "cli-plugins"
    folder.mkdir()
    if own.is_dir():
        (folder / "cli-plugins").symlink_to(own)
