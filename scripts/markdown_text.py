"""Markdown of generated pages: readable as text, on GitHub and on the site."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

# Texts that the sources do not contain.
TOLD: Mapping[str, Mapping[str, str]] = tomllib.loads(
    Path(__file__).with_name("reference.toml").read_text(encoding="utf-8")
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells may hold Markdown, and bars: these are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(without_bars, line))} |" for line in lines)


def without_bars(cell: str) -> str:
    return cell.replace("|", "\\|")


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def plain(text: str) -> str:
    """Text without Markdown of its own, except quoted code."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([*<])", r"\\\1", part) for part in parts
    )
