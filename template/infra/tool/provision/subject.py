"""The one subject of GitHub's tokens that may deploy."""

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from infra.tool import programs
from infra.tool.errors import Problem
from infra.tool.runtime import Runtime
from infra.tool.settings import GitHub
from infra.tool.target import Target

UNKNOWN = Problem(
    "subject-unknown",
    "could not find out which subject may deploy: {why}",
    "correct that, or write the subject into infra/settings.toml: [github] subject = "
    '"repo:OWNER@OWNER_ID/NAME@NAME_ID:ref:refs/heads/main", or for a repository without ids in '
    'its subjects "repo:OWNER/NAME:ref:refs/heads/main"',
)
OTHER = Problem(
    "subject-of-clone",
    "the deploy role trusts {trusted}, but by the git remote of this clone it would trust {found}",
    'if that is intended, set [github] repository = "{repository}" in infra/settings.toml and '
    "commit it; otherwise provision from a clone of the trusted repository",
)

# Both forms of a remote on github.com; a part like "user@" of a URL is not accepted.
REMOTE = re.compile(
    r"(?:https://github\.com/|git@github\.com:)"
    r"([A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*/(?!\.{1,2}/?$)[A-Za-z0-9._-]{1,100}?)(?:\.git)?/?"
)
PREFIX = re.compile(r"repo:[A-Za-z0-9._-]+(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?")
API = "https://api.github.com"
SECONDS = 10.0  # for an answer of GitHub
STANDARD_CLAIMS = ["repo", "context"]


@dataclass(frozen=True)
class Subject:
    text: str
    source: str  # in words


def read(target: Target, had: Mapping[str, str]) -> Subject:
    """By the settings, by what GitHub answers, or as the stack has it. Raises ToolError.

    `had` are the parameters of the stack.
    """
    github, trusted = target.settings.github, had.get("GitHubSubject", "")
    if github.subject:
        return Subject(github.subject, "infra/settings.toml")
    repository = github.repository or remote(target)
    if not repository:
        why = 'git has no remote "origin" on github.com, and [github] repository is '
        return kept(trusted, why + "empty")
    path = f"repos/{repository}/actions/oidc/customization/sub"
    found = subject(ask(target.runtime, path), github)
    if not found:
        why = f"could not read the OIDC settings of {repository} from GitHub, or they are custom: "
        return kept(trusted, why + "does it exist, is it private, is gh signed in?")
    # The administrator may have cloned a fork: only a committed setting moves the trust.
    if trusted and found != trusted and not github.repository:
        raise OTHER(trusted=trusted, found=found, repository=repository)
    return Subject(found, "GitHub")


def kept(trusted: str, why: str) -> Subject:
    """The one of the stack. Raises ToolError if it has none."""
    if not trusted:
        raise UNKNOWN(why=why)
    return Subject(trusted, f"as it is: {why}")


def remote(target: Target) -> str:
    """OWNER/NAME of the remote "origin" on github.com; empty without that remote."""
    done = target.repository.git("remote", "get-url", "origin")
    return repository_of(done.stdout.strip()) if done.returncode == 0 else ""


def ask(runtime: Runtime, path: str) -> str:
    """GitHub's answer; empty without one. A private repository needs gh, signed in."""
    words = ["gh", "api", "--hostname", "github.com", path]
    environment = {**runtime.environment, "GH_PROMPT_DISABLED": "1"}
    try:
        done = programs.run(words, environment=environment, folder=runtime.root, timeout=SECONDS)
        if done.returncode == 0:
            return done.stdout
    except (programs.NotInstalledError, subprocess.TimeoutExpired):
        pass
    try:
        answer = runtime.fetch(f"{API}/{path}", timeout=SECONDS)
    except OSError:
        return ""
    return answer.body.decode(errors="replace") if answer.status == 200 else ""


# --- decisions, pure ---


def repository_of(url: str) -> str:
    """OWNER/NAME of a remote on github.com; empty for others."""
    found = REMOTE.fullmatch(url)
    return found[1] if found else ""


def subject(answer: str, github: GitHub) -> str:
    """By GitHub's answer about the subjects of a repository; empty if it cannot be told, as when
    the repository has customised them."""
    try:
        told = json.loads(answer)
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    prefix = told.get("sub_claim_prefix")
    is_custom = told.get("use_default") is False
    if is_custom and told.get("include_claim_keys", STANDARD_CLAIMS) != STANDARD_CLAIMS:
        return ""
    if not isinstance(prefix, str) or not PREFIX.fullmatch(prefix):
        return ""
    if github.environment:  # GitHub escapes a colon in its name
        return f"{prefix}:environment:{github.environment.replace(':', '%3A')}"
    return f"{prefix}:ref:refs/heads/main"
