"""Docker, as far as the tests need it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_UP = 60  # seconds; it takes one or two
NO_ENGINE = """no container engine answers. Start one, or let the suite do it:

  tests/container/engine.sh build/engine
  PATH=$PWD/build/engine/bin:$PATH make test-all
"""

Done = subprocess.CompletedProcess[str]


def docker(*words: str | Path, timeout: float | None = None) -> Done:
    assert shutil.which("docker"), NO_ENGINE
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


def build(folder: Path, *options: str) -> str:
    """Build the Dockerfile of a folder and return the image's id."""
    assert docker("version").returncode == 0, NO_ENGINE
    return succeed("build", "--quiet", "--network", "host", *options, folder)


@dataclass(frozen=True)
class Container:
    """A running container of a service. It has no network: all that asks it is inside."""

    id: str
    definition: Any

    def run(self, *command: str) -> Done:
        return docker("exec", self.id, *command)

    def healthy(self) -> bool:
        """What ECS would find, by the health check of the task definition."""
        check = self.definition["healthCheck"]
        kind, *command = check["command"]
        assert kind == "CMD", "give the command itself: CMD-SHELL puts another shell before it"
        try:
            return docker("exec", self.id, *command, timeout=check["timeout"]).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def python(self, script: str) -> Any:
        """What a Python script in the container prints, as JSON."""
        done = self.run("python", "-c", script)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def output(self) -> str:
        done = docker("logs", self.id)
        return done.stdout + done.stderr

    def stop(self) -> int:
        """Stop it as ECS does; return its exit code."""
        succeed("stop", "--time", str(self.definition["stopTimeout"]), self.id)
        return int(succeed("inspect", "--format", "{{.State.ExitCode}}", self.id))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_UP
    while not condition():
        assert time.monotonic() < deadline, f"not within {START_UP} s"
        time.sleep(0.1)


@contextmanager
def running(image: str, service: Path, *command: str) -> Iterator[Container]:
    """Run an image as the service's task definition says."""
    task = json.loads((service / "infra" / "task-definition.json").read_text())
    (definition,) = task["containerDefinitions"]
    linux = definition["linuxParameters"]
    options = [
        *(["--read-only"] if definition["readonlyRootFilesystem"] else []),
        *(["--init"] if linux["initProcessEnabled"] else []),
        *(f"--cap-drop={capability}" for capability in linux["capabilities"]["drop"]),
        *(f"--env={each['name']}={each['value']}" for each in definition["environment"]),
        f"--user={definition['user']}",
        "--security-opt=no-new-privileges",
        "--network=none",
    ]
    container = Container(succeed("run", "--detach", *options, image, *command), definition)
    try:
        yield container
    except BaseException:
        print(container.output())  # pytest shows it below the failure
        raise
    finally:
        docker("rm", "--force", container.id)
