"""Each block of commands in docs/guides/update.md does what its section says."""

import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from scripts.release import AUTHOR, git
from tests.support.rendering import ROOT
from tests.update.history import HERE, NEXT, History, Owned

DOCUMENT = (ROOT / "docs" / "guides" / "update.md").read_text()


def blocks() -> dict[str, list[str]]:
    """The blocks of commands of each section."""
    sections = re.split(r"^## (.+)$", DOCUMENT, flags=re.MULTILINE)
    found = {
        heading: re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for heading, text in zip(sections[1::2], sections[2::2], strict=True)
    }
    return {heading: texts for heading, texts in found.items() if texts}


@dataclass(frozen=True)
class Desk:
    """A shell in a service of version 1.0.0, when 1.1.0 is released."""

    service: Owned
    template: Path

    def types(self, heading: str, block: int = 0, old: str = "", new: str = "") -> str:
        """Paste a block, with `new` in place of `old`, and answer each question with Enter.

        It ends with the first command that fails.
        """
        bin_folder = self.service.path.parent / "bin"
        path = os.pathsep.join([os.fspath(bin_folder), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", blocks()[heading][block].replace(old, new)],
            cwd=self.service.path,
            env={**os.environ, "PATH": path},
            input="\n" * 9,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{heading}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def answers(self) -> dict[str, object]:
        loaded: dict[str, object] = yaml.safe_load(self.service.text(".copier-answers.yml"))
        return loaded

    def version(self) -> object:
        return self.answers()["_commit"]

    def status(self) -> str:
        return self.service.git("status", "--porcelain")

    def writes(self, name: str, text: str) -> None:
        (self.service.path / name).write_text(text)
        self.service.commit("Work")

    def updates(self) -> None:
        self.service.update("v1.1.0")


def two_releases(published: History, folder: Path) -> History:
    """The present template as 1.0.0, and a synthetic next release as 1.1.0."""
    git(published.path, "clone", "--quiet", ".", str(folder))
    commits = [
        git(folder, "rev-parse", f"{tag}^{{commit}}").decode().strip() for tag in (HERE, NEXT)
    ]
    git(folder, "tag", "--delete", *git(folder, "tag").decode().split())
    for version, commit in zip(("v1.0.0", "v1.1.0"), commits, strict=True):
        git(folder, "tag", version, commit)
    return History(folder)


@pytest.fixture
def desk(published: History, tmp_path: Path) -> Desk:
    template = tmp_path / "template"
    service = two_releases(published, template).service("v1.0.0", tmp_path / "service")
    copier = shlex.quote(os.fspath(Path(sys.executable).parent / "copier"))
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "uvx").write_text(f'#!/bin/sh\nshift\nexec {copier} "$@"\n')
    (tools / "uv").write_text("#!/bin/sh\n")  # test_updates.py runs the tests of the service
    for tool in tools.iterdir():
        tool.chmod(0o755)
    return Desk(service, template)


def update(desk: Desk) -> None:
    desk.types("Update")
    assert desk.version() == "v1.1.0"
    assert desk.answers()["team"] == "", "what is new was asked"
    assert desk.status() == ""


def look_first(desk: Desk) -> None:
    said = desk.types("Look first")
    assert "1.0.0" in said
    assert "1.1.0" in said
    assert "+_commit: v1.1.0" in said
    assert "+# The team" in said, "a new file is shown too"
    desk.types("Undo an update", 0)
    desk.service.git("switch", "--quiet", "-")
    assert desk.version() == "v1.0.0"
    assert desk.status() == ""


def answer_a_question_again(desk: Desk) -> None:
    desk.types("Answer a question again")
    assert desk.version() == "v1.0.0"
    assert (desk.answers()["cpu"], desk.answers()["memory"]) == (1024, 2048)
    assert desk.service.json("infra/task-definition.json")["cpu"] == "1024"


def settle_a_conflict(desk: Desk) -> None:
    desk.writes("README.md", "# Ours\n")
    desk.updates()
    assert "<<<<<<< before updating" in desk.service.text("README.md")
    assert desk.types("Settle a conflict").startswith("README.md\n")
    assert desk.service.text("README.md") == "# Ours\n"
    assert desk.service.conflicts() == set()
    desk.service.commit("Update")

    desk.service.git("reset", "--quiet", "--hard", "HEAD~1")
    desk.types("Settle a conflict", 1)
    assert (desk.version(), desk.service.conflicts()) == ("v1.1.0", set())
    assert desk.service.text("README.md") == "# Ours\n"


def undo_an_update(desk: Desk) -> None:
    (desk.service.path / ".env").write_text("STRIPE_KEY=secret\n")
    desk.writes("AGENTS.md", "Ours.\n")
    before = desk.service.tree()
    desk.updates()
    (desk.service.path / "left.rej").touch()
    desk.types("Undo an update", 0)
    assert (desk.status(), desk.version()) == ("", "v1.0.0")
    assert desk.service.text(".env") == "STRIPE_KEY=secret\n"

    desk.updates()
    desk.service.commit("Update")
    desk.types("Undo an update", 1)
    assert desk.service.tree() == before

    desk.service.git("switch", "--quiet", "--create", "update")
    desk.updates()
    desk.service.commit("Update")
    desk.service.git("switch", "--quiet", "main")
    desk.service.git(*AUTHOR, "merge", "--quiet", "--no-ff", "--no-edit", "update")
    desk.types("Undo an update", 1, "git revert", "git revert -m 1")
    assert desk.service.tree() == before
    desk.updates()
    assert desk.version() == "v1.1.0"


def stop_at_a_version(desk: Desk) -> None:
    git(desk.template, *AUTHOR, "commit", "--quiet", "--allow-empty", "--message", "Release 1.2.0")
    git(desk.template, "tag", "v1.2.0")
    desk.types("Skip a version, or stop at one")
    assert desk.version() == "v1.1.0"
    desk.service.commit("Update")
    desk.service.update("v1.2.0")
    assert desk.version() == "v1.2.0"


def let_a_bot_do_it(desk: Desk) -> None:
    desk.types("Let a bot do it")
    assert desk.version() == "v1.1.0"


def leave_for_good(desk: Desk) -> None:
    before = desk.service.tree()
    desk.types("Leave the template for good")
    gone = before.keys() - desk.service.tree().keys()
    assert gone == {".copier-answers.yml", ".github/workflows/template-update.yml"}
    assert desk.status() == ""


SCENES: dict[str, Callable[[Desk], None]] = {
    "Update": update,
    "Look first": look_first,
    "Answer a question again": answer_a_question_again,
    "Settle a conflict": settle_a_conflict,
    "Undo an update": undo_an_update,
    "Skip a version, or stop at one": stop_at_a_version,
    "Let a bot do it": let_a_bot_do_it,
    "Leave the template for good": leave_for_good,
}


def test_every_block_of_commands_is_tested() -> None:
    assert SCENES.keys() == blocks().keys()
    for heading, texts in blocks().items():
        played = inspect.getsource(SCENES[heading])
        for number in range(len(texts)):
            which = f", {number}[,)]" if number else r"(, 0)?\)"
            assert re.search(rf'types\("{heading}"{which}', played), (
                f"no test types block {number} of {heading}"
            )


@pytest.mark.slow
@pytest.mark.parametrize("heading", SCENES)
def test_the_commands_do_what_the_document_says(desk: Desk, heading: str) -> None:
    SCENES[heading](desk)
