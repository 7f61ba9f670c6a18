"""`make rehearse` runs every command, and the result of each is as its summary says."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from scripts import recording
from tests.support.rendering import EXAMPLE, ROOT

pytestmark = pytest.mark.slow

APP = EXAMPLE["app_name"]
COMMANDS = [
    ("uv run --frozen -m infra provision --plan", 0),
    ("uv run --frozen -m infra provision", 0),
    ("uv run --frozen -m infra deploy", 0),
    ("uv run --frozen -m infra deploy", 0),
    ("uv run --frozen -m infra deploy", 1),
    ("uv run --frozen -m infra rollback 1", 0),
    ("uv run --frozen -m infra status", 0),
    ("uv run --frozen -m infra destroy", 0),
]
PLAN, PROVISION, FIRST, SECOND, BAD, BACK, STATUS, DESTROY = range(8)


@contextmanager
def started(*python: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The rehearsal as `make rehearse` runs it, with all its files in a folder of its own.

    At the end nothing may be left of it. pytest's folders have paths too long for a socket.
    """
    with TemporaryDirectory() as folder:
        temporary = Path(folder, "tmp")
        temporary.mkdir()
        with subprocess.Popen(
            [sys.executable, *(python or [ROOT / "scripts" / "rehearse.py"]), f"{folder}/service"],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": os.fspath(temporary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as rehearsal:
            yield rehearsal
        listed = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True).stdout
        running = [line for line in listed.splitlines() if folder in line]
        assert running == [], f"these are still running: {running}"
        files = [path.name for path in temporary.iterdir() if not path.match("uv-*.lock")]  # uv's
        assert files == [], f"these temporary files are left: {files}"


@dataclass(frozen=True)
class RehearsalOutput:
    text: str

    @property
    def steps(self) -> list[str]:
        """The output of each of the commands above."""
        return re.split(r"^\d\. .*$", self.text, flags=re.MULTILINE)[2:]

    def sent(self, step: int, kind: str) -> list[str]:
        """The operations of a step, without their numbers of calls."""
        found = re.search(rf"^    {kind} +(.*(?:\n {{13}}.*)*)", self.steps[step], re.MULTILINE)
        assert found, f"step {step} does not list its calls:\n{self.steps[step]}"
        names = " ".join(found[1].split()).split(", ")
        return [name.partition(" ")[0] for name in names if name != "none"]


@pytest.fixture(scope="module")
def story() -> RehearsalOutput:
    with started() as rehearsal:
        out, err = rehearsal.communicate()
    assert rehearsal.returncode == 0, f"{out}\n{err}"
    assert "Traceback" not in err
    return RehearsalOutput(out)


def test_every_command_ends_with_its_exit_code(story: RehearsalOutput) -> None:
    told = re.findall(r"^  \d  (\S.*?) +exit (\d) ", story.text, re.MULTILINE)
    assert [(command, int(code)) for command, code in told] == COMMANDS
    for step, (command, _) in zip(story.steps, COMMANDS, strict=True):
        assert f"\n  $ {command}\n" in step


def test_each_good_release_serves_and_a_rollback_brings_back_the_first(
    story: RehearsalOutput,
) -> None:
    steady = re.findall(rf"answers with commit (\w+) .*\n(?:.*\n)?.*as {APP}-task:(\d)", story.text)
    assert [revision for _, revision in steady] == ["1", "2", "1"]
    first, second, back = (commit for commit, _ in steady)
    assert first != second
    assert back == first
    assert ": 200 in " in story.steps[STATUS]
    assert f"commit {first}" in story.steps[STATUS], "the load balancer answers with that commit"


def test_a_bad_release_is_rolled_back_and_red_with_the_reason(story: RehearsalOutput) -> None:
    bad = story.steps[BAD]
    assert "error[deployment-rolled-back]" in bad
    assert f"ECS rolled back to {APP}-task:2" in bad
    assert "exit code 3" in bad
    assert "RuntimeError: DATABASE_URL is not set" in bad


def test_the_plan_and_the_status_change_nothing(story: RehearsalOutput) -> None:
    plan = ["cloudformation:CreateChangeSet", "cloudformation:DeleteStack"]
    assert story.sent(PLAN, "changes") == plan, "a plan is a change set, which is discarded"
    assert story.sent(STATUS, "changes") == []
    assert "ecs:DescribeServices" in story.sent(STATUS, "reads")


def test_a_deploy_makes_the_service_once_and_a_rollback_only_points_it_elsewhere(
    story: RehearsalOutput,
) -> None:
    for step, changes in (FIRST, "ecs:CreateService"), (SECOND, "ecs:UpdateService"):
        asked = [name for name in story.sent(step, "changes") if name.startswith("ecs:")]
        assert asked == ["ecs:RegisterTaskDefinition", changes]
        assert "ecr:PutImage" in story.sent(step, "changes")
    assert story.sent(BACK, "changes") == ["ecs:UpdateService"]


def test_resources_with_data_are_kept(story: RehearsalOutput) -> None:
    last = story.steps[DESTROY]
    for kept in "AWS::ECR::Repository", "AWS::Logs::LogGroup":
        assert re.search(rf"kept +\w+ \({kept}\)", last)
    assert "ecr:DeleteRepository" not in story.sent(DESTROY, "changes")


def test_the_pictures_of_the_readme_show_what_a_rehearsal_prints(story: RehearsalOutput) -> None:
    """Apart from ids and times: record them again if this fails."""

    def shown(session: str) -> list[list[str]]:
        parts = recording.shown(session)
        waits = re.compile(r" +\d+ s: ")
        return [
            [re.sub(r"\b[0-9a-f]{7,}\b|\d+ ms", "", x) for x in part if not waits.match(x)]
            for part in parts
        ]

    stored = recording.SESSION.read_text(encoding="utf-8")
    assert shown(story.text) == shown(stored), (
        "uv run --no-sync python scripts/recording.py --record"
    )


def test_its_output_in_a_pipe_has_no_colours(story: RehearsalOutput) -> None:
    assert "\x1b" not in story.text


def test_an_unexpected_result_fails_with_its_reason() -> None:
    other = """
from scripts import rehearse
command = "uv run --frozen -m infra provision --now"
rehearse.STORY = (rehearse.Step("Fail", (command,), prints=(), who="root"),)
rehearse.main()
"""
    with started("-c", other) as rehearsal:
        out, err = rehearsal.communicate()
    assert rehearsal.returncode == 1, f"{out}\n{err}"
    assert "error[usage]" in out, err
    assert err.splitlines()[-1] == (
        "The rehearsal failed: `uv run --frozen -m infra provision --now` ended with 2, expected 0"
    )
    assert "Traceback" not in err


def test_ctrl_c_leaves_nothing_running() -> None:
    with started() as rehearsal:
        assert rehearsal.stdout
        for line in rehearsal.stdout:
            if line.startswith("    service "):  # the first command is running
                break
        os.killpg(rehearsal.pid, signal.SIGINT)
        _, err = rehearsal.communicate()
    assert rehearsal.returncode == 130, err
    assert err.splitlines()[-1] == "Stopped: nothing is left running."
    assert "Traceback" not in err
