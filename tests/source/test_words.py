"""The house style avoids some words: docs, comments, docstrings and help say it in plain English.

CONTRIBUTING.md, "Write".
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.rendering import ROOT

# Each with what to write instead.
AVOIDED = {
    r"(?<!\")\b(?:some|no|any|every)body\b": "say who: a person, the owner, a client",
    r"\bwho(?:ever|soever)\b": "say who: a person who ...",
    r"\bwhat is there\b": "name the thing, or: the existing resource",
    r"\bsuch an?\b": "this, or of this kind",
    r"\bwithout a word\b": "silently",
    r"\bbut for (?!as)": "except",
    r"\b(?:nothing|none) but\b": "only",
    r"\bin vain\b": "without effect",
    r"\bshall\b": "must, or will",
    r"\btold apart\b": "distinguished",
    r"(?:^|[.;] )so it is\b": "therefore",
    r"(?:^|[.!] )What\b(?![^.!]*\?)": "begin the sentence with a noun or a verb",
}
FOLDERS = ("template", "simulator", "scripts", "docs", "tests", "benchmarks")
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "AGENTS.md")


def sources() -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    endings = {".md", ".py", ".jinja", ".yml", ".toml", ".sh", "Dockerfile"}
    listed = [path for path in found if endings & {path.suffix, path.name}]
    return sorted(path for path in listed if "__pycache__" not in path.parts) + [
        ROOT / name for name in PAGES
    ]


def paragraphs_of_markdown(text: str) -> Iterator[str]:
    """Prose, list items and cells; without code, headings and comments."""
    text = re.sub(r"^( *)```.*?^\1```$", "\n", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->|`[^`\n]+`|\{\{.*?\}\}", "code", text, flags=re.DOTALL)
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:- |\d+\. |\|))", text):
        if not block.lstrip().startswith("#"):
            for cell in re.split(r"\s\|\s", block.strip("| \n")):
                yield re.sub(r"^(?:- |\d+\. )", "", " ".join(cell.split()))


def comments_of_python(text: str) -> Iterator[str]:
    """Docstrings and other literal texts, and comments; consecutive comments are one."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield from (" ".join(part.split()) for part in node.value.split("\n\n"))
    yield from joined(
        (token.start[0], token.string.lstrip("# "))
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    )


def comments_of_other(text: str) -> Iterator[str]:
    lines = enumerate(text.splitlines())
    found = ((number, re.search(r"(?:^|\s)# ?(.*)", line)) for number, line in lines)
    yield from joined((number, match[1]) for number, match in found if match)


def joined(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    text, last = "", -1
    for number, line in lines:
        if number != last + 1 and text:
            yield text
            text = ""
        text, last = f"{text} {line}".strip(), number
    yield text


def texts(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return comments_of_python(text)
    is_markdown = ".md" in path.suffixes
    return paragraphs_of_markdown(text) if is_markdown else comments_of_other(text)


def avoided(text: str) -> Iterator[str]:
    for pattern, instead in AVOIDED.items():
        if found := re.search(pattern, text, re.IGNORECASE if "What" not in pattern else 0):
            start = max(0, found.start() - 20)
            yield f"'{text[start : found.end() + 20]}': {instead}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_text_has_no_avoided_words(path: Path) -> None:
    found = [each for text in texts(path) for each in avoided(text)]
    assert found == [], f"{path.relative_to(ROOT)}: say these in plain English"
