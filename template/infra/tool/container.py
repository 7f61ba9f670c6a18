"""A container that runs an image as its definition says, on this machine and for a short time."""

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from infra.tool import health
from infra.tool.clock import Clock
from infra.tool.console import Console
from infra.tool.container_options import (
    Options,
    health_command,
    options,
    patience,
    port_of,
    probe_timeout,
)
from infra.tool.docker import Docker
from infra.tool.documents import Documents, Json
from infra.tool.errors import ExitCode, Problem, ToolError
from infra.tool.health import Health
from infra.tool.image import docker_of
from infra.tool.target import Target
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
    "run a docker whose default network is a bridge on this machine",
)
NOT_STARTED = Problem(
    "container-not-started",
    "the container does not start: {why}",
    "correct command and entryPoint in infra/task-definition.json, or the Dockerfile",
    ExitCode.FAILED,
)
EXITED = Problem(
    "container-exited",
    "the container exited after {seconds} s with {cause}{last}",
    "correct the app; if it needs a secret of a certain form, name a stand-in in "
    "[deploy.test_secrets]",
    ExitCode.FAILED,
)
UNHEALTHY = Problem(
    "container-unhealthy",
    "the container did not pass its health check within {seconds} s: {last}",
    "correct the app, or healthCheck in infra/task-definition.json; its log is above",
    ExitCode.FAILED,
)
NO_ANSWER = Problem(
    "health-no-answer",
    "/health on the container's port {port} does not answer with 200: {why}",
    "make the app listen on 0.0.0.0 and answer /health; its log is above",
    ExitCode.FAILED,
)
WRONG_COMMIT = Problem(
    "commit-differs",
    "/health answers commit {found}, and {wanted} was to be tested",
    "keep COMMIT in the Dockerfile and in the answer of /health",
    ExitCode.FAILED,
)

POLL = 1.0  # seconds between two looks at the container
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


def check_image(target: Target, documents: Documents, image: str, commit: str) -> None:
    """Run an image as the task definition says. Raises ToolError unless it becomes healthy and
    /health answers with the commit. The container is removed, whatever happens."""
    runtime, docker = target.runtime, docker_of(target)
    task = documents.task_definition
    [definition] = [
        each
        for each in task["containerDefinitions"]
        if each["name"] == target.settings.names.container
    ]
    command = health_command(definition, shell_of(docker, image))
    stand_ins = target.settings.deploy.test_secrets
    chosen = options(task, definition, stand_ins, documents.platform, cpus_of(docker))
    if chosen.left_out:
        runtime.console.fact("left out", ", ".join(one_line(name) for name in chosen.left_out))
    with running(docker, image, chosen) as container:
        try:
            watch(target, container, definition, command, commit)
        except ToolError:
            show_log(runtime.console, container)
            raise


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


def watch(
    target: Target,
    container: Container,
    definition: Json,
    command: Sequence[str] | None,
    commit: str,
) -> None:
    """Wait until a container is healthy, then ask for its commit. Raises ToolError."""
    runtime, port, limit = target.runtime, port_of(definition), patience(definition)

    def probe() -> tuple[bool, str]:
        if command is not None:
            return container.execute(command, probe_timeout(definition))
        try:
            url = container.url(port)
        except ToolError as error:  # the port of a container that exited is not published
            return False, error.message
        answer = health.ask(runtime.fetch, url)
        return answer.status == 200, words_of(answer)

    asked = "health check" if command is not None else "/health: no health check is defined"
    runtime.console.say(f"waiting at most {limit:g} s for {asked}")
    seconds = wait(container, probe, runtime.clock, limit)
    runtime.console.fact("healthy", f"after {seconds:.0f} s")
    answer = health.ask(runtime.fetch, container.url(port))
    if answer.status != 200:
        raise NO_ANSWER(port=port, why=words_of(answer))
    if answer.commit != commit:
        raise WRONG_COMMIT(found=answer.commit or "none", wanted=commit)
    runtime.console.fact("commit", commit)


def wait(
    container: Container, probe: Callable[[], tuple[bool, str]], clock: Clock, limit: float
) -> float:
    """How many seconds a container took to become healthy. Raises ToolError as soon as it exits,
    or if the probe still fails after so many seconds."""
    started = clock.now()
    while True:
        passed, last = probe()
        state, seconds = container.state(), (clock.now() - started).total_seconds()
        if not state.running:
            last = "".join(f": {line}" for line in container.log()[-1:])
            raise EXITED(seconds=round(seconds), cause=cause_of(state), last=last)
        if passed:
            return seconds
        if seconds >= limit:
            memory = "it ran out of memory; " if state.out_of_memory else ""
            raise UNHEALTHY(seconds=round(seconds), last=memory + last)
        clock.sleep(POLL)


def cause_of(state: State) -> str:
    memory = " (it ran out of memory)" if state.out_of_memory else ""
    return f"exit code {state.exit_code}{memory}"


def words_of(answer: Health) -> str:
    return answer.error or f"status {answer.status}"


def show_log(console: Console, container: Container) -> None:
    lines = container.log()
    console.say(f"the last {len(lines)} lines of its log" if lines else "it logged nothing")
    with console.quoted():
        for line in lines:
            console.say(f"  {line}")


def shell_of(docker: Docker, image: str) -> Sequence[str]:
    """What runs a health check of the form CMD-SHELL. Raises ToolError if docker lacks the image.

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
