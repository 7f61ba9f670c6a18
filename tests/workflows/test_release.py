"""A tag becomes a release when all that belongs to it is there, and in no other case."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from rendering import ROOT
from runner import Runner, steps, workflow
from test_releases import Repository

CHECK = "Look for what belongs to the release"


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository", template)
    shutil.copytree(ROOT / ".github", made.path / ".github")
    return made


@pytest.fixture
def runner(repository: Repository, tmp_path: Path) -> Runner:
    (tmp_path / "home").mkdir()
    return Runner(repository.path, tmp_path / "home", {"GITHUB_REF_NAME": "v9.0.0"})


def test_a_tag_without_its_record_is_red(runner: Runner) -> None:
    done = runner.run("release", CHECK)
    assert done.code == 1
    assert "Not ready: tests/update/releases/ has no 9.0.0" in done.said


def test_a_tag_with_all_that_belongs_to_it_is_published_with_its_changelog(
    runner: Runner, repository: Repository, tmp_path: Path
) -> None:
    repository.release("record", "9.0.0")
    repository.commit()
    done = runner.run("release", CHECK)
    assert done.code == 0, done.said

    releases = tmp_path / "releases.json"
    fake_gh = Path(__file__).with_name("fake_gh.py")
    runner.tool("gh", sys.executable, str(fake_gh), str(releases))
    done = runner.run("release", "Publish", GH_REPO="my-company/template", GH_TOKEN="token")
    assert done.code == 0, done.said
    assert json.loads(releases.read_text())["releases"] == [["v9.0.0", "v9.0.0", "Nine.\n"]]


def test_everything_runs_before_anything_is_published_and_only_then_something_may_be_written() -> (
    None
):
    jobs = workflow(ROOT, "release")["jobs"]
    assert steps(ROOT, "release")["Run everything"]["run"] == ".ci/run"
    assert jobs["publish"]["needs"] == "check"
    assert jobs["check"]["permissions"] == {"contents": "read"}
    assert workflow(ROOT, "release")["permissions"] == {}
    assert workflow(ROOT, "release")["on"] == {"push": {"tags": ["v*"]}}
