"""The JSON documents follow the rules of AWS, and each mistake in them is noticed here."""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.document_checks import (
    api_findings,
    lifecycle_findings,
    policy_findings,
    task_findings,
    unexpected,
)
from tests.support.rendering import Render
from tests.support.settings import change

Break = Callable[[Any], object]


def container(task: Any) -> Any:
    return task["containerDefinitions"][0]


WRONG_TASKS: dict[str, Break] = {
    "cpu that Fargate does not have": lambda t: t.update(cpu="300"),
    "memory that does not go with the cpu": lambda t: t.update(memory="8192"),
    "cpu as a number": lambda t: t.update(cpu=256),
    "network mode": lambda t: t.update(networkMode="bridge"),
    "misspelt network mode": lambda t: t.update(networkMode="awsvcp"),
    "misspelt architecture": lambda t: t["runtimePlatform"].update(cpuArchitecture="amd64"),
    "misspelt compatibility": lambda t: t.update(requiresCompatibilities=["FARGTE"]),
    "read-only key": lambda t: t.update(revision=3),
    "unknown key": lambda t: container(t).update(imagge="x"),
    "no image": lambda t: container(t).pop("image"),
    "no containers": lambda t: t.update(containerDefinitions=[]),
    "nothing essential": lambda t: container(t).update(essential=False),
    "other host port": lambda t: container(t)["portMappings"][0].update(hostPort=80),
    "port as text": lambda t: container(t)["portMappings"][0].update(containerPort="8080"),
    "port out of range": lambda t: container(t)["portMappings"][0].update(containerPort=99999),
    "stop timeout out of range": lambda t: container(t).update(stopTimeout=999),
    "no execution role": lambda t: t.pop("executionRoleArn"),
    "placeholder in a role": lambda t: t.update(taskRoleArn="arn:aws:iam::YOUR-ACCOUNT:role/x"),
    "health check too often": lambda t: container(t)["healthCheck"].update(interval=1),
    "health check without CMD": lambda t: container(t)["healthCheck"].update(command=["true"]),
    "misspelt log driver": lambda t: container(t)["logConfiguration"].update(logDriver="awslog"),
    "no log group": lambda t: container(t)["logConfiguration"].update(options={}),
    "number in the environment": lambda t: container(t)["environment"][0].update(value=1),
}


def test_ecs_accepts_the_task_definition_and_refuses_wrong_ones(
    example: Render, tmp_path: Path
) -> None:
    right = example.json("infra/task-definition.json")
    mistakes = {f"Wrong{number}": name for number, name in enumerate(WRONG_TASKS)}
    tasks = {"Right": right} | {name: copy.deepcopy(right) for name in mistakes}
    for name, mistake in mistakes.items():
        WRONG_TASKS[mistake](tasks[name])
    found = task_findings(tasks, tmp_path)
    assert found.pop("Right") == []
    unnoticed = [mistakes[name] for name, findings in found.items() if not findings]
    assert not unnoticed, "no check noticed these mistakes: write one in documents.py"


def test_ecs_accepts_the_service(example: Render) -> None:
    service = example.json("infra/service.json") | {"serviceName": "any"}
    assert api_findings("ecs", "CreateService", service) == []
    assert api_findings("ecs", "CreateService", service | {"launchType": "FARGTE"}) != []


def test_application_auto_scaling_accepts_the_scaling_policies(example: Render) -> None:
    for policy in example.json("infra/autoscaling.json")["policies"]:
        target = {
            "ServiceNamespace": "ecs",
            "ResourceId": "service/any/any",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        call = "application-autoscaling", "PutScalingPolicy"
        assert api_findings(*call, policy | target) == []
        assert api_findings(*call, policy | target | {"PolicyType": "Target"}) != []


WRONG_LIFECYCLES: dict[str, Break] = {
    "one priority twice": lambda p: p["rules"][1].update(rulePriority=1),
    "the rule for any image first": lambda p: p["rules"][2].update(rulePriority=0),
    "days without a unit": lambda p: p["rules"][0]["selection"].pop("countUnit"),
    "tagged without a list": lambda p: p["rules"][0]["selection"].update(tagStatus="tagged"),
    "count of zero": lambda p: p["rules"][1]["selection"].update(countNumber=0),
    "count as text": lambda p: p["rules"][1]["selection"].update(countNumber="30"),
    "other action": lambda p: p["rules"][1]["action"].update(type="delete"),
}


def test_ecr_accepts_the_lifecycle_policy(example: Render) -> None:
    policy = example.json("infra/ecr-lifecycle-policy.json")
    assert list(lifecycle_findings(policy)) == []
    for mistake, make in WRONG_LIFECYCLES.items():
        wrong = copy.deepcopy(policy)
        make(wrong)
        assert list(lifecycle_findings(wrong)) != [], f"{mistake}: no check noticed"


WRONG_POLICIES: dict[str, tuple[str, str]] = {
    "misspelt action": ("ecs:UpdateService", "ecs:UpdateServices"),
    "placeholder": ("123456789012", "YOUR-ACCOUNT"),
    "another kind of resource": (":repository/", ":cluster/"),
    "misspelt condition": ("iam:PassedToService", "iam:PassedTo"),
    "login on one repository": ('"*"', '"arn:aws:ecr:us-east-1:123456789012:repository/x"'),
}


def test_iam_accepts_the_deploy_policy(example: Render) -> None:
    policy = example.json("ops/iam-policy-github-actions.json")
    assert unexpected(policy_findings(policy)) == []
    assert len(policy_findings(policy)) == 4, "a note of `unexpected` is out of date: delete it"


@pytest.mark.parametrize("mistake", WRONG_POLICIES)
def test_a_wrong_policy_is_noticed(example: Render, mistake: str) -> None:
    right, wrong = WRONG_POLICIES[mistake]
    text = example.text("ops/iam-policy-github-actions.json")
    assert right in text
    assert unexpected(policy_findings(json.loads(text.replace(right, wrong)))) != []


def test_roles_are_passed_only_to_tasks(example: Render) -> None:
    statements = example.json("ops/iam-policy-github-actions.json")["Statement"]
    [passing] = [each for each in statements if "iam:PassRole" in each["Action"]]
    assert passing["Condition"] == {
        "StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    }, f"ops/iam-policy-github-actions.json: {passing['Sid']}: to tasks, or others get its rights"


def test_everything_is_allowed_on_exact_resources_or_under_a_condition(example: Render) -> None:
    without_resources = {
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingPolicies",
        "application-autoscaling:DescribeScheduledActions",
        "ecr:GetAuthorizationToken",
        "ecs:DescribeTaskDefinition",
    }
    for statement in example.json("ops/iam-policy-github-actions.json")["Statement"]:
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in statement["Action"]), (
            f"ops/iam-policy-github-actions.json: {statement['Sid']}: name each action in full"
        )
        if statement["Resource"] == ["*"]:
            assert "Condition" in statement or set(statement["Action"]) <= without_resources


def test_the_contract_test_of_a_service_passes(example: Render) -> None:
    """For one render; test_matrix.py runs the test for all answers."""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "tests/test_contract.py"],
        cwd=example.path,
        capture_output=True,
        encoding="utf-8",
    )
    said = re.findall(r"^E {7}(?:AssertionError: )?(\w.+)", done.stdout, re.MULTILINE)
    assert done.returncode == 0, "; ".join(said) or done.stdout + done.stderr


@pytest.mark.parametrize(
    ("roll_back", "timeout", "agrees"),
    [
        (True, 1500, True),
        (True, 540, True),
        (True, 539, False),
        (False, 60, True),
        (False, 1800, True),
        (False, 1801, False),
    ],
)
def test_the_contract_test_fails_for_a_timeout_that_is_too_short_or_too_long(
    example: Render, tmp_path: Path, roll_back: bool, timeout: int, agrees: bool
) -> None:
    """540 s are three times the period of the alarms, 1800 s leave 15 minutes of the job."""
    example.copy_to(tmp_path / "service")
    change(tmp_path / "service", "alarms.roll_back", roll_back)
    change(tmp_path / "service", "deploy.timeout_seconds", timeout)
    words = ["-p", "no:cacheprovider", "tests/test_contract.py", "-k", "waits_for_its_alarms"]
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *words],
        cwd=tmp_path / "service",
        capture_output=True,
        encoding="utf-8",
    )
    assert (done.returncode == 0) is agrees, done.stdout + done.stderr
    assert "1 passed" in done.stdout or "1 failed" in done.stdout


CONTAINER = "infra/task-definition.json", "containerDefinitions.0"
# Chosen values that no rule of AWS and no other file determines, each with its reason.
CHOSEN: dict[tuple[str, str], dict[str, tuple[Any, str]]] = {
    CONTAINER: {
        "essential": (True, "ECS replaces a task whose app has ended"),
        "healthCheck.interval": (15, "seconds: with the retries, a dead app is seen in 45"),
        "healthCheck.timeout": (5, "seconds"),
        "healthCheck.retries": (3, "one slow answer is no reason to kill a task"),
        "healthCheck.startPeriod": (30, "seconds in which a start may fail its checks"),
        "stopTimeout": (45, "seconds: 15 more than the server takes to stop"),
        "linuxParameters.initProcessEnabled": (True, "an init process reaps what the app leaves"),
        "linuxParameters.capabilities": ({"drop": ["ALL"]}, "the app needs none"),
        "logConfiguration.options.mode": ("non-blocking", "a slow log must not stop the app"),
        "logConfiguration.options.max-buffer-size": ("25m", "1m, the default, loses lines"),
        "logConfiguration.options.awslogs-stream-prefix": ("ecs", "ECS shows a task's log by it"),
    },
    ("infra/service.json", ""): {
        "healthCheckGracePeriodSeconds": (60, "longer, and a broken task is replaced late"),
        "availabilityZoneRebalancing": ("ENABLED", "tasks spread again after a zone was lost"),
        "propagateTags": ("SERVICE", "tasks have the tags that bills are split by"),
    },
    ("infra/autoscaling.json", "policies.0"): {
        "TargetTrackingScalingPolicyConfiguration.TargetValue": (60, "% CPU: room for a peak"),
        "TargetTrackingScalingPolicyConfiguration.ScaleOutCooldown": (60, "seconds"),
        "TargetTrackingScalingPolicyConfiguration.ScaleInCooldown": (300, "seconds: no flapping"),
    },
    ("infra/autoscaling.json", "policies.1"): {
        "TargetTrackingScalingPolicyConfiguration.TargetValue": (1000, "a minute for each task"),
        "TargetTrackingScalingPolicyConfiguration.ScaleOutCooldown": (60, "seconds"),
        "TargetTrackingScalingPolicyConfiguration.ScaleInCooldown": (300, "seconds: no flapping"),
    },
    ("infra/ecr-lifecycle-policy.json", "rules.0.selection"): {
        "tagStatus": ("untagged", "images with a tag are those that a rollback needs"),
        "countNumber": (7, "days"),
    },
    ("infra/ecr-lifecycle-policy.json", "rules.1.selection"): {
        "tagPrefixList": (["deployed-"], "the tags that a deploy gives: infra/tool/image.py"),
        "countNumber": (30, "images: a rollback reaches back as far"),
    },
    ("infra/ecr-lifecycle-policy.json", "rules.2.selection"): {
        "countNumber": (30, "images, most of failed deploys"),
    },
}


def member(document: Any, path: str) -> Any:
    """The member of a document at a path such as "rules.0.selection"."""
    for key in filter(None, path.split(".")):
        document = document[int(key) if isinstance(document, list) else key]
    return document


@pytest.mark.parametrize(("name", "place"), CHOSEN, ids=lambda word: word)
def test_a_chosen_value_has_not_changed(example: Render, name: str, place: str) -> None:
    part = member(example.json(name), place)
    for path, (value, reason) in CHOSEN[name, place].items():
        found = member(part, path)
        where = f"{name}: {place}.{path}".replace(": .", ": ")
        assert found == value, (
            f"{where} is {found!r} and was {value!r}: {reason}. If the change is meant, change "
            "CHOSEN in tests/documents/test_documents.py too"
        )


def test_the_health_check_fails_for_any_status_but_200(example: Render) -> None:
    command = container(example.json("infra/task-definition.json"))["healthCheck"]["command"]
    assert '[ "$status" = 200 ]' in command[-1], (
        "infra/task-definition.json: healthCheck.command must compare the status with 200"
    )
