"""The template as a service knows it: a repository with a tag for each release."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import copier

from scripts.release import AUTHOR, git, recorded, replay
from tests.support.rendering import EXAMPLE, ROOT, Answers, Render
from tests.update.next_release import next_release

HERE = "v1000.0.0"  # the present tree
NEXT = "v1001.0.0"  # a synthetic next release: next_release.py


def spans() -> list[tuple[str, str]]:
    """The updates to test, from and to: each recorded release to HERE, and HERE to NEXT.

    Before the first release nothing is recorded, and HERE to NEXT is the only one.
    """
    return [*((f"v{version}", HERE) for version in recorded()), (HERE, NEXT)]


SPANS = spans()

# Files that an update does not change, by copier.yml.
MADE_ONCE = re.findall(
    r"== 'update' %\}([\w./]+)\{%", (ROOT / "copier.yml").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class Owned(Render):
    """A service as its owner has it: a render in a repository of its own."""

    def git(self, *words: str) -> str:
        return git(self.path, *words).decode()

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git(*AUTHOR, "commit", "--quiet", "--allow-empty", "--message", message)

    def tree(self) -> dict[str, str]:
        """Mode and hash of each file as committed, by its name."""
        listed = [line.split("\t") for line in self.git("ls-tree", "-r", "HEAD").splitlines()]
        return {name: entry for entry, name in listed}

    def conflicts(self) -> set[str]:
        """The files that git calls unmerged."""
        return set(self.git("diff", "--name-only", "--diff-filter=U").split())

    def update(self, version: str | copier.VcsRef, **answers: object) -> None:
        """`copier update --defaults`, without trust."""
        copier.run_update(
            self.path,
            vcs_ref=version,
            data=answers,
            defaults=True,
            overwrite=True,
            quiet=True,
            unsafe=False,
        )


@dataclass(frozen=True)
class History:
    """The template's repository: the recorded releases, if any, then HERE and NEXT."""

    path: Path

    def service(self, version: str, folder: Path, answers: Answers = EXAMPLE) -> Owned:
        """A service made from a version, committed."""
        copier.run_copy(
            str(self.path),
            folder,
            vcs_ref=version,
            data=dict(answers),
            defaults=True,
            quiet=True,
            unsafe=False,
        )
        service = Owned(folder, answers)
        service.git("init", "--quiet", "--initial-branch", "main")
        service.commit(f"Start from the template, {version}")
        return service


def history(template: Path, folder: Path) -> History:
    """Build the repository in `folder`; `template` is the present tree."""

    def release(version: str) -> None:
        git(folder, "add", "--all", "--force")
        git(folder, *AUTHOR, "commit", "--quiet", "--allow-empty", "--message", version)
        git(folder, *AUTHOR, "tag", version)

    replay(folder, recorded())
    git(folder, "rm", "-r", "--quiet", "--ignore-unmatch", ".")
    shutil.copytree(template, folder, dirs_exist_ok=True)
    release(HERE)
    next_release(folder)
    release(NEXT)
    return History(folder)
