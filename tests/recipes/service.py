"""A service to which recipes were applied, as its owner has it."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.tool import settings_file

from tests.service.servers import Server, serving
from tests.support.installed_service import InstalledService
from tests.support.recipe_page import Step, parse
from tests.support.recipe_steps import apply
from tests.support.rendering import EXAMPLE, ROOT, Answers
from tests.update.history import HERE, History, Owned

FOLDER = ROOT / "docs" / "recipes"
PAGES = sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "README")

# As different from the example as answers can be. Two workers, so what belongs to a process is
# there twice.
OTHER: Answers = {
    "app_name": "order-desk",
    "description": "Says how an order stands: 'now' & then",
    "aws_account_id": "000000000001",
    "aws_region": "cn-northwest-1",
    "github_repository": "",
    "cpu": 2048,
    "memory": 4096,
    "cpu_architecture": "ARM64",
    "min_tasks": 2,
    "max_tasks": 3,
}
ANSWERS: Mapping[str, Answers] = {"example": EXAMPLE, "other": OTHER}

# Recipes that are applied together, where both pages exist.
PAIRS = [
    ("rest-api-postgresql", "bedrock"),
    ("rest-api-postgresql", "web-application"),
    ("bedrock", "live-connections"),
]


def steps_of(name: str) -> list[Step]:
    path = FOLDER / f"{name}.md"
    return parse(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class RecipeService(InstalledService):
    """A committed service in which recipes were applied."""

    answers: Answers

    def container(self) -> Any:
        """The container of the app in its task definition."""
        task = json.loads((self.path / "infra" / "task-definition.json").read_text("utf-8"))
        return task["containerDefinitions"][0]

    def environment(self, **more: str) -> dict[str, str]:
        """The app's environment variables, with placeholders for secrets that `more` lacks."""
        container = self.container()
        settings = settings_file.read(self.path)
        secrets = {each["name"] for each in container["secrets"]}
        stand_ins = settings.deploy.test_secrets
        assert secrets <= stand_ins.keys() | more.keys(), (
            f"infra/settings.toml, [deploy.test_secrets]: add {secrets - stand_ins.keys()}"
        )
        return {
            "PATH": os.environ["PATH"],
            **{each["name"]: each["value"] for each in container["environment"]},
            **stand_ins,
            **more,
        }

    def serving(self, *options: str, **more: str) -> AbstractContextManager[Server]:
        """Its app under gunicorn, on a port that the system chooses."""
        return serving(
            *("gunicorn", "--bind", "127.0.0.1:0", *options),
            cwd=self.path,
            programs=self.path / ".venv" / "bin",
            environment=self.environment(**more),
        )


@dataclass
class Recipes:
    """Applies recipes, each combination once."""

    history: History
    folder: Path
    made: dict[tuple[str, str], RecipeService] = field(default_factory=dict)

    def service(self, names: str, answers: str) -> RecipeService:
        """A service in which recipes, such as "bedrock" or "bedrock+live-connections", were applied
        in this order. `answers` is a key of ANSWERS. Tests only read it."""
        if (names, answers) not in self.made:
            place = self.folder / names / answers
            owned = self.history.service(HERE, place, ANSWERS[answers])
            self.made[names, answers] = make(owned, names.split("+"))
        return self.made[names, answers]


def make(owned: Owned, names: Sequence[str]) -> RecipeService:
    """Apply recipes to a fresh service and commit."""
    service = RecipeService(owned.path, owned.answers)
    service.uv("sync", "--quiet", "--python", "3.11")
    owned.commit("Lock")
    for name in names:
        apply(
            steps_of(name),
            service.path,
            lambda command: service.run("bash", "-euo", "pipefail", "-c", command),
        )
    if len(names) > 1:  # each recipe sorts its own imports; AGENTS.md tells to run these
        service.uv("run", "--locked", "ruff", "check", "--quiet", "--fix")
        service.uv("run", "--locked", "ruff", "format", "--quiet")
    owned.commit("Apply")
    return service
