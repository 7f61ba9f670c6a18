"""Whether GitHub lets other branches than main use the environment that deploys run in."""

import json
import os
from collections.abc import Mapping
from typing import Any

import pytest
from infra.tool.provision.environment import environment_of

from tests.support.checkout import Checkout, Run
from tests.support.targets import settings

SUBJECT = "repo:my-company/ai-assistant:environment:live"
REPOSITORY = "repos/my-company/ai-assistant"
ALL = f"{REPOSITORY}/environments?per_page=100"
PROTECTED = f"{REPOSITORY}/branches?protected=true&per_page=100"
RULES = f"{REPOSITORY}/environments/live/deployment-branch-policies?per_page=100"
CUSTOM = {"protected_branches": False, "custom_branch_policies": True}
ONLY_PROTECTED = {"protected_branches": True, "custom_branch_policies": False}


def environments(policy: Any, name: str = "Live", total: int = 1) -> Any:
    found = {"name": name, "deployment_branch_policy": policy}
    return {"total_count": total, "environments": [found]}


def rules(*names: str, kind: str = "branch") -> Any:
    found = [{"id": number, "name": name, "type": kind} for number, name in enumerate(names)]
    return {"total_count": len(found), "branch_policies": found}


def provision(checkout: Checkout, answers: Mapping[str, Any], environment: str = "live") -> Run:
    """Provision with a `gh` that has these answers, by their path, and no others."""
    folder = checkout.folder.parent / f"{checkout.folder.name}-bin"
    folder.mkdir()
    (folder / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
    (folder / "gh").write_text(
        "#!/usr/bin/env python3\nimport json, pathlib, sys\n"
        "answers = json.loads((pathlib.Path(__file__).parent / 'answers.json').read_text())\n"
        "print(json.dumps(answers[sys.argv[-1]])) if sys.argv[-1] in answers else sys.exit(1)\n",
        encoding="utf-8",
    )
    (folder / "gh").chmod(0o755)
    checkout.environment["PATH"] = f"{folder}{os.pathsep}{checkout.environment['PATH']}"
    checkout.answer = OSError("no anonymous answer")
    checkout.set("github.subject", SUBJECT)
    checkout.set("github.environment", environment)
    return checkout.administer("provision", "--plan").expect(0)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({ALL: {"total_count": 0, "environments": []}}, "does not exist"),
        ({ALL: environments(None)}, "has no rule for branches"),
        ({ALL: environments(None, "other")}, "does not exist"),
        ({ALL: environments(ONLY_PROTECTED), PROTECTED: []}, "no branch is protected"),
        ({ALL: environments(CUSTOM), RULES: rules("main", "release/*")}, "branch release/*"),
        ({ALL: environments(CUSTOM), RULES: rules("*")}, "lets these deploy: branch *"),
        ({ALL: environments(CUSTOM), RULES: rules("main", kind="tag")}, "tag main"),
    ],
)
def test_an_environment_that_others_than_main_can_use_is_a_warning(
    provisioned: Checkout, answers: Mapping[str, Any], words: str
) -> None:
    run = provision(provisioned, answers)
    assert "The GitHub environment live of my-company/ai-assistant " in run.err
    assert words in run.err
    assert "https://github.com/my-company/ai-assistant/settings/environments" in run.err


@pytest.mark.parametrize(
    "answers",
    [
        {ALL: environments(CUSTOM), RULES: rules("main")},
        {ALL: environments(CUSTOM), RULES: rules()},
        {ALL: environments(CUSTOM, total=200), RULES: rules("main")},
        {ALL: environments(ONLY_PROTECTED), PROTECTED: [{"name": "main"}]},
    ],
)
@pytest.mark.parametrize("environment", ["live", ""])
def test_an_environment_for_main_alone_is_not_a_warning(
    provisioned: Checkout, answers: Mapping[str, Any], environment: str
) -> None:
    run = provision(provisioned, answers, environment)
    assert "environment" not in run.text.replace(SUBJECT, "")


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {ALL: []},
        {ALL: {"message": "Not Found"}},
        {ALL: environments(None, "other", total=200)},
        {ALL: environments(CUSTOM)},
        {ALL: environments(CUSTOM), RULES: {"message": "Not Found"}},
        {ALL: environments(ONLY_PROTECTED), PROTECTED: {"message": "Not Found"}},
    ],
)
def test_unreadable_rules_are_a_note(provisioned: Checkout, answers: Mapping[str, Any]) -> None:
    run = provision(provisioned, answers)
    assert "environment live: could not read its rules from GitHub" in run.out
    assert "GitHub environment" not in run.err


def test_without_a_repository_the_unread_rules_are_a_note(provisioned: Checkout) -> None:
    provisioned.set("github.repository", "")
    run = provision(provisioned, {ALL: environments(None)})
    assert "environment live: could not read its rules from GitHub" in run.out


@pytest.mark.parametrize(
    ("environment", "subject", "name"),
    [
        ("", "repo:a/b:ref:refs/heads/main", ""),
        ("live", "repo:a/b:environment:live", "live"),
        ("", "repo:a@1/b@2:environment:eu%3A live", "eu: live"),
    ],
)
def test_the_environment_is_that_of_the_settings_or_of_their_subject(
    environment: str, subject: str, name: str
) -> None:
    assert environment_of(settings(github={"environment": environment}).github, subject) == name
