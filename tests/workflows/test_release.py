"""A version is tagged and published only if it is complete and all tests have passed."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.release import git
from tests.support.rendering import ROOT
from tests.update.release_repository import ReleaseRepository
from tests.workflows.runner import COMMIT, Runner, workflow

CHECK = "Look for what belongs to the release"


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> ReleaseRepository:
    made = ReleaseRepository(tmp_path / "repository", template)
    shutil.copytree(ROOT / ".github", made.path / ".github")
    return made


@pytest.fixture
def runner(repository: ReleaseRepository, tmp_path: Path) -> Runner:
    (tmp_path / "home").mkdir()
    return Runner(repository.path, tmp_path / "home")


def test_a_version_without_its_record_is_refused(runner: Runner) -> None:
    done = runner.run("release", CHECK, VERSION="9.0.0")
    assert done.code == 1
    assert "Not ready: tests/update/releases/ has no 9.0.0" in done.said


def test_another_branch_is_refused(runner: Runner, repository: ReleaseRepository) -> None:
    repository.release("record", "9.0.0")
    repository.commit()
    done = runner.run("release", CHECK, VERSION="9.0.0", GITHUB_REF="refs/heads/fix")
    assert done.code == 1
    assert done.annotations[0].startswith("::error title=Not main::")


@pytest.mark.parametrize("version", ["9.0.0", "v9.0.0"])
def test_a_ready_version_is_tagged_and_published_with_its_changelog(
    runner: Runner, repository: ReleaseRepository, tmp_path: Path, version: str
) -> None:
    repository.release("record", "9.0.0")
    repository.commit()
    done = runner.run("release", CHECK, VERSION=version)
    assert done.code == 0, done.said

    releases = tmp_path / "releases.json"
    fake_gh = Path(__file__).with_name("fake_gh.py")
    runner.tool("gh", sys.executable, str(fake_gh), str(releases))
    given = {"GH_REPO": "my-company/template", "GH_TOKEN": "token", "VERSION": version}
    done = runner.run("release", "Publish", **given)
    assert done.code == 0, done.said
    [release] = json.loads(releases.read_text())["releases"]
    assert release == ["v9.0.0", COMMIT, "v9.0.0", "Nine.\n"]


def test_a_version_that_is_tagged_already_is_refused(
    runner: Runner, repository: ReleaseRepository
) -> None:
    repository.release("record", "9.0.0")
    repository.commit()
    git(repository.path, "tag", "v9.0.0")
    done = runner.run("release", CHECK, VERSION="9.0.0")
    assert done.code == 1
    assert "Not ready: v9.0.0 is released" in done.said


def test_nothing_is_published_before_every_test_has_passed() -> None:
    jobs = workflow(ROOT, "release")["jobs"]
    assert jobs["publish"]["needs"] == "check"
    run = [step["run"] for step in jobs["check"]["steps"] if "run" in step][1:]
    script = "\n".join([*run, (ROOT / ".ci" / "run").read_text()])
    targets = re.findall(r"^(?:[^#\n]* )?make ([a-z-]+)(?: #.*)?$", script, re.MULTILINE)
    dry_run = subprocess.run(
        ["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, check=True, text=True
    )
    selected = set(re.findall(r" pytest(?: -m (\"[^\"]+\"|\S+))?", dry_run.stdout))
    assert ".ci/run" in run
    assert selected == {
        "",
        '"recipe and not container"',
        '"slow and not container and not recipe"',
        "container",
    }, "together, these are all"


def test_only_the_publishing_job_may_write_and_no_tag_starts_the_workflow() -> None:
    """A tag that is pushed has reached the services before anything could be tested."""
    release = workflow(ROOT, "release")
    assert release["on"].keys() == {"workflow_dispatch"}
    assert release["permissions"] == {}
    assert release["jobs"]["check"]["permissions"] == {"contents": "read"}
