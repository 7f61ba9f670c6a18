"""A render, and a strict way to make one.

The fixture `example` is made by pytest-copie, which passes answers as defaults, ignores unknown
ones and trusts every template. `render` is stricter: an unknown answer is an error, answers are not
defaults, and a template that needs `--trust` fails.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import copier
import yaml
from infra.tool import settings_file
from infra.tool.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

Answers = Mapping[str, Any]
EXAMPLE: Answers = yaml.safe_load((ROOT / "example-answers.yml").read_text(encoding="utf-8"))
ANSWERS_FILE = ".copier-answers.yml"  # unless `copier copy -a` names another

# The files of template/ that answers vary.
TEMPLATED = {
    "README.md.jinja",
    "infra/settings.toml.jinja",
    "infra/task-definition.json.jinja",
    "ops/iam-policy-github-actions.json.jinja",
    "{{ _copier_conf.answers_file }}.jinja",
}


@cache
def questions() -> dict[str, dict[str, Any]]:
    """The questions of copier.yml by name, derived ones included."""
    config = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    return {key: value for key, value in config.items() if not key.startswith("_")}


def asked() -> list[str]:
    """The names of the questions that a person is asked, in their order."""
    return [name for name, question in questions().items() if question.get("when", True)]


def rendered_name(source: str) -> str:
    """The name that a file of `template/` has in a render."""
    name = source.removesuffix(".jinja")
    return ANSWERS_FILE if name == "{{ _copier_conf.answers_file }}" else name


@dataclass(frozen=True)
class Render:
    """A service as `copier copy` leaves it."""

    path: Path
    answers: Answers

    def text(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def json(self, name: str) -> Any:
        return json.loads(self.text(name))

    def settings(self) -> Settings:
        return settings_file.read(self.path)

    def copy_to(self, folder: Path) -> None:
        shutil.copytree(self.path, folder)

    def files(self) -> dict[str, bytes]:
        """Every file below the render by its relative name, with `/` between the parts."""
        found = sorted(path for path in self.path.rglob("*") if path.is_file())
        return {path.relative_to(self.path).as_posix(): path.read_bytes() for path in found}


def render(template: Path, destination: Path, answers: Answers) -> Render:
    """Render `template` into `destination` without trust and without output.

    Raises ValueError for an answer to no question, and what Copier raises for a bad answer.
    """
    if unknown := answers.keys() - questions().keys():
        raise ValueError(f"no such question: {', '.join(sorted(unknown))}")
    copier.run_copy(
        str(template), destination, data=dict(answers), defaults=True, unsafe=False, quiet=True
    )
    return Render(destination, answers)
