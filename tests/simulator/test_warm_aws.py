"""The warm `aws` is the real one: the same arguments, streams, folder, environment and end."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from simulator.simulation import SimulatedAws

PLAIN = str(Path(sys.executable).with_name("aws"))

COMMANDS = [
    "--version",
    "sts get-caller-identity --output text --query Arn",
    "ecs describe-services --cluster nowhere --services app",
    "ecs bogus",
    "ecs describe-services",
    "ecs register-task-definition --cli-input-json {",
    "iam put-role-policy --role-name r --policy-name p --policy-document file://missing.json",
    "ecs register-task-definition --cli-input-json file://task.json",
]


def run(aws: SimulatedAws, program: str, folder: Path, command: str) -> Any:
    done = subprocess.run(
        [program, *command.split()],
        cwd=folder,
        env=os.environ | aws.environment(),
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def warm(aws: SimulatedAws) -> str:
    return str(aws.scripts.folder / "bin/aws")


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_it_prints_and_ends_as_the_plain_one(
    aws: SimulatedAws, warm: str, tmp_path: Path, command: str
) -> None:
    (tmp_path / "task.json").write_text('{"family": 1}')
    expected = run(aws, PLAIN, tmp_path, command)
    aws.reset()
    assert run(aws, warm, tmp_path, command) == expected


def test_it_reads_what_is_typed(aws: SimulatedAws, warm: str, tmp_path: Path) -> None:
    files = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    typed = "AKIA\nsecret\neu-west-1\njson\n"
    environment = os.environ | aws.environment() | files
    subprocess.run([warm, "configure"], env=environment, input=typed, check=True, text=True)
    assert "aws_access_key_id = AKIA" in (tmp_path / "credentials").read_text()
    assert "region = eu-west-1" in (tmp_path / "config").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_as_it_ends_the_plain_one(
    aws: SimulatedAws, warm: str, number: signal.Signals
) -> None:
    """Ctrl-C goes to the whole group: the script that calls it, and what stands for it here."""

    def ends(program: str) -> int:
        aws.calls.clear()
        # It waits for a service that never gets stable.
        command = [program, "cloudformation", "wait", "stack-create-complete", "--stack-name", "x"]
        aws.faults.throttle("cloudformation:DescribeStacks", times=10)
        waiting = subprocess.Popen(
            command,
            env=os.environ | aws.environment() | {"AWS_MAX_ATTEMPTS": "8"},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        while not aws.calls.calls:
            time.sleep(0.01)
        os.killpg(waiting.pid, number)
        return waiting.wait()

    assert ends(warm) == ends(PLAIN)
    aws.faults.clear()


def test_what_it_reads_from_may_go_away(aws: SimulatedAws, warm: str) -> None:
    """A script may stop to listen: `aws ... | head -1`."""
    head = shutil.which("head")
    done = subprocess.run(
        f"{warm} ecs help | {head} -1; exit ${{PIPESTATUS[0]}}",
        executable=shutil.which("bash"),
        env=os.environ | aws.environment(),
        capture_output=True,
        shell=True,
    )
    assert b"Traceback" not in done.stderr
