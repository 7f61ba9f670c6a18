"""The scripts of the workflows, run for real."""

import base64
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.rendering import Render
from tests.support.settings import change
from tests.workflows.runner import Runner, served

REFUSED = "Say why there are no credentials"
TOKEN_PATH = "/token?api-version=2.0"


def checkout(example: Render, folder: Path) -> Runner:
    """A machine of its own for one test, with the service checked out."""
    shutil.copytree(example.path, folder / "service")
    (folder / "home").mkdir()
    runner = Runner(folder / "service", folder / "home")
    runner.uv()
    return runner


@pytest.fixture
def runner(example: Render, tmp_path: Path) -> Runner:
    return checkout(example, tmp_path)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has {old!r} {text.count(old)} times"
    path.write_text(text.replace(old, new))


# The files that a workflow reads before its first step


def test_without_a_lock_file_ci_says_what_to_do(runner: Runner) -> None:
    done = runner.run("ci", "Look for the lock file")
    assert done.code == 1
    assert done.said.count("\n") == 1
    assert "uv sync" in done.said
    assert "commit" in done.said

    (runner.service / "uv.lock").touch()
    assert runner.run("ci", "Look for the lock file").code == 0


@pytest.mark.parametrize("workflow", ["ci", "deploy-ecs", "rollback-ecs"])
def test_the_tool_is_installed_as_it_is_locked(runner: Runner, workflow: str) -> None:
    assert runner.run(workflow, "Install the tool").code == 0


def test_every_workflow_reads_the_settings_by_the_tool(runner: Runner) -> None:
    """tests/tool/test_workflow_settings.py tests the outputs themselves."""
    change(runner.service, "github.environment", "live, europe=<<x")
    read = {
        name: runner.run(name, "Read the settings") for name in ("ci", "deploy-ecs", "rollback-ecs")
    }
    for name, done in read.items():
        assert done.code == 0, f"{name}.yml: {done.said}"
        assert done.outputs == {
            "account": "123456789012",
            "region": "us-east-1",
            "role": "arn:aws:iam::123456789012:role/ai-assistant-us-east-1-github-actions",
            "environment": "live, europe=<<x",
            "runner": "ubuntu-24.04",
        }, f"{name}.yml"


def test_an_architecture_that_fargate_does_not_have_is_an_annotation_on_the_file(
    runner: Runner,
) -> None:
    edit(runner.service / "infra/task-definition.json", '"X86_64"', '"amd64"')
    done = runner.run("ci", "Read the settings")
    assert done.code == 2
    assert done.outputs == {}
    [annotation] = done.annotations
    assert annotation.startswith("::error file=infra/task-definition.json,title=document-wrong::")
    assert "X86_64 or ARM64" in annotation


# How CI ends

PASSED = "Look at the results"


@pytest.mark.parametrize(
    ("settings", "check", "image", "code"),
    [
        ("success", "success", "success", 0),
        ("success", "success", "skipped", 0),
        ("success", "failure", "success", 1),
        ("success", "success", "cancelled", 1),
        ("failure", "skipped", "skipped", 1),
        ("skipped", "skipped", "skipped", 1),
    ],
)
def test_ci_passes_unless_a_job_failed_or_was_cancelled(
    runner: Runner, settings: str, check: str, image: str, code: int
) -> None:
    results = {"settings": settings, "check": check, "image": image}
    jobs = {name: {"result": result, "outputs": {}} for name, result in results.items()}
    done = runner.run("ci", PASSED, JOBS=json.dumps(jobs, indent=2))
    assert done.code == code, (
        f"ci.yml: `passed` must be {'red' if code else 'green'} for these results:\n{done.said}"
    )
    assert len(done.annotations) == code
    for name, result in results.items():
        assert f"{name}: {result}\n" in done.said


# A run of another branch

ELSEWHERE = {
    "deploy-ecs": "Say why nothing is deployed",
    "rollback-ecs": "Refuse any branch but main",
}


@pytest.mark.parametrize("workflow", ELSEWHERE)
def test_a_run_of_another_branch_says_why_it_does_nothing(runner: Runner, workflow: str) -> None:
    done = runner.run(workflow, ELSEWHERE[workflow], GITHUB_REF="refs/heads/wild")
    assert done.code == 1, "green would claim that it was done"
    [annotation] = done.annotations
    assert annotation.startswith("::error title=Nothing was ")
    assert "refs/heads/wild" in annotation
    assert "main" in annotation


# Roll back

# Prints its arguments, one a line.
ECHO = "import sys; print(*sys.argv[1:], sep='\\n')"


@pytest.mark.parametrize("revision", ["", "41", "ai-assistant-task:41", "--help", "$(id); echo 'x"])
def test_a_revision_reaches_the_tool_as_it_was_typed(runner: Runner, revision: str) -> None:
    runner.uv(sys.executable, "-c", ECHO)
    done = runner.run("rollback-ecs", "Roll back", REVISION=revision)
    assert done.code == 0, done.said
    assert done.said.splitlines() == ["rollback", "--", revision], (
        "pass the input by `env`, and after `--`: it is no option"
    )


@pytest.mark.parametrize("revision", ["x", "--help", "-1"])
def test_an_invalid_revision_fails_the_step(runner: Runner, revision: str) -> None:
    done = runner.run("rollback-ecs", "Roll back", REVISION=revision)
    assert done.code == 2, done.said
    assert done.annotations[0].startswith("::error title=revision-name::")


# When credentials are refused


def part(content: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize("workflow", ["deploy-ecs", "rollback-ecs"])
def test_a_refused_role_is_explained_and_the_token_never_printed(
    runner: Runner, workflow: str
) -> None:
    """tests/tool/test_github_token.py tests the explanation itself."""
    subject = "repo:my-company@1234/ai-assistant@56789:ref:refs/heads/main"
    issuer = "https://token.actions.githubusercontent.com"
    claims = {"iss": issuer, "aud": "sts.amazonaws.com", "sub": subject, "x": ">>>???"}
    token = f"{part({'alg': 'RS256'})}.{part(claims)}.c2lnbmF0dXJl"
    with served(lambda *_: json.dumps({"count": 1, "value": token})) as url:
        done = runner.run(
            workflow,
            REFUSED,
            HAS_KEYS="false",
            ACTIONS_ID_TOKEN_REQUEST_TOKEN="request-token",
            ACTIONS_ID_TOKEN_REQUEST_URL=url + TOKEN_PATH,
        )
    assert done.code == 2, done.said
    [annotation] = done.annotations
    assert f'[github] subject = "{subject}"' in annotation
    secrets = [*token.split("."), "request-token", "RS256"]
    assert [secret for secret in secrets if secret in done.said] == [], "a token must stay secret"


@pytest.mark.parametrize("workflow", ["deploy-ecs", "rollback-ecs"])
def test_refused_keys_are_not_reported_as_a_refused_role(runner: Runner, workflow: str) -> None:
    done = runner.run(workflow, REFUSED, HAS_KEYS="true")
    assert done.code == 1, done.said
    assert done.annotations[0].startswith("::error title=keys-refused::")
