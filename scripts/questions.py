"""Write docs/questions.md: which files of a service each question changes, found by rendering.

uv run python scripts/questions.py
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import copier
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "questions.md"

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

TEXT = """# What each question changes

Made by `scripts/questions.py`, which changes one answer at a time and compares the renders.

{table}

Each answer stands in `.copier-answers.yml` too. No other file depends on an answer.
[Answer a question again](update.md#answer-a-question-again) says how.
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


def page(template: Path) -> str:
    """docs/questions.md for a template: a folder with copier.yml and template/."""
    changed = changes(template)
    columns = sorted(set().union(*changed.values()) - {".copier-answers.yml"})
    rows = [
        ["question", *(f"`{name}`" for name in columns)],
        ["---", *(":-:" for _ in columns)],
        *(
            [f"`{question}`", *("●" if name in names else "" for name in columns)]
            for question, names in changed.items()
        ),
    ]
    return TEXT.format(table="\n".join(f"| {' | '.join(row)} |" for row in rows))


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        template = Path(name)
        shutil.copy2(ROOT / "copier.yml", template)
        shutil.copytree(ROOT / "template", template / "template")
        PAGE.write_text(page(template))
    print(f"Wrote {PAGE.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
