"""The steps of a recipe, carried out in a service."""

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.recipe_page import AwsStep, Change, Create, RecipeError, RunStep, Step

Shell = Callable[[str], subprocess.CompletedProcess[str]]  # runs a command in the service
EMPTY_LIST = re.compile(r'(?P<begin>(?P<indent>\s*)"[^"]+": \[)\](?P<comma>,?)')


def apply(steps: Sequence[Step], service: Path, shell: Shell) -> None:
    """Raises RecipeError for the first step that cannot be carried out."""
    for step in steps:
        match step:
            case Create():
                create(step, service)
            case Change():
                change(step, service)
            case RunStep():
                run(step, shell)
            case AwsStep():
                pass  # aws_commands.py checks them


def create(step: Create, service: Path) -> None:
    path = service / step.file
    if path.exists():
        raise RecipeError(
            f"{step.place}: {step.file} exists already: change it with Change `{step.file}`:"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(step.text, encoding="utf-8")


def change(step: Change, service: Path) -> None:
    path = service / step.file
    if not path.is_file():
        raise RecipeError(
            f"{step.place}: the service has no {step.file} to change: create it before, or correct "
            "the path"
        )
    text = path.read_text(encoding="utf-8")
    path.write_text(changed(step, text), encoding="utf-8")


def changed(step: Change, text: str) -> str:
    """The text of the file after the change."""
    lines = text.splitlines()
    places = occurrences(step.old, lines)
    if not places and step.file.endswith(".json"):
        places, step = as_addition(step, lines)
    if len(places) != 1:
        raise RecipeError(
            f"{step.place}: {step.file} has the lines with a space or - {len(places)} times, and "
            f"must have them once: {advice(step.old, lines, len(places))}"
        )
    [place] = places
    lines[place : place + len(step.old)] = step.new
    return "\n".join(lines) + "\n"


def occurrences(wanted: Sequence[str], lines: Sequence[str]) -> list[int]:
    size = len(wanted)
    return [
        place
        for place in range(len(lines) - size + 1)
        if tuple(lines[place : place + size]) == tuple(wanted)
    ]


def as_addition(step: Change, lines: Sequence[str]) -> tuple[list[int], Change]:
    """A change of an empty JSON list, in a file where another recipe has already filled that list:
    its items go to the end of the list."""
    empty = EMPTY_LIST.fullmatch(step.old[0])
    if len(step.old) != 1 or not empty or step.new[0] != empty["begin"]:
        return [], step
    begins = occurrences([empty["begin"]], lines)
    if len(begins) != 1:
        return begins, step
    closing = f"{empty['indent']}]{empty['comma']}"
    end = next(number for number in range(begins[0], len(lines)) if lines[number] == closing)
    last = lines[end - 1]
    return [end - 1], Change(step.place, step.file, (last,), (f"{last},", *step.new[1:-1]))


def advice(old: Sequence[str], lines: Sequence[str], count: int) -> str:
    if count:
        return "add a line of context before or after them"
    for line in old:
        if line not in lines:
            return f"this line is not in the file: {line!r}"
    return "each line is in the file, but not one after the other"


def run(step: RunStep, shell: Shell) -> None:
    for command in step.commands:
        done = shell(command)
        if done.returncode:
            raise RecipeError(
                f"{step.place}: {command} ended with exit code {done.returncode}: correct it, or "
                f"a step before it\n{done.stdout}{done.stderr}"
            )
