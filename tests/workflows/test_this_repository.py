"""The files that .github/ of this repository names exist, and its pins are those of a service."""

import re
from pathlib import Path

import yaml

from tests.support.rendering import ROOT

GITHUB = ROOT / ".github"
# A test that begins at a stage of tests/support/stage_fixtures.py runs in a fork.
FORKS = re.compile(r"\b(rendered|provisioned|deployed|deployed_twice): Checkout\b")


def pins(folder: Path) -> dict[str, set[str]]:
    """The commits of each action that the workflows of a folder use."""
    found: dict[str, set[str]] = {}
    for path in sorted((folder / "workflows").glob("*.yml")):
        for action, commit in re.findall(r"uses: ([\w./-]+)@(.+)", path.read_text("utf-8")):
            found.setdefault(action, set()).add(commit)
    return found


def test_an_action_has_the_pin_that_a_service_has() -> None:
    ours, theirs = pins(GITHUB), pins(ROOT / "template" / ".github")
    assert ours, "the workflows use no action"
    for action in ours.keys() & theirs.keys():
        assert ours[action] == theirs[action], (
            f"{action}: raise the pin in .github/ and in template/.github/ together"
        )


def test_dependabot_looks_where_the_pins_are() -> None:
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text("utf-8"))["updates"]
    found = {
        (update["package-ecosystem"], folder)
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
    }
    assert found == {
        ("docker", "/template"),
        ("github-actions", "/"),
        ("github-actions", "/template/.github/workflows"),
        ("uv", "/"),
        ("uv", "/template"),
    }, ".github/dependabot.yml: an entry for each folder with pins, and for no other"


def test_the_tests_of_the_job_on_windows_run_there() -> None:
    workflow = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text("utf-8"))
    commands = " ".join(step.get("run", "") for step in workflow["jobs"]["windows"]["steps"])
    named = re.findall(r"tests/\S+\.py", commands)
    assert named, "ci.yml: the job on Windows names no tests"
    for name in named:
        assert (ROOT / name).exists(), f"ci.yml, job windows: {name} does not exist"
        forks = FORKS.search((ROOT / name).read_text("utf-8"))
        assert not forks, f"ci.yml, job windows: {name} forks for `{forks and forks[0]}`"
