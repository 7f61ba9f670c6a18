"""Recorded releases are not edited, and an incomplete release is refused."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from scripts import release
from scripts.release import CONTENTS, ROOT, edited, git, parts, recorded
from tests.update.history import HERE, NEXT, History, history, spans
from tests.update.release_repository import ReleaseRepository

VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_no_record_was_edited() -> None:
    assert edited() == [], (
        "a record is what people have: take it back (git checkout), and release a new version"
    )


def unlike_their_record(repository: Path, replayed: Path) -> list[str]:
    """The release tags of `repository` without a record, or with other content than recorded."""

    def listing(folder: Path, tag: str) -> bytes:
        return git(folder, "ls-tree", "-r", tag, *CONTENTS)

    on_record = tags(replayed)
    return [
        tag
        for tag in tags(repository)
        if tag not in on_record or listing(repository, tag) != listing(replayed, tag)
    ]


def tags(repository: Path) -> list[str]:
    return git(repository, "tag", "--list", "v[0-9]*").decode().split()


def test_a_tag_has_the_content_of_its_record(published: History) -> None:
    assert unlike_their_record(ROOT, published.path) == [], (
        "without a record: python scripts/release.py record VERSION vVERSION; with another "
        "content: the tag was moved, so fetch it again (git fetch --tags --force)"
    )


def test_a_changed_tree_has_a_new_version(published: History) -> None:
    for version in recorded():
        assert parts(VERSION) >= parts(version), f"pyproject.toml: {version} is released already"
    if VERSION in recorded():
        changed = git(published.path, "diff", "--name-only", f"v{VERSION}", HERE).decode()
        assert not changed, f"{VERSION} is recorded: write the next version into pyproject.toml"


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> ReleaseRepository:
    return ReleaseRepository(tmp_path / "repository", template)


@pytest.mark.parametrize("earlier", [[], ["7.0.0"], ["7.0.0", "8.0.0"]], ids=len)
def test_a_recorded_version_with_a_changelog_is_ready(
    repository: ReleaseRepository, earlier: list[str]
) -> None:
    repository.record(*earlier)
    assert repository.release("record", "9.0.0")[0] == 0
    repository.commit()
    assert repository.release("check", "v9.0.0") == (
        0,
        "Ready: HEAD is 9.0.0, with its changelog and its record.\n",
    )
    assert repository.release("notes", "v9.0.0") == (0, "Nine.\n")

    names = {path.name for path in repository.records.iterdir()}
    assert names == {*(f"{version}.patch" for version in earlier), "9.0.0.patch", "SHA256SUMS"}
    sums = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    subprocess.run(sums, cwd=repository.records, check=True)


def test_a_tag_without_its_record_or_with_another_content_is_found(
    repository: ReleaseRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for version in "8.0.0", "9.0.0":
        git(repository.path, "tag", f"v{version}")
        repository.record(version)
    monkeypatch.setattr(release, "RECORDS", repository.records)
    release.replay(tmp_path / "replayed", recorded())
    assert unlike_their_record(repository.path, tmp_path / "replayed") == []

    git(repository.path, "tag", "--force", "v9.0.0")
    git(repository.path, "tag", "v9.1.0")
    assert unlike_their_record(repository.path, tmp_path / "replayed") == ["v9.0.0", "v9.1.0"]


@pytest.mark.parametrize("part", CONTENTS)
def test_a_template_that_changed_after_its_record_is_not_ready(
    repository: ReleaseRepository, part: str
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
        ("9.1.0", "CHANGELOG.md has nothing under '## 9.1.0': rename '## Unreleased'"),
        ("v9", "9 is no version: three numbers, for example 1.2.0"),
        ("v9.0.0rc1", "9.0.0rc1 is no version"),
    ],
)
def test_a_missing_part_of_a_release_is_named(
    repository: ReleaseRepository, version: str, says: str
) -> None:
    code, said = repository.release("check", version)
    assert code == 1
    assert says in said
    assert "Traceback" not in said


def test_only_a_new_version_is_recorded_and_nothing_else_is_changed(
    repository: ReleaseRepository,
) -> None:
    def refused(version: str) -> str:
        code, said = repository.release("record", version)
        assert code == 1
        assert set(records.iterdir()) == kept
        assert sums.read_text() == told
        return said

    records, sums = repository.records, repository.records / "SHA256SUMS"
    repository.record("8.0.0")
    before = sums.read_text()
    assert repository.release("record", "9.0.0")[0] == 0
    kept, told = set(records.iterdir()), sums.read_text()
    assert told.startswith(before)
    assert "does not come after 9.0.0" in refused("9.0.0")
    assert "does not come after 9.0.0" in refused("8.10.0")
    assert "9.1.0rc1 is no version" in refused("9.1.0rc1")
    assert "Nothing of the template has changed since 9.0.0" in refused("9.0.1")

    repository.change("Dockerfile")
    (records / "9.0.0.patch").write_bytes((records / "9.0.0.patch").read_bytes() + b"\n")
    assert "9.0.0.patch: not as recorded" in refused("9.0.1")

    for version in "8.0.0", "9.0.0":
        (records / f"{version}.patch").unlink()
    kept = {sums}
    assert "8.0.0.patch, 9.0.0.patch: not as recorded" in refused("9.0.1")


def test_updates_from_a_release_are_tested_from_the_day_it_is_recorded(
    repository: ReleaseRepository, template: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repository.change("README.md.jinja")  # what the present tree no longer has
    repository.record("8.0.0")
    monkeypatch.setattr(release, "RECORDS", repository.records)
    assert spans() == [("v8.0.0", HERE), (HERE, NEXT)]
    service = history(template, tmp_path / "published").service("v8.0.0", tmp_path / "service")
    assert "One more line." in service.text("README.md")
    service.update(HERE)
    assert "One more line." not in service.text("README.md")
