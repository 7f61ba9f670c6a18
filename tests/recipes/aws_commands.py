"""Whether the commands that a recipe shows for AWS can be typed, in their order, in one shell.

bash runs them, so quotes, variables and `name=$(command)` are what they are in a shell. In place of
the programs there are stand-ins: the AWS CLI checks all parameters and prints an answer of the
right shape, but asks AWS nothing (aws_cli.py); the tool only reads its command line.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.tool import settings_file

from simulator.cloudformation.template_text import load
from tests.support.recipe_page import AwsStep, RecipeError

TOOL = "uv run --frozen -m infra "
AWS_CLI = Path(__file__).with_name("aws_cli.py")
# The service's resources that a command may name, and the option that names each.
NAMED = {
    "cluster": r"--cluster ([\w-]+)",
    "container": r"\{\\?\"name\\?\": \\?\"([\w-]+)",
    "output of the stack": r"OutputKey==['`\"]+(\w+)",
    "service": r"--services? ([\w-]+)",
    "stack": r"--stack-name ([\w-]+)",
}
STAND_INS = {
    "aws": f'exec {sys.executable} {AWS_CLI} "$@"',
    "curl": "exit 0",
    "git": "exit 0",
    "uv": f"""case "$*" in
  "run --frozen -m infra "*) shift 4 && exec {sys.executable} -B -m infra "$@" --help >/dev/null ;;
  *) echo "write {TOOL}..., or Run: before it" >&2 && exit 2 ;;
esac""",
}
UNKNOWN = f"a command for AWS begins with {', '.join(STAND_INS)}: mark a block of others as text"


def check(steps: Sequence[AwsStep], service: Path, scratch: Path) -> None:
    """Raises RecipeError for the first command of a page that cannot be typed in a service. Scratch
    is a folder that does not exist."""
    known = names_of(service)
    for step in steps:
        for command in step.commands:
            for what, pattern in NAMED.items():
                for name in re.findall(pattern, command):
                    if name not in known[what]:
                        raise RecipeError(
                            f"{step.place}: {command}: {name} is no {what} of the example: write "
                            f"{' or '.join(sorted(known[what]))}"
                        )
    run(script(steps), service, scratch)


def names_of(service: Path) -> dict[str, set[str]]:
    names = settings_file.read(service).names
    return {
        "cluster": {names.cluster},
        "container": {names.container},
        "output of the stack": set(load((service / "infra" / "stack.yml").read_text())["Outputs"]),
        "service": {names.service},
        "stack": {names.stack},
    }


def script(steps: Sequence[AwsStep]) -> str:
    """The commands of all steps, each after the note where it is."""
    lines = ['trap \'printf "%s: " "$place" >&2\' EXIT']
    for step in steps:
        for command in step.commands:
            lines += [f"place={shlex.quote(f'{step.place}: {command}')}", command]
    return "\n".join([*lines, "trap - EXIT", ""])


def run(script: str, service: Path, scratch: Path) -> None:
    programs = scratch / "programs"
    programs.mkdir(parents=True)
    for name, text in STAND_INS.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run(
        [bash, "-eu", "-o", "pipefail", "-c", script],
        cwd=service,
        env={
            "PATH": str(programs),
            "AWS_ACCESS_KEY_ID": "stand-in",
            "AWS_SECRET_ACCESS_KEY": "stand-in",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": settings_file.read(service).service.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        input="stand-in\n" * 10,  # what a person types
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        hint = UNKNOWN if done.returncode == 127 else ""
        raise RecipeError(f"{done.stderr.strip()} {hint}")
