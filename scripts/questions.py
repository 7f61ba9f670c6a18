"""docs/reference/questions.md: each question, and which files it changes, found by rendering."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import copier
import yaml

from scripts.markdown_text import code, plain, table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "questions.md"

# Every other answer can stay as it is with each of these.
FIRST = yaml.safe_load((ROOT / "example-answers.yml").read_text()) | {"cpu": 512, "memory": 2048}
OTHER: dict[str, Any] = {
    "app_name": "order-desk",
    "description": "Says how an order stands",
    "aws_account_id": "210987654321",
    "aws_region": "eu-central-1",
    "github_repository": "",
    "cpu": 1024,
    "memory": 4096,
    "cpu_architecture": "ARM64",
    "min_tasks": 2,
    "max_tasks": 8,
}

TEXT = """# Questions

Made by `scripts/reference.py` from `copier.yml`. Copier asks them in this order; a wrong answer is
refused with a right example, and nothing is written.

{questions}

## What each question changes

Found by changing one answer at a time and comparing the renders.

{table}

Each answer is in `.copier-answers.yml` too. No other file depends on an answer. To change an answer
later, see [Answer a question again](../guides/update.md#answer-a-question-again).
"""


def files(template: Path, folder: Path, answers: dict[str, Any]) -> dict[str, bytes]:
    """A render's files by name."""
    copier.run_copy(str(template), folder, data=answers, defaults=True, quiet=True)
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def changes(template: Path) -> dict[str, set[str]]:
    """The names of the files that change with the answer, by question."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = files(template, folder / "first", FIRST)
        changed = {}
        for question, answer in OTHER.items():
            after = files(template, folder / question, FIRST | {question: answer})
            every = before.keys() | after.keys()
            changed[question] = {name for name in every if before.get(name) != after.get(name)}
    return changed


def asked(template: Path) -> list[list[str]]:
    """A row for each question: its key, its text, its default, an example."""
    found = yaml.safe_load((template / "copier.yml").read_text(encoding="utf-8"))
    rows = []
    for key, each in found.items():
        if key.startswith("_") or each.get("when") is False:
            continue
        default = code(str(each["default"])) if "default" in each else "none"
        example = str(each.get("placeholder") or FIRST.get(key) or OTHER[key])
        rows.append([code(key), plain(each["help"]), default or "empty", code(example)])
    return rows


def page(template: Path) -> str:
    """The page for a template: a folder with copier.yml and template/."""
    changed = changes(template)
    columns = sorted(set().union(*changed.values()) - {".copier-answers.yml"})
    rows = [
        [code(question), *("●" if name in names else "" for name in columns)]
        for question, names in changed.items()
    ]
    return TEXT.format(
        questions=table(["key", "question", "default", "example"], asked(template)),
        table=table(["question", *map(code, columns)], rows),
    )


def copy_of_the_template(folder: Path) -> Path:
    """The template without git: Copier then renders it as it is here."""
    shutil.copytree(ROOT / "template", folder / "template")
    shutil.copy2(ROOT / "copier.yml", folder)
    return folder
