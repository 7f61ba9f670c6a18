"""The GitHub environment that deploys run in: whether other branches than main can use it.

A token of a run in an environment names the environment as its subject, and no branch. So the rules
of the environment decide which branches the deploy role trusts.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from infra.tool.provision.subject import ask, remote
from infra.tool.settings import GitHub
from infra.tool.target import Target
from infra.tool.text import one_line

PAGE = "per_page=100"  # the most that GitHub answers at once
MAIN = "main"


class UnreadableError(Exception):
    """GitHub did not answer, or in another form than its REST API documents."""


def check(target: Target, subject: str) -> None:
    """Warn if another branch could deploy, or if GitHub does not show whether one could."""
    github = target.settings.github
    name = environment_of(github, subject)
    if not name:
        return
    repository = github.repository or remote(target)
    try:
        wrong = complaint(target, repository, name)
    except UnreadableError:
        target.fact(
            "environment",
            f"{name}: could not read its rules from GitHub; only {MAIN} must be able to use it",
        )
        return
    if wrong:
        target.runtime.console.warn(
            f"The GitHub environment {name} of {repository} {one_line(wrong)}. Any branch "
            f"could then be deployed without a review. Allow the branch {MAIN} alone: "
            f"https://github.com/{repository}/settings/environments"
        )


def complaint(target: Target, repository: str, name: str) -> str:
    """Why other branches than main can use it; empty if none can. Raises UnreadableError."""
    if not repository:
        raise UnreadableError
    path = f"repos/{repository}"
    found = find(read(target, f"{path}/environments?{PAGE}"), name)
    if found is None:
        return "does not exist, and the first run creates it without rules"
    policy = found.get("deployment_branch_policy")
    if policy is None:
        return "has no rule for branches"
    if policy.get("protected_branches"):
        return about_protected(read(target, f"{path}/branches?protected=true&{PAGE}"))
    policies = f"{path}/environments/{quote(name, safe='')}/deployment-branch-policies?{PAGE}"
    return about_rules(read(target, policies))


def read(target: Target, path: str) -> Any:
    """Raises UnreadableError."""
    try:
        return json.loads(ask(target.runtime, path))
    except ValueError:
        raise UnreadableError from None


# --- decisions, pure ---


def environment_of(github: GitHub, subject: str) -> str:
    """The environment in the settings or in a subject there; empty if neither names one."""
    return github.environment or subject.partition(":environment:")[2].replace("%3A", ":")


def find(answer: Any, name: str) -> Mapping[str, Any] | None:
    """An environment of a list; None if it does not exist. GitHub ignores case. Raises
    UnreadableError, also if the list is longer than this page."""
    try:
        environments = {str(each["name"]).casefold(): each for each in answer["environments"]}
        goes_on = answer["total_count"] > len(answer["environments"])
    except (KeyError, TypeError):
        raise UnreadableError from None
    found = environments.get(name.casefold())
    if found is None and goes_on:
        raise UnreadableError
    return found


def about_protected(answer: Any) -> str:
    """For "Protected branches only". Without a protected branch, that is every branch ("Managing
    environments for deployment", GitHub Docs)."""
    if not isinstance(answer, list):
        raise UnreadableError
    return "" if answer else "lets protected branches deploy, and no branch is protected"


def about_rules(answer: Any) -> str:
    """For "Selected branches and tags": exactly one rule, for main."""
    try:
        policies = answer["branch_policies"]
        rules = {f"{each.get('type', 'branch')} {each['name']}" for each in policies}
    except (AttributeError, KeyError, TypeError):
        raise UnreadableError from None
    return f"lets these deploy: {', '.join(sorted(rules))}" if rules - {f"branch {MAIN}"} else ""
