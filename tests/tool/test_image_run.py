"""`test-image` with a docker that prints what a test has prepared; the web server is real."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from infra.tool import docker
from infra.tool.errors import ExitCode

from simulator.programs import put_program
from tests.support.rendering import Render
from tests.tool.image_service import ImageService, base_environment
from tests.workflows.runner import served

# Records its arguments, and prints what the test has prepared for the first of them.
PLAYER = """
import json, sys
folder, *words = sys.argv[1:]
with open(folder + "/calls", "a") as file:
    file.write(json.dumps(words) + "\\n")
with open(folder + "/answers") as file:
    code, out = json.load(file)[words[0]]
print(out, file=sys.stderr if code else sys.stdout)
sys.exit(code)
"""
RUNNING = {"Running": True, "ExitCode": 0, "OOMKilled": False}


class RecordedImageService(ImageService):
    answers: dict[str, tuple[int, str]]

    def test(self, *words: str) -> int:
        (self.scratch / "answers").write_text(json.dumps(self.answers))
        return self.run("test-image", "--image", "service:1", *words)

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.scratch / "calls").read_text().splitlines()]

    def call(self, verb: str) -> list[str]:
        return next(call for call in self.calls if call[0] == verb)


@pytest.fixture
def play(example: Render, tmp_path: Path) -> Iterator[RecordedImageService]:
    """An image that becomes healthy; its URL is that of a web server here."""
    (tmp_path / "bin").mkdir()
    player = (sys.executable, "-I", "-S", "-c", PLAYER, os.fspath(tmp_path))
    put_program(tmp_path / "bin" / "docker", *player)
    environment = {**base_environment()}
    environment["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{environment['PATH']}"

    found = RecordedImageService(example, tmp_path, environment)

    def reply(path: str, _: object) -> str | None:
        return json.dumps({"commit": found.head}) if path == "/health" else None

    with served(reply) as url:
        found.answers = {
            "exec": (0, ""),
            "image": (0, "null"),
            "info": (0, "4"),
            "inspect": (0, json.dumps(RUNNING)),
            "logs": (0, "the log of the container"),
            "port": (0, url.removeprefix("http://")),
            "rm": (0, ""),
            "run": (0, "0123456789ab"),
        }
        yield found
    removed = [call for call in found.calls if call[:3] == ["rm", "--force", "--volumes"]]
    started = [call for call in found.calls if call[0] == "run"]
    assert len(removed) == len(started), "a container is removed, whatever happens"


def test_an_image_that_returns_its_commit_passes(play: RecordedImageService) -> None:
    assert play.test() == ExitCode.DONE, play.said
    run = play.call("run")
    assert {"--read-only", "--init"} <= set(run)
    assert run[run.index("--cap-drop") + 1] == "ALL"
    assert run[run.index("--user") + 1] == "10001:10001"
    assert run[run.index("--pull") + 1] == "never"
    assert run[-1] == "service:1"
    assert play.call("exec")[2:4] == ["bash", "-c"], "the health check of the document"
    assert play.head in play.said
    assert "left out    logConfiguration" in play.said


def test_a_proxy_in_the_environment_is_not_used_for_this_machine(
    play: RecordedImageService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "http_proxy", "no_proxy":
        monkeypatch.setenv(name, "http://127.0.0.1:1" if name == "http_proxy" else "")
    assert play.test() == ExitCode.DONE, play.said


def test_an_image_that_returns_another_commit_fails(play: RecordedImageService) -> None:
    with served(lambda *_: json.dumps({"commit": "0ld"})) as url:
        play.answers["port"] = (0, url.removeprefix("http://"))
        assert play.test() == ExitCode.FAILED
    assert "error[commit-differs]: /health returns commit 0ld" in play.said


def test_an_image_that_never_becomes_healthy_fails_and_its_log_is_shown(
    play: RecordedImageService,
) -> None:
    play.answers["exec"] = (1, "connection refused")
    assert play.test() == ExitCode.FAILED
    assert "error[container-unhealthy]" in play.said
    assert "within 75 s: exit code 1, connection refused" in play.said
    assert "  the log of the container" in play.said
    assert len([call for call in play.calls if call[0] == "exec"]) == 76


def test_a_container_that_exits_ends_the_test_at_the_next_poll(play: RecordedImageService) -> None:
    play.answers["exec"] = (1, "the container is not running")
    play.answers["inspect"] = (0, json.dumps(RUNNING | {"Running": False, "ExitCode": 3}))
    assert play.test() == ExitCode.FAILED
    assert "exited after 0 s with exit code 3: the log of the container" in play.said
    assert len([call for call in play.calls if call[0] == "exec"]) == 1


def test_a_log_cannot_give_a_runner_commands(play: RecordedImageService) -> None:
    play.environment["GITHUB_ACTIONS"] = "true"
    play.answers["exec"] = (1, "no")
    play.answers["logs"] = (0, "::add-mask::x\n##[command]y\r::error::z")
    play.test()
    lines = play.said.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("::stop-commands::"))
    token = lines[start].rpartition("::")[2]
    assert lines[start + 1 : start + 4] == [
        "  ::add-mask::x",
        "  # #[command]y",
        "  ::error::z",
    ]
    assert lines[start + 4] == f"::{token}::"
    [annotation] = [line for line in lines if line.startswith("::error")]
    assert annotation.startswith("::error title=container-unhealthy::")


@pytest.mark.parametrize(
    ("verb", "answer", "code"),
    [
        ("image", (1, "No such image"), "image-missing"),
        ("run", (125, "invalid argument"), "docker-failed"),
        ("info", (1, "no daemon"), "docker-failed"),
        ("inspect", (1, "No such container"), "docker-failed"),
        ("port", (1, "No public port"), "port-not-published"),
    ],
)
def test_a_refusal_of_docker_is_not_reported_as_a_fault_of_the_image(
    play: RecordedImageService, verb: str, answer: tuple[int, str], code: str
) -> None:
    play.answers[verb] = answer
    assert play.test() == ExitCode.NOT_READY
    assert f"error[{code}]" in play.said


def test_without_docker_the_remedy_is_to_install_it(play: RecordedImageService) -> None:
    play.test()  # git is asked first, and found
    (play.scratch / "bin" / "docker").unlink()
    (play.scratch / "bin" / "git").symlink_to(shutil.which("git") or "")
    play.environment["PATH"] = os.fspath(play.scratch / "bin")
    assert play.test() == ExitCode.NOT_READY
    assert "error[docker-missing]" in play.said


@pytest.mark.parametrize("verb", ["run", "exec", "port", "logs"])
def test_ctrl_c_removes_the_container(
    play: RecordedImageService, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    play.answers["exec"] = (1 if verb == "logs" else 0, "")
    interrupt(monkeypatch, lambda words: words[0] == verb)
    assert play.test() == ExitCode.INTERRUPTED


def interrupt(monkeypatch: pytest.MonkeyPatch, at: Callable[[tuple[str, ...]], bool]) -> None:
    """Ctrl-C, right after docker has done something."""
    run = docker.Docker.run

    def interrupted(self: docker.Docker, *words: str, **options: Any) -> Any:
        done = run(self, *words, **options)
        if at(words):
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(docker.Docker, "run", interrupted)


def test_a_build_needs_a_clean_tree(play: RecordedImageService) -> None:
    (play.scratch / "answers").write_text(json.dumps(play.answers))
    play.write("app/main.py", "changed\n")
    assert play.run("test-image") == ExitCode.NOT_READY
    assert "error[not-committed]" in play.said
    (play.scratch / "calls").touch()  # nothing was asked of docker
