"""Run a step of a workflow as GitHub's runner does: its shell, its files, its variables."""

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

WORKFLOWS = ("ci", "deploy-ecs", "rollback-ecs", "template-update")
COMMIT = "0123456789abcdef0123456789abcdef01234567"

# uv as the workflows may call it: the tool must run without a sync. Any other call fails.
UV = """
case "$*" in
  "sync --locked --only-group infra --no-build") ;;
  "run --no-sync -m infra "*) shift 4; exec {command} "$@" ;;
  *) echo "uv $*: run the tool as uv run --no-sync -m infra"; exit 9 ;;
esac
"""

Reply = Callable[[str, Mapping[str, str]], str | int | None]


def workflow(service: Path, name: str) -> dict[str, Any]:
    """A workflow as YAML 1.2 reads it: its key `on` is a word, not a truth value."""
    loaded = yaml.safe_load((service / ".github" / "workflows" / f"{name}.yml").read_text())
    return {"on" if key is True else key: value for key, value in loaded.items()}


def all_steps(service: Path, name: str, job: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Names and contents of the steps of a workflow, or of one of its jobs; those that call an
    action too. Steps of several jobs may have one name."""
    jobs = workflow(service, name)["jobs"]
    chosen = [jobs[job]] if job else jobs.values()
    return [(step["name"], step) for each in chosen for step in each.get("steps", [])]


def steps(service: Path, name: str, job: str = "") -> dict[str, dict[str, Any]]:
    """The steps by name: of those with one name, the last."""
    return dict(all_steps(service, name, job))


@dataclass(frozen=True)
class StepResult:
    code: int
    said: str
    outputs: dict[str, str]

    @property
    def annotations(self) -> list[str]:
        return [line for line in self.said.splitlines() if line.startswith("::")]


@dataclass(frozen=True)
class Runner:
    """A machine with a checkout of the service. It has the tools of this one, and each `tool`."""

    service: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def tool(self, name: str, *command: str) -> None:
        """Put a program on the PATH that hands its arguments to `command`."""
        path = self.home / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        path.chmod(0o755)

    def uv(self, *python: str) -> None:
        """Put a stand-in for uv on the PATH: it installs nothing, and runs the tool with the Python
        of this suite. `python` is how; by default, as uv does."""
        command = shlex.join(python or (sys.executable, "-m", "infra"))
        script = self.home / "uv.sh"
        script.write_text(UV.format(command=command))
        self.tool("uv", "sh", os.fspath(script))

    def run(self, name: str, step: str, **given: str) -> StepResult:
        """Run the step. `given` has the values of the expressions in its `env`."""
        found = steps(self.service, name)[step]
        env = {key: str(value) for key, value in found.get("env", {}).items()} | given
        unknown = [key for key, value in env.items() if "${{" in value]
        assert not unknown, f"the test does not say what {unknown} would be"

        script, outputs = self.home / "step.sh", self.home / "outputs"
        script.write_text(found["run"])
        outputs.write_text("")
        path = self.variables.get("PATH", os.environ["PATH"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.service,
            env={
                "HOME": os.fspath(self.home),
                "RUNNER_TEMP": os.fspath(self.home),
                "GITHUB_ACTIONS": "true",
                "GITHUB_OUTPUT": os.fspath(outputs),
                "GITHUB_REF": "refs/heads/main",
                "GITHUB_REPOSITORY": "my-company/ai-assistant",
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_SHA": COMMIT,
                **self.variables,
                **env,
                "PATH": f"{self.home / 'bin'}{os.pathsep}{path}",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        lines = outputs.read_text().splitlines()
        return StepResult(done.returncode, done.stdout, dict(line.split("=", 1) for line in lines))


@contextmanager
def served(reply: Reply) -> Iterator[str]:
    """A web server for as long as the block lasts.

    A text is the body of an answer, or the place to which it redirects; a number is the status of a
    refusal, and `None` means to hang up.
    """

    class ReplyHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = reply(self.path, dict(self.headers.items()))
            if isinstance(body, int):
                self.send_response(body)
                self.send_header("WWW-Authenticate", "Basic")
                self.end_headers()
            elif body is not None:
                self.send_response(302 if body.startswith("http://") else 200)
                self.send_header("Location", body)
                self.end_headers()
                self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), ReplyHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
