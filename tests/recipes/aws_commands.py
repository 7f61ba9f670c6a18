"""Whether the commands that a recipe shows for AWS can be typed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.recipes.page import AwsStep, RecipeError

TOOL = "uv run --frozen -m infra "
FREE = ("git add ", "git commit ", "git push", "curl ")  # harmless here, and known to everybody
ASSIGNED = re.compile(r"\w+=\$\((?P<command>.*)\)")
VARIABLE = re.compile(r"\$\{?\w+\}?")
AWS = Path(sys.executable).with_name("aws")


def check(step: AwsStep, service: Path) -> None:
    """Raises RecipeError for the first command that cannot be typed in a service."""
    for command in step.commands:
        assigned = ASSIGNED.fullmatch(command)
        error = error_of(assigned["command"] if assigned else command, service)
        if error:
            raise RecipeError(f"{step.place}: {command}: {error}")


def error_of(command: str, service: Path) -> str:
    """What is wrong with a command; empty if nothing is."""
    if command.startswith("aws "):
        return aws_error(command, service)
    if command.startswith(TOOL):
        words = shlex.split(command.removeprefix(TOOL))
        return error_in([sys.executable, "-B", "-m", "infra", *words, "--help"], service)
    if command.startswith(FREE):
        return error_in(["bash", "-n", "-c", command], service)
    return f"write one that begins with {', '.join(('aws ', TOOL, *FREE))}"


def aws_error(command: str, service: Path) -> str:
    """What the AWS CLI says against it: it checks all parameters, and asks AWS nothing."""
    words = [VARIABLE.sub("x" * 20, word) for word in shlex.split(command)[1:]]
    if missing := [word for word in words if is_missing(word, service)]:
        return f"the service has no {missing[0].removeprefix('file://')}"
    return error_in([str(AWS), *words, "--generate-cli-skeleton", "output"], service)


def is_missing(word: str, service: Path) -> bool:
    return word.startswith("file://") and not (service / word.removeprefix("file://")).exists()


def error_in(words: list[str], service: Path) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "stand-in",
        "AWS_SECRET_ACCESS_KEY": "stand-in",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run(
        words,
        cwd=service,
        env=environment,
        input="stand-in",  # what a person types
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stderr or done.stdout).strip() if done.returncode else ""
