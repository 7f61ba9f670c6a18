"""A recipe page as steps. Pure; docs/recipes/README.md describes the format."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

FENCE = re.compile(r"(?P<marks>`{3,})(?P<language>[\w+-]*)\s*")
INSTRUCTION = re.compile(
    r"(?P<verb>Create|Change) `(?P<file>[^`]+)`:|(?P<run>Run|Run against AWS):"
)
CODE = {"bash", "diff", "py", "python", "sh", "shell", "toml"}
FORMS = "Create `FILE`:, Change `FILE`:, Run: or Run against AWS:"


class RecipeError(Exception):
    """A mistake in a recipe: its place, and what to do."""


@dataclass(frozen=True)
class Place:
    page: str
    line: int

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Step:
    place: Place  # of its first line of code


@dataclass(frozen=True)
class Create(Step):
    """A new file with this text."""

    file: str
    text: str


@dataclass(frozen=True)
class Change(Step):
    """A replacement of consecutive lines, which occur once in a file."""

    file: str
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True)
class RunStep(Step):
    """Commands for a shell, in the folder of the service."""

    commands: tuple[str, ...]


@dataclass(frozen=True)
class AwsStep(Step):
    """Commands that a person runs against AWS."""

    commands: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    place: Place  # of the line after its opening fence
    language: str
    lines: tuple[str, ...]
    before: str  # the paragraph right before it


def parse(name: str, text: str) -> list[Step]:
    """The steps of a page in their order. Raises RecipeError with everything that is wrong."""
    steps: list[Step] = []
    errors: list[str] = []
    found = list(blocks(name, text, errors))
    for block in found:
        try:
            steps += step(block)
        except RecipeError as error:
            errors.append(str(error))
    lines = {block.place.line for block in found}
    errors += instructions_without_block(name, text, lines)
    if errors:
        raise RecipeError("\n".join(errors))
    return steps


def blocks(name: str, text: str, errors: list[str]) -> Iterator[Block]:
    """The fenced blocks of a page."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        opened = FENCE.fullmatch(lines[number])
        if not opened and lines[number].lstrip().startswith("```"):
            errors.append(
                f"{name}:{number + 1}: cannot read this fence: it begins in the first column and "
                "has one word after it, for example ```python"
            )
        number += 1
        if not opened:
            continue
        begin = number
        while number < len(lines) and lines[number].rstrip() != opened["marks"]:
            number += 1
        if number == len(lines):
            errors.append(f"{name}:{begin}: this block has no end: add a line {opened['marks']}")
        yield Block(
            Place(name, begin + 1),
            opened["language"],
            tuple(lines[begin:number]),
            paragraph_before(lines, begin - 1),
        )
        number += 1


def paragraph_before(lines: Sequence[str], fence: int) -> str:
    """The lines above the empty line before a fence, up to the next empty line."""
    end = fence
    while end and not lines[end - 1].strip():
        end -= 1
    begin = end
    while begin and lines[begin - 1].strip():
        begin -= 1
    return "\n".join(lines[begin:end])


def step(block: Block) -> list[Step]:
    """The step that a block is; none if it only illustrates."""
    told = INSTRUCTION.fullmatch(block.before)
    if not told:
        if block.language in CODE:
            raise RecipeError(
                f"{block.place}: the paragraph before this {block.language} block is not an "
                f"instruction: make it exactly {FORMS} If the block only illustrates, mark it text"
            )
        return []
    if told["run"]:
        require_language(block, "sh")
        kind = RunStep if told["run"] == "Run" else AwsStep
        return [kind(block.place, tuple(commands(block)))]
    require_path(block, told["file"])
    if told["verb"] == "Create":
        return [Create(block.place, told["file"], "".join(f"{each}\n" for each in block.lines))]
    require_language(block, "diff")
    return [change(block, told["file"])]


def require_language(block: Block, language: str) -> None:
    if block.language != language:
        raise RecipeError(
            f"{block.place}: the block after {block.before!r} is marked {block.language!r}: "
            f"mark it ```{language}"
        )


def require_path(block: Block, file: str) -> None:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or str(path) != file:
        raise RecipeError(
            f"{block.place}: {file} is not a path in the service: for example app/main.py"
        )


def commands(block: Block) -> Iterator[str]:
    """The commands of a block, those of several lines joined, without comments."""
    for line in re.sub(r"\\\n\s*", "", "\n".join(block.lines)).splitlines():
        if command := re.sub(r"(^|\s\s)#.*", "", line).strip():
            yield command


def change(block: Block, file: str) -> Change:
    for number, line in enumerate(block.lines):
        if line and line[0] not in " +-":
            raise RecipeError(
                f"{block.place.page}:{block.place.line + number}: a line of a diff begins with a "
                f"space, + or -, and this one with {line[0]!r}"
            )
    old = tuple(line[1:] for line in block.lines if line[:1] != "+")
    new = tuple(line[1:] for line in block.lines if line[:1] != "-")
    if old == new or not old:
        raise RecipeError(
            f"{block.place}: a change of {file} has lines that are there, with a space or -, and "
            "lines that differ, with + or -"
        )
    return Change(block.place, file, old, new)


def instructions_without_block(name: str, text: str, block_lines: set[int]) -> Iterator[str]:
    """The errors in instructions outside of blocks: no block follows them."""
    inside = ""
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        fence = FENCE.fullmatch(line)
        if fence and (not inside or line.rstrip() == inside):
            inside = "" if inside else fence["marks"]
        elif not inside and INSTRUCTION.fullmatch(line):
            following = next((n for n in range(number, len(lines)) if lines[n].strip()), number)
            if following + 2 not in block_lines:
                yield f"{name}:{number}: no block follows {line!r}: add one after an empty line"
