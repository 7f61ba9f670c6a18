"""The scripts of the workflows, run for real."""

import base64
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from rendering import EXAMPLE, Render, render
from runner import COMMIT, Runner, served

REFUSED = "Say why there are no credentials"
SMOKE = "Ask the service for this commit"
TOKEN_PATH = "/token?api-version=2.0"


def checkout(example: Render, folder: Path) -> Runner:
    """A machine of its own for one test, with the service checked out."""
    shutil.copytree(example.path, folder / "service")
    (folder / "home").mkdir()
    return Runner(folder / "service", folder / "home")


@pytest.fixture
def runner(example: Render, tmp_path: Path) -> Runner:
    return checkout(example, tmp_path)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has {old!r} {text.count(old)} times"
    path.write_text(text.replace(old, new))


# What is read before anything starts


def test_without_a_lock_file_ci_says_what_to_do(runner: Runner) -> None:
    done = runner.run("ci", "Look for the lock file")
    assert done.code == 1
    assert done.said.count("\n") == 1
    assert "uv sync" in done.said
    assert "commit" in done.said

    (runner.service / "uv.lock").touch()
    assert runner.run("ci", "Look for the lock file").code == 0


@pytest.mark.parametrize(
    ("architecture", "machine"), [("X86_64", "ubuntu-24.04"), ("ARM64", "ubuntu-24.04-arm")]
)
def test_the_image_is_built_on_the_processor_it_runs_on(
    template: Path, tmp_path: Path, architecture: str, machine: str
) -> None:
    answers = {**EXAMPLE, "cpu_architecture": architecture}
    runner = checkout(render(template, tmp_path / "render", answers), tmp_path)
    done = runner.run("ci", "Read the settings")
    assert done.code == 0, done.said
    assert done.outputs == {"environment": "", "runner": machine}


def test_an_architecture_that_fargate_does_not_have_is_red(runner: Runner) -> None:
    edit(runner.service / "infra/task-definition.json", '"X86_64"', '"amd64"')
    done = runner.run("ci", "Read the settings")
    assert done.code == 1
    assert "X86_64 or ARM64, not amd64" in done.said


def test_a_github_environment_is_a_setting(runner: Runner) -> None:
    edit(runner.service / "infra/settings.env", 'ENVIRONMENT=""', 'ENVIRONMENT="live, europe"')
    done = runner.run("ci", "Read the settings")
    assert done.outputs["environment"] == "live, europe", "as the shell reads it, without quotes"


@pytest.mark.parametrize("step", ["ci", "deploy-ecs"])
def test_a_setting_that_is_missing_is_red(runner: Runner, step: str) -> None:
    settings = runner.service / "infra/settings.env"
    settings.write_text(
        re.sub(r"(?m)^(GITHUB_ENVIRONMENT|DEPLOY_ROLE)=.*\n", "", settings.read_text())
    )
    done = runner.run(step, "Read the settings")
    assert done.code != 0
    assert "unbound variable" in done.said


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")],
)
def test_the_role_is_the_one_of_the_settings(
    template: Path, tmp_path: Path, region: str, partition: str
) -> None:
    answers = {**EXAMPLE, "aws_account_id": "012345678901", "aws_region": region}
    runner = checkout(render(template, tmp_path / "render", answers), tmp_path)
    assert runner.run("deploy-ecs", "Read the settings").outputs == {
        "account": "012345678901",
        "region": region,
        "role": f"arn:{partition}:iam::012345678901:role/ai-assistant-{region}-github-actions",
    }


# The service, after a deploy


def health(commit: str) -> str:
    return json.dumps({"status": "ok", "commit": commit})


def test_a_deploy_is_green_when_this_commit_answers(runner: Runner) -> None:
    with served(lambda path, _: health(COMMIT) if path == "/health" else None) as url:
        done = runner.run("deploy-ecs", SMOKE, URL=url, PATIENCE="0")
    assert done.code == 0, done.said
    assert done.said == f"{url}/health answers {COMMIT}\n"


def test_a_deploy_is_green_once_the_last_of_the_old_tasks_is_gone(runner: Runner) -> None:
    commits = iter(["0ld", COMMIT])
    with served(lambda *_: health(next(commits))) as url:
        done = runner.run("deploy-ecs", SMOKE, URL=url, PATIENCE="30")
    assert done.code == 0, done.said
    assert "0ld" in done.said


@pytest.mark.parametrize(
    "answer", [health("0ld"), health(COMMIT[:7]), "{}", "[]", "<html>502</html>", "", None]
)
def test_a_deploy_is_red_when_anything_else_answers(runner: Runner, answer: str | None) -> None:
    with served(lambda *_: answer) as url:
        done = runner.run("deploy-ecs", SMOKE, URL=url, PATIENCE="0")
    assert done.code == 1
    assert len(done.annotations) == 1
    assert done.annotations[0].startswith("::error title=Another commit answers::")
    assert (answer or "") in done.annotations[0]


def test_a_deploy_is_red_when_nothing_answers(runner: Runner) -> None:
    done = runner.run("deploy-ecs", SMOKE, URL="http://127.0.0.1:1", PATIENCE="0")
    assert done.code == 1
    assert "connect" in done.annotations[0]


def test_what_the_service_answers_is_no_command_to_github(runner: Runner) -> None:
    with served(lambda *_: "x\n::stop-commands::y\r::add-mask::z\n") as url:
        done = runner.run("deploy-ecs", SMOKE, URL=url, PATIENCE="0")
    assert len(done.annotations) == 1
    assert "\r" not in done.said


# When credentials are refused


def part(content: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def refuse(runner: Runner, subject: str, **given: str) -> tuple[str, str, list[str]]:
    """What the step says, the token it was sent, and what it asked for."""
    token = f"{part({'alg': 'RS256'})}.{part({'sub': subject, 'x': '>>>???'})}.c2lnbmF0dXJl"
    asked = []

    def reply(path: str, headers: Mapping[str, str]) -> str:
        asked.extend([path, headers.get("Authorization", "")])
        return json.dumps({"count": 1, "value": token})

    with served(reply) as url:
        variables = {
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
            "ACTIONS_ID_TOKEN_REQUEST_URL": url + TOKEN_PATH,
            "ACCOUNT": "123456789012",
            "HAS_KEYS": "false",
            "ROLE": "arn:aws:iam::123456789012:role/deploy",
            **given,
        }
        done = runner.run("deploy-ecs", REFUSED, **variables)
    assert done.code == 0, done.said
    return done.said, token, asked


@pytest.mark.parametrize(
    "subject",
    [
        "repo:my-company/ai-assistant:ref:refs/heads/main",
        "repo:my-company@1234/ai-assistant@56789:ref:refs/heads/main",
        "repo:my-company@1234/ai-assistant@567890:environment:live",
        "repo:my-company@12/ai-assistant@5678:ref:refs/heads/main",
    ],
)
def test_a_refused_role_says_who_asked_and_keeps_the_token_to_itself(
    runner: Runner, subject: str
) -> None:
    said, token, asked = refuse(runner, subject)
    assert asked == [f"{TOKEN_PATH}&audience=sts.amazonaws.com", "bearer request-token"]
    assert f'GITHUB_SUBJECT="{subject}"' in said
    assert "infra/provision.sh" in said
    for secret in (*token.split("."), "request-token", "RS256"):
        assert secret not in said


def test_the_setting_that_it_names_exists(example: Render) -> None:
    assert "GITHUB_SUBJECT" in example.settings()


def test_a_refused_run_of_another_branch_is_not_told_to_widen_the_trust(runner: Runner) -> None:
    subject = "repo:my-company/ai-assistant:ref:refs/heads/wild"
    said, _, _ = refuse(runner, subject, GITHUB_REF="refs/heads/wild")
    assert "main alone" in said
    assert "GITHUB_SUBJECT" not in said


def test_without_a_token_the_rest_is_still_said(runner: Runner) -> None:
    nowhere = "http://127.0.0.1:1/token?"
    said, _, _ = refuse(runner, "repo:x", ACTIONS_ID_TOKEN_REQUEST_URL=nowhere)
    assert "GitHub gave no token" in said
    assert "infra/provision.sh" in said


def test_refused_keys_are_not_taken_for_a_refused_role(runner: Runner) -> None:
    said, _, asked = refuse(runner, "repo:x", HAS_KEYS="true")
    assert asked == []
    assert "AWS_SECRET_ACCESS_KEY" in said
    assert "123456789012" in said
