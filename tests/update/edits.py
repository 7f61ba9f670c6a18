"""Edits at a place that its own text names, so that it is the same place in every version."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent
from typing import Any


def place(path: Path, start: str) -> int:
    """The index of the one line that starts so, indentation included."""
    lines = path.read_text().splitlines()
    found = [index for index, line in enumerate(lines) if line.startswith(start)]
    assert len(found) == 1, (
        f"{path.name} has {len(found)} lines that start with {start!r}: name another place"
    )
    return found[0]


def block(text: str, margin: int) -> str:
    """Lines of a test as lines of a file, indented by `margin` spaces."""
    return indent(dedent(text.removeprefix("\n")), " " * margin)


def insert(path: Path, before: str, text: str, margin: int | None = None) -> None:
    """Put `text` in front of the one line that starts with `before`, indented as that line is."""
    lines = path.read_text().splitlines(keepends=True)
    as_it_is = len(before) - len(before.lstrip())
    lines.insert(place(path, before), block(text, as_it_is if margin is None else margin))
    path.write_text("".join(lines))


def append(path: Path, text: str, margin: int = 0) -> None:
    with path.open("a") as file:
        file.write(block(text, margin))


def replace(path: Path, pattern: str, text: str) -> None:
    """Put `text` where `pattern` is found, which is exactly one place."""
    changed, count = re.subn(pattern, lambda _: text, path.read_text(), flags=re.MULTILINE)
    assert count == 1, f"{path.name} has {count} places like {pattern!r}: name another"
    path.write_text(changed)


def edit_json(path: Path, change: Callable[[Any], object]) -> None:
    """Change a document, and lay it out as jq does."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
