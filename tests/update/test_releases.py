"""What was released stays on record, and nothing is released that is not ready."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import release
from history import HERE, History, history
from release import CONTENTS, RECORDS, ROOT, edited, git, parts, recorded
from test_update_document import two_releases

VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_no_record_was_edited() -> None:
    assert edited() == [], (
        "a record is what people have: take it back (git checkout), and release a new version"
    )


def test_a_tag_holds_what_its_record_says(published: History) -> None:
    tags = git(ROOT, "tag", "--list", "v[0-9]*").decode().split()
    missing = {tag.removeprefix("v") for tag in tags} - set(recorded())
    assert not missing, f"python scripts/release.py record VERSION vVERSION, for {sorted(missing)}"
    for tag in tags:
        listing = "ls-tree", "-r", tag, *CONTENTS
        assert git(ROOT, *listing) == git(published.path, *listing), f"{tag} is not what it was"


def test_what_stands_here_is_its_version_or_on_the_way_to_it(published: History) -> None:
    assert parts(VERSION) >= parts(recorded()[-1]), "pyproject.toml: newer than what is released"
    if VERSION in recorded():
        changed = git(published.path, "diff", "--name-only", f"v{VERSION}", HERE).decode()
        assert not changed, f"{VERSION} is recorded: write the next version into pyproject.toml"


class Repository:
    """A copy of what a release is made of and from, in which releases can be tried."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.path = folder
        shutil.copytree(template, folder)
        for path in ROOT / "scripts" / "release.py", ROOT / "pyproject.toml", *RECORDS.iterdir():
            (folder / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / path.relative_to(ROOT))
        (folder / "CHANGELOG.md").write_text(
            "# Changelog\n\n## 9.0.0\n\nNine.\n\n## 8.0.0\n\nOld.\n"
        )
        git(folder, "init", "--quiet")
        self.change("README.md.jinja")
        self.version("9.0.0")

    def change(self, name: str) -> None:
        with (self.path / "template" / name).open("a") as file:
            file.write("\nOne more line.\n")
        self.commit()

    def version(self, version: str) -> None:
        project = self.path / "pyproject.toml"
        lines = project.read_text().splitlines()
        number = next(n for n, line in enumerate(lines) if line.startswith("version = "))
        lines[number] = f'version = "{version}"'
        project.write_text("\n".join(lines) + "\n")
        self.commit()

    def commit(self) -> None:
        git(self.path, "add", "--all", "--force")
        git(self.path, "commit", "--quiet", "--allow-empty", "--message", "Change")

    def release(self, *words: str) -> tuple[int, str]:
        """What scripts/release.py exits with, and says."""
        script = self.path / "scripts" / "release.py"
        done = subprocess.run(
            [sys.executable, script, *words],
            cwd=self.path,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository", template)


def test_what_is_recorded_and_told_is_ready(repository: Repository) -> None:
    assert repository.release("record", "9.0.0")[0] == 0
    repository.commit()
    assert repository.release("check", "v9.0.0") == (
        0,
        "Ready: HEAD is 9.0.0, with its changelog and its record.\n",
    )
    assert repository.release("notes", "v9.0.0") == (0, "Nine.\n")

    names = sorted(path.name for path in (repository.path / "tests/update/releases").iterdir())
    assert names == sorted(
        [*(f"{version}.patch" for version in recorded()), "9.0.0.patch", "SHA256SUMS"]
    )
    sums = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    subprocess.run(sums, cwd=repository.path / "tests/update/releases", check=True)


@pytest.mark.parametrize("part", CONTENTS)
def test_a_template_that_changed_after_its_record_is_not_ready(
    repository: Repository, part: str
) -> None:
    repository.release("record", "9.0.0")
    repository.change("Dockerfile" if part == "template" else "../copier.yml")
    code, said = repository.release("check", "9.0.0")
    assert code == 1
    assert "changed after 9.0.0 was recorded" in said
    assert ("template/Dockerfile" if part == "template" else "copier.yml") in said


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("8.0.0", "pyproject.toml says version 9.0.0: write 8.0.0"),
        ("9.0.0", "has no 9.0.0: run scripts/release.py record 9.0.0"),
        ("9.1.0", "CHANGELOG.md has nothing under '## 9.1.0'"),
        ("v9", "9 is no version: three numbers, for example 1.2.0"),
        ("v9.0.0rc1", "9.0.0rc1 is no version"),
    ],
)
def test_what_is_missing_is_named(repository: Repository, version: str, says: str) -> None:
    code, said = repository.release("check", version)
    assert code == 1
    assert says in said
    assert "Traceback" not in said


def test_a_release_is_recorded_when_it_is_a_new_one_and_nothing_else_is_touched(
    repository: Repository,
) -> None:
    def refused(version: str) -> str:
        code, said = repository.release("record", version)
        assert code == 1
        assert set(records.iterdir()) == kept
        assert sums.read_text() == told
        return said

    records = repository.path / RECORDS.relative_to(ROOT)
    sums = records / "SHA256SUMS"
    before = sums.read_text()
    repository.release("record", "9.0.0")
    kept, told = set(records.iterdir()), sums.read_text()
    assert told.startswith(before)
    assert "does not come after 9.0.0" in refused("9.0.0")
    assert "does not come after 9.0.0" in refused("8.10.0")
    assert "9.1.0rc1 is no version" in refused("9.1.0rc1")
    assert "Nothing of the template has changed since 9.0.0" in refused("9.0.1")

    repository.change("Dockerfile")
    (records / "9.0.0.patch").write_bytes((records / "9.0.0.patch").read_bytes() + b"\n")
    assert "9.0.0.patch: not as recorded" in refused("9.0.1")


def test_the_day_after_a_release_updates_can_still_be_tested(
    repository: Repository, template: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if VERSION not in recorded():
        assert repository.release("record", VERSION)[0] == 0
    monkeypatch.setattr(release, "RECORDS", repository.path / RECORDS.relative_to(ROOT))
    published = history(template, tmp_path / "published")
    service = two_releases(published, tmp_path / "template").service("v1.0.0", tmp_path / "service")
    service.update("v1.1.0")
    assert service.text("docs/team.md")
