"""infra/deploy.sh changes nothing before all is ready, and says in one line what to do."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rendering import Render
from stage import OUTPUTS, Refusal, Stage, refusal

Break = Callable[[Stage], object]

SCRIPTS = ["infra/deploy.sh", "infra/rollback.sh"]


@pytest.fixture
def stage(example: Render, tmp_path: Path) -> Stage:
    return Stage(example, tmp_path)


def containers(stage: Stage, *names: str) -> None:
    """Give the task definition containers of these names."""
    (container,) = stage.render.json("infra/task-definition.json")["containerDefinitions"]
    own = stage.settings["CONTAINER_NAME"]
    made = [container | {"name": own if name == "own" else name} for name in names]
    stage.change("infra/task-definition.json", {"containerDefinitions": made})


def in_another_repository(stage: Stage) -> None:
    shutil.rmtree(stage.service / ".git")
    moved = stage.folder / "monorepo" / "service"
    moved.parent.mkdir()
    stage.service.rename(moved)
    stage.service = moved.parent
    stage.git("init", "--quiet")
    stage.service = moved


def settings(stage: Stage, old: str, new: str) -> None:
    stage.edit("infra/settings.env", old, new)
    stage.commit("Change the settings")


def ignored_lock(stage: Stage) -> None:
    stage.git("rm", "--quiet", "--cached", "uv.lock")
    broken(stage, ".gitignore", "uv.lock\n")


def hidden_file(stage: Stage) -> None:
    stage.git("config", "status.showUntrackedFiles", "no")
    stage.write("new.py", "")


def changes(stage: Stage) -> None:
    for number in range(4):
        stage.write(f"{number}.py", "")
    stage.edit("README.md", "#", "##")


def broken(stage: Stage, name: str, text: str) -> None:
    stage.write(name, text)
    stage.commit(f"Break {name}")


# What is broken, and what the one line says.
BEFORE_AWS_IS_ASKED: dict[str, tuple[Break, str]] = {
    "docker is absent": (lambda stage: stage.lacks("docker"), "not installed: docker."),
    "jq and docker are absent": (
        lambda stage: stage.lacks("jq", "docker"),
        "not installed: docker, jq.",
    ),
    "git is absent": (lambda stage: stage.lacks("git"), "not installed: git."),
    "the settings are gone": (
        lambda stage: (stage.service / "infra/settings.env").unlink(),
        "git restore infra/settings.env",
    ),
    "a setting is no number": (
        lambda stage: settings(stage, 'MIN_TASKS="1"', 'MIN_TASKS="one"'),
        'MIN_TASKS in infra/settings.env is a whole number, not "one": for example MIN_TASKS="1"',
    ),
    "the time is no number": (
        lambda stage: settings(stage, 'TIMEOUT="1500"', 'TIMEOUT="25 min"'),
        'is a whole number, not "25 min": for example ROLLOUT_TIMEOUT="1500"',
    ),
    "a setting is not there": (
        lambda stage: settings(stage, "ROLLOUT_POLL=", "ROLLOUT_PAUSE="),
        "infra/settings.env has no ROLLOUT_POLL, or an empty one",
    ),
    "a setting on which others stand is not there": (
        lambda stage: settings(stage, "APP_NAME=", "NAME="),
        "infra/settings.env has no APP_NAME, or an empty one",
    ),
    "a setting is only there in the shell of the caller": (
        lambda stage: settings(stage, "AWS_REGION=", "REGION="),
        "infra/settings.env has no AWS_REGION",
    ),
    "a setting that may be empty is not there": (
        lambda stage: settings(stage, 'DEPLOY_USER=""\n', ""),
        'infra/settings.env has no DEPLOY_USER: add DEPLOY_USER=""',
    ),
    "a setting looks octal": (
        lambda stage: settings(stage, 'MAX_TASKS="4"', 'MAX_TASKS="08"'),
        "MAX_TASKS in infra/settings.env is a whole number",
    ),
    "more tasks at least than at most": (
        lambda stage: settings(stage, 'MIN_TASKS="1"', 'MIN_TASKS="10"'),
        "MIN_TASKS (10) is above MAX_TASKS (4)",
    ),
    "there is no repository": (
        lambda stage: shutil.rmtree(stage.service / ".git"),
        "git init --initial-branch main",
    ),
    "the repository is another": (in_another_repository, "service is a folder of another git"),
    "nothing is committed": (
        lambda stage: stage.git("update-ref", "-d", "HEAD"),
        "nothing is committed yet",
    ),
    "there is no lock": (
        lambda stage: stage.git("rm", "--quiet", "uv.lock"),
        "uv.lock is missing: run uv sync",
    ),
    "the lock is not committed": (
        lambda stage: stage.git("rm", "--quiet", "--cached", "uv.lock"),
        "uv.lock is not committed: git add",
    ),
    "the lock is ignored": (ignored_lock, "uv.lock is not committed: git add --force"),
    "a file is new": (
        lambda stage: stage.write("app/new file.py", ""),
        'not committed: "app/new file.py" (1 in all)',
    ),
    "a file is new, and git is told not to mention it": (hidden_file, "not committed: new.py"),
    "files are changed": (changes, "not committed: README.md, 0.py, 1.py (5 in all)"),
    "the task definition is no JSON": (
        lambda stage: broken(stage, "infra/task-definition.json", '{"family": ""curl"}'),
        "infra/task-definition.json: parse error",
    ),
    "an update left a conflict": (
        lambda stage: broken(stage, "infra/service.json", "{\n<<<<<<< before\n"),
        "infra/service.json is not one JSON object: parse error",
    ),
    "a document is empty": (
        lambda stage: broken(stage, "infra/autoscaling.json", ""),
        "infra/autoscaling.json is not one JSON object: it is empty",
    ),
    "a document is a list": (
        lambda stage: broken(stage, "infra/autoscaling.json", "[]"),
        "infra/autoscaling.json is not one JSON object: array",
    ),
    "no container has the name": (
        lambda stage: containers(stage, "another"),
        "0 of its containers have the name",
    ),
    "two containers have the name": (
        lambda stage: containers(stage, "own", "own"),
        "2 of its containers have the name",
    ),
    "the family is another": (
        lambda stage: stage.change("infra/task-definition.json", {"family": "another"}),
        "its family is another, and TASK_FAMILY in infra/settings.env is",
    ),
    "the container has no port": (
        lambda stage: stage.change(
            "infra/task-definition.json",
            {"containerDefinitions": [{"name": stage.settings["CONTAINER_NAME"]}]},
        ),
        "has 0 portMappings",
    ),
    "aws is too old for the service": (
        lambda stage: stage.knows("ecs create-service", but_not=["availabilityZoneRebalancing"]),
        "create-service does not know availabilityZoneRebalancing. Update the AWS CLI",
    ),
    "aws is too old for a part of the service": (
        lambda stage: stage.knows(
            "ecs create-service",
            but_not=["deploymentConfiguration", "deploymentCircuitBreaker", "rollback"],
        ),
        "create-service does not know rollback. Update the AWS CLI",
    ),
    "the service has a name that nobody knows": (
        lambda stage: stage.change("infra/service.json", {"desiredCuont": 2}),
        "does not know desiredCuont. Update the AWS CLI (2.22.2, 1.36.7 or newer), or correct",
    ),
    "the processor is unknown": (
        lambda stage: stage.change(
            "infra/task-definition.json", {"runtimePlatform": {"cpuArchitecture": "RISCV"}}
        ),
        "cpuArchitecture is RISCV",
    ),
}


@pytest.mark.parametrize("case", BEFORE_AWS_IS_ASKED)
def test_what_is_not_ready_here_is_said_before_aws_is_asked(stage: Stage, case: str) -> None:
    breaks, says = BEFORE_AWS_IS_ASKED[case]
    breaks(stage)
    run = stage.deploy()
    run.ends(2, says)
    assert run.asked == []
    (line,) = run.err.splitlines()
    assert line.startswith("error: ")


STS = "sts get-caller-identity"
NO_OUTPUTS: dict[str, str | None] = dict.fromkeys(OUTPUTS)
STACKS = "cloudformation describe-stacks"
SERVICES = "ecs describe-services"

# What is broken, what the one line says, and the last call of the run.
BY_WHAT_AWS_SAYS: dict[str, tuple[Break, str, str]] = {
    "there are no credentials": (
        lambda stage: stage.answers(STS, refusal("NoCredentials", "Unable to locate credentials")),
        "Unable to locate credentials (sign in",
        STS,
    ),
    "the token is expired": (
        lambda stage: stage.answers(STS, refusal("ExpiredToken", "The token is expired")),
        "The token is expired (sign in",
        STS,
    ),
    "the sign-in by SSO is over": (
        lambda stage: stage.answers(STS, Refusal("The SSO session has expired or is invalid")),
        "AWS does not know who you are: The SSO session",
        STS,
    ),
    "there is no such region, or no network": (
        lambda stage: stage.answers(
            STS, Refusal('Could not connect to the endpoint URL: "https://sts.x.amazonaws.com/"')
        ),
        "cannot reach AWS in us-east-1: check AWS_REGION in infra/settings.env, and the network",
        STS,
    ),
    "AWS is too busy to say who asks": (
        lambda stage: stage.answers(STS, refusal("Throttling", "Rate exceeded")),
        'AWS refused "sts get-caller-identity": An error occurred (Throttling)',
        STS,
    ),
    "the account is another": (
        lambda stage: stage.answers(
            STS, {"Account": "9" * 12, "Arn": "arn:aws:iam::999999999999:root", "UserId": "A"}
        ),
        f"these credentials are of account {'9' * 12}, and the service lives in",
        STS,
    ),
    "there is no stack": (
        lambda stage: stage.answers(
            STACKS, refusal("ValidationError", "Stack with id x does not exist")
        ),
        "the infrastructure does not exist yet: us-east-1 has no stack",
        STACKS,
    ),
    "the stack may not be seen": (
        lambda stage: stage.answers(STACKS, refusal("AccessDenied", "User is not authorized")),
        "ops/iam-policy-github-actions.json",
        STACKS,
    ),
    "the stack was only planned": (
        lambda stage: stage.has_stack("REVIEW_IN_PROGRESS", **NO_OUTPUTS),
        "was only planned. Create it with infra/provision.sh",
        STACKS,
    ),
    "the stack could not be made": (
        lambda stage: stage.has_stack("ROLLBACK_COMPLETE", **NO_OUTPUTS),
        "is in state ROLLBACK_COMPLETE and cannot be deployed to: fix it with infra/provision.sh",
        STACKS,
    ),
    "the stack is being changed": (
        lambda stage: stage.has_stack("UPDATE_IN_PROGRESS"),
        "(UPDATE_IN_PROGRESS): wait until it is done",
        STACKS,
    ),
    "the stack is of an earlier template": (
        lambda stage: stage.has_stack(Url=None, SubnetIds=None),
        "lacks these outputs: Url, SubnetIds.",
        STACKS,
    ),
    "there is no cluster": (
        lambda stage: stage.answers(SERVICES, refusal("ClusterNotFoundException")),
        "the infrastructure does not exist yet: us-east-1 has no cluster",
        SERVICES,
    ),
    "the service is being deleted": (
        lambda stage: stage.describes(stage.described(status="DRAINING")),
        "is being deleted: wait until it is gone",
        SERVICES,
    ),
    "there is no image repository": (
        lambda stage: stage.answers("ecr describe-images", refusal("RepositoryNotFoundException")),
        "has no ECR repository",
        "ecr describe-images",
    ),
    "ecr is not allowed": (
        lambda stage: stage.answers("ecr describe-images", refusal("AccessDeniedException")),
        'AWS refused "ecr describe-images"',
        "ecr describe-images",
    ),
    "docker does not run": (
        lambda stage: stage.answers("docker version", refusal("Cannot connect")),
        "docker does not answer: start Docker Desktop",
        "docker version",
    ),
    "ecr gives no password": (
        lambda stage: stage.answers("ecr get-login-password", refusal("ServerException")),
        'AWS refused "ecr get-login-password"',
        "ecr get-login-password",
    ),
}


@pytest.mark.parametrize("case", BY_WHAT_AWS_SAYS)
def test_what_is_not_ready_in_aws_ends_it_at_once(stage: Stage, case: str) -> None:
    breaks, says, last = BY_WHAT_AWS_SAYS[case]
    breaks(stage)
    run = stage.deploy()
    run.ends(2, says)
    run.changed_nothing()
    assert run.asked[-1] == last
    (line,) = run.err.splitlines()
    assert line.startswith("error: ")


def test_every_setting_is_missed_when_it_is_gone(example: Render) -> None:
    """By one of the two lists in infra/lib/common.sh, or nobody says what to do."""
    text = example.text("infra/lib/common.sh").replace("\\\n", "")
    lists = dict(re.findall(r'^(valued|optional)="(.+?)"$', text, re.MULTILINE))
    valued, optional = (set(lists[name].split()) for name in ("valued", "optional"))
    settings = example.settings()
    assert valued | optional == settings.keys()
    assert not valued & optional
    assert {name for name in settings if not settings[name]} <= optional


def test_a_stack_whose_update_was_rolled_back_still_carries_the_service(stage: Stage) -> None:
    stage.has_stack("UPDATE_ROLLBACK_COMPLETE")
    stage.rolls_out_well()
    stage.deploy().ends(0)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_needs_nothing_but_bash(stage: Stage, script: str) -> None:
    (stage.service / "infra/settings.env").unlink()
    stage.lacks("git", "jq", "aws", "docker")
    for option in "--help", "-h":
        run = stage.run(script, option)
        run.ends(0, script, "Exit codes:")
        assert run.err == ""


def test_an_argument_that_means_nothing_is_refused(stage: Stage) -> None:
    run = stage.run("infra/deploy.sh", "--force")
    run.ends(2, 'unknown argument "--force": see infra/deploy.sh --help')
    assert run.asked == []
