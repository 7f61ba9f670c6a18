"""Docker, as far as the tests need it: images, and containers as ECS runs them."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

PATIENCE = 120  # seconds, for what takes a few
NO_ENGINE = """no container engine answers. Start one, or let the suite do it:

  tests/container/engine.sh build/engine
  PATH=$PWD/build/engine/bin:$PATH make test-all
"""

Done = subprocess.CompletedProcess[str]


def engine_answers() -> bool:
    return bool(shutil.which("docker")) and docker("version").returncode == 0


def docker(*words: str | Path, timeout: float | None = None) -> Done:
    return subprocess.run(
        ["docker", *words],
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def succeed(*words: str | Path) -> str:
    done = docker(*words)
    assert done.returncode == 0, f"docker {words[0]}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


@contextmanager
def built(folder: Path, *options: str) -> Iterator[str]:
    """Build the Dockerfile of a folder, under its own name, and remove the image at the end."""
    name = f"container-tests:{uuid4()}"
    succeed("build", "--quiet", "--network", "host", "--tag", name, *options, folder)
    try:
        yield name
    finally:
        docker("rmi", name)


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (outcome := condition()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s"
        time.sleep(0.1)
    return outcome


@dataclass(frozen=True)
class Script:
    """A Python script that runs in a container."""

    process: subprocess.Popen[str]

    def line(self) -> str:
        """Wait for the next line that it prints."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        """Give it the line that it waits for."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self) -> Any:
        """The last line that it prints, as JSON."""
        try:
            said, errors = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the client printed nothing in {PATIENCE} s") from None
        assert self.process.returncode == 0, errors
        return json.loads(said.splitlines()[-1])


@dataclass(frozen=True)
class Container:
    """A running container of a service, which only its client can reach."""

    id: str
    client: str
    definition: Any

    def run(self, *command: str) -> Done:
        return docker("exec", self.id, *command)

    def start(self, script: str) -> Script:
        """Start a Python script beside the container: in its network, at none of its cost."""
        process = subprocess.Popen(
            ["docker", "exec", "--interactive", self.client, "python", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Script(process)

    def ask(self, script: str) -> Any:
        """The last line that a Python script beside the container prints, as JSON."""
        return self.start(script).result()

    def get(self, path: str, **headers: str) -> Any:
        """Its answer: status, headers by their names in small letters, and text."""
        return self.ask(f"""
import http.client, json
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout={PATIENCE})
connection.request("GET", {path!r}, headers={headers!r})
answer = connection.getresponse()
headers = {{name.lower(): value for name, value in answer.headers.items()}}
print(json.dumps([answer.status, headers, answer.read().decode()]))
""")

    def healthy(self) -> bool:
        """The result of the task definition's health check, run as ECS would run it."""
        check = self.definition["healthCheck"]
        kind, *command = check["command"]
        assert kind == "CMD", "give the command itself: CMD-SHELL puts another shell before it"
        try:
            return docker("exec", self.id, *command, timeout=check["timeout"]).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far; anything in it that is no JSON object fails the test."""
        done = docker("logs", self.id)
        lines = []
        for text in (done.stdout + done.stderr).splitlines():
            try:
                lines.append(dict(json.loads(text)))
            except (TypeError, ValueError):
                raise AssertionError(f"a log line is one JSON object, and not: {text}") from None
        return lines

    def logged(self, message: str) -> list[re.Match[str]]:
        """The messages of its log that match a pattern from end to end."""
        pattern = re.compile(message)
        return [found for line in self.lines() if (found := pattern.fullmatch(line["message"]))]

    def workers(self) -> list[str]:
        """The ids of the worker processes that were ever ready, the oldest first."""
        return [found[1] for found in self.logged(r"Started server process \[(\d+)\]")]

    def memory(self) -> int:
        """The memory of its processes that they do not share, in kB."""
        statuses = self.run("bash", "-c", "cat /proc/[0-9]*/status").stdout
        return sum(int(held) for held in re.findall(r"RssAnon:\s+(\d+) kB", statuses))

    def stop(self) -> int:
        """Stop it as ECS does; return its exit code."""
        succeed("stop", "--time", str(self.definition["stopTimeout"]), self.id)
        return int(succeed("inspect", "--format", "{{.State.ExitCode}}", self.id))


@contextmanager
def starting(
    image: str,
    service: Path,
    *command: str,
    secrets: Mapping[str, str] = MappingProxyType({}),
    options: Sequence[str] = (),
) -> Iterator[Container]:
    """Run an image as the service's task definition says, with values for its secrets."""
    task = json.loads((service / "infra" / "task-definition.json").read_text())
    (definition,) = task["containerDefinitions"]
    linux = definition["linuxParameters"]
    options = [
        *options,
        *(["--read-only"] if definition["readonlyRootFilesystem"] else []),
        *(["--init"] if linux["initProcessEnabled"] else []),
        *(f"--cap-drop={capability}" for capability in linux["capabilities"]["drop"]),
        *(f"--env={each['name']}={each['value']}" for each in definition["environment"]),
        *(f"--env={each['name']}={secrets[each['name']]}" for each in definition["secrets"]),
        f"--user={definition['user']}",
        f"--cpus={int(task['cpu']) / 1024}",
        f"--memory={task['memory']}m",
        "--security-opt=no-new-privileges",
        "--network=none",
    ]
    id = succeed("run", "--detach", *options, image, *command)
    # The client may give itself addresses, which is how a request comes from outside.
    beside = ["--user=0", "--cap-add=NET_ADMIN", f"--network=container:{id}"]
    client = f"beside-{id[:12]}"
    try:
        succeed("run", "--detach", "--init", "--name", client, *beside, image, "sleep", "infinity")
        yield Container(id, client, definition)
    except BaseException:
        print(docker("logs", id).stdout)  # pytest shows it below the failure
        raise
    finally:
        docker("rm", "--force", id, client)


@contextmanager
def serving(
    image: str,
    service: Path,
    *command: str,
    secrets: Mapping[str, str] = MappingProxyType({}),
    options: Sequence[str] = (),
) -> Iterator[Container]:
    """Run it until its health check is green, and read all that it has said at the end."""
    with starting(image, service, *command, secrets=secrets, options=options) as container:
        until(container.healthy)
        yield container
        container.lines()
