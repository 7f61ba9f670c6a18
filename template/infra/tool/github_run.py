"""The run of a workflow: whether it is a re-run, and the present commit of its branch."""

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from infra.tool.errors import Problem

MAIN_MOVED_ON = Problem(
    "main-moved-on",
    "this is a re-run for commit {commit}, but {branch} is now at {newest}",
    "deploy the newest commit: gh workflow run deploy-ecs.yml; or go back to an earlier one: "
    "gh workflow run rollback-ecs.yml",
)
MAIN_UNKNOWN = Problem(
    "main-unknown",
    "this is a re-run for commit {commit}, but the newest commit of {branch} cannot be read from "
    "GitHub: {why}",
    "start a new run instead, which deploys the newest commit: gh workflow run deploy-ecs.yml",
)
NOTHING_TO_WATCH = Problem(
    "nothing-to-watch",
    "a re-run only watches a rollback in progress, and none to {revision} is in progress",
    "to roll back again, start a new run: gh workflow run rollback-ecs.yml",
)

TIMEOUT = 10.0  # seconds, for one request
MOST_BYTES = 65_536  # of an answer


def is_rerun(environment: Mapping[str, str]) -> bool:
    """Whether this is another attempt of a run. It has the commit and the inputs of the first."""
    attempt = environment.get("GITHUB_RUN_ATTEMPT", "")
    return attempt.isdecimal() and int(attempt) > 1


def require_newest(environment: Mapping[str, str], commit: str) -> None:
    """Raises ToolError if this is a re-run and its branch has moved on since.

    A first attempt always deploys: the concurrency group of the workflow keeps the order.
    """
    if not is_rerun(environment):
        return
    branch = environment.get("GITHUB_REF", "").removeprefix("refs/heads/")
    try:
        newest = head_of(environment, branch)
    except OSError as error:
        raise MAIN_UNKNOWN(commit=commit, branch=branch, why=error) from None
    if newest != commit:
        raise MAIN_MOVED_ON(commit=commit, branch=branch, newest=newest)


def require_first_attempt(environment: Mapping[str, str], revision: str) -> None:
    """Raises ToolError if this is a re-run: it must not begin a rollback, because what was right at
    the first attempt may not be right any more."""
    if is_rerun(environment):
        raise NOTHING_TO_WATCH(revision=revision)


def head_of(environment: Mapping[str, str], branch: str) -> str:
    """The newest commit of a branch. Raises OSError if GitHub does not answer with one.

    The REST API needs `contents: read`, which the job has for its checkout. `git ls-remote` needs
    the same for a private repository, and a token on the command line or in git's configuration.
    """
    address = environment.get("GITHUB_API_URL", ""), environment.get("GITHUB_REPOSITORY", "")
    if not all((*address, branch)):
        raise OSError("the run names no branch, repository or address of GitHub's API")
    url = "{}/repos/{}/git/ref/heads/".format(*address) + quote(branch)
    match get_json(url, environment.get("GITHUB_TOKEN", "")):
        case {"object": {"sha": str(commit)}}:
            return commit
    raise OSError("the answer has no commit")


def get_json(url: str, token: str) -> Any:
    """The JSON that GitHub answers. Raises OSError if it does not answer, or not with JSON."""
    request = Request(url, headers={"Accept": "application/json", "User-Agent": "infra"})
    if token:
        # A redirect to another host must not carry the token along.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urlopen(request, timeout=TIMEOUT) as answer:
            body = answer.read(MOST_BYTES)
    except (HTTPException, ValueError) as error:  # ValueError: the address is none
        raise OSError(f"no HTTP response: {error!r}") from None
    try:
        return json.loads(body)
    except ValueError:
        raise OSError("the answer is not JSON") from None
