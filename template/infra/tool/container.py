"""A container that runs an image as its definition says, on this machine and for a short time."""

import json
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from infra.tool.container_options import Options
from infra.tool.docker import Docker
from infra.tool.errors import ExitCode, Problem
from infra.tool.text import one_line

DOCKER_FAILED = Problem(
    "docker-failed",
    "docker {command} failed: {why}",
    "correct what docker names, then run the command again",
)
NO_IMAGE = Problem(
    "image-missing",
    "docker has no image {image}",
    "pull it, or leave out --image to build the image of the commit",
)
NO_PORT = Problem(
    "port-not-published",
    "docker published no port of the container: {why}",
    "use a docker whose default network is a bridge of this machine",
)
NOT_STARTED = Problem(
    "container-not-started",
    "the container does not start: {why}",
    "correct command and entryPoint in infra/task-definition.json, or the Dockerfile",
    ExitCode.FAILED,
)
LINES_SHOWN = 50  # of its log
CANNOT_RUN = (126, 127)  # exit codes of docker run: the command of the container cannot be run


@dataclass(frozen=True)
class State:
    running: bool
    exit_code: int
    out_of_memory: bool


@dataclass(frozen=True)
class Container:
    name: str
    docker: Docker

    def state(self) -> State:
        answer = json.loads(self._succeed("inspect", "--format", "{{json .State}}", self.name))
        return State(answer["Running"], answer["ExitCode"], answer["OOMKilled"])

    def url(self, port: int) -> str:
        """Where this machine reaches a port of the container. Raises ToolError."""
        done = self.docker.run("port", self.name, f"{port}/tcp")
        found = done.stdout.splitlines()
        if done.returncode or not found:
            raise NO_PORT(why=done.stderr or "it names no address")
        return f"http://{found[0].strip()}"

    def execute(self, words: Sequence[str], timeout: float) -> tuple[bool, str]:
        """Whether a command in the container succeeds within so many seconds, and its output."""
        try:
            done = self.docker.run("exec", self.name, *words, timeout=timeout)
        except subprocess.TimeoutExpired:
            return False, f"the health check took more than {timeout:g} s"
        said = one_line(done.stdout + done.stderr)
        return done.returncode == 0, f"exit code {done.returncode}{said and f', {said}'}"

    def log(self) -> list[str]:
        """The last lines, each made harmless."""
        done = self.docker.run("logs", "--tail", str(LINES_SHOWN), self.name)
        lines = [one_line(line) for line in (done.stdout + done.stderr).splitlines()]
        return [line for line in lines if line]

    def _succeed(self, *words: str) -> str:
        done = self.docker.run(*words)
        if done.returncode:
            raise DOCKER_FAILED(command=words[0], why=done.stderr)
        return done.stdout


@contextmanager
def running(docker: Docker, image: str, chosen: Options) -> Iterator[Container]:
    """A container that is removed at the end, with its volumes. Raises ToolError."""
    container = Container(f"infra-test-{secrets.token_hex(6)}", docker)
    try:
        done = docker.run(
            *("run", "--detach", "--pull", "never", "--name", container.name),
            *chosen.words,
            image,
            *chosen.command,
        )
        if done.returncode in CANNOT_RUN:
            raise NOT_STARTED(why=done.stderr)
        if done.returncode:
            raise DOCKER_FAILED(command="run", why=done.stderr)
        yield container
    finally:
        docker.run("rm", "--force", "--volumes", container.name)


def shell_of(docker: Docker, image: str) -> Sequence[str]:
    """The shell of a CMD-SHELL health check. Raises ToolError if docker lacks the image.

    https://docs.docker.com/reference/dockerfile/#shell
    """
    done = docker.run("image", "inspect", "--format", "{{json .Config.Shell}}", image)
    if done.returncode:
        raise NO_IMAGE(image=image)
    shell: Any = json.loads(done.stdout)
    return shell or ["/bin/sh", "-c"]


def cpus_of(docker: Docker) -> int:
    """How many CPUs docker has: it refuses to give a container more."""
    done = docker.run("info", "--format", "{{.NCPU}}")
    if done.returncode:
        raise DOCKER_FAILED(command="info", why=done.stderr)
    return int(done.stdout)
