"""PAUSE hooks: a deployment that waits for an answer is named while it waits."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from infra.tool import hooks
from infra.tool.hooks import Pause

from tests.support.answers import listed, service
from tests.support.checkout import Checkout

AWAITING: dict[str, Any] = {
    "hookId": "hook-1",
    "targetType": "PAUSE",
    "status": "AWAITING_ACTION",
    "expiresAt": datetime(2026, 11, 24, 12, 5, tzinfo=UTC),
    "timeoutAction": "CONTINUE",
}


def pause_at(checkout: Checkout, *stages: str) -> None:
    document = checkout.document("infra/service.json")
    hook = {"targetType": "PAUSE", "lifecycleStages": list(stages)}
    document["deploymentConfiguration"]["lifecycleHooks"] = [hook]
    checkout.write("infra/service.json", json.dumps(document, indent=2))
    checkout.release()


def answer(checkout: Checkout) -> None:
    """CONTINUE, as a person with the AWS CLI would."""
    ecs, names = checkout.aws.client("ecs"), checkout.settings.names
    arns = [
        each["serviceDeploymentArn"]
        for each in ecs.list_service_deployments(
            cluster=names.cluster, service=names.service, status=["IN_PROGRESS"]
        )["serviceDeployments"]
    ]
    for each in ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]:
        for hook in each["lifecycleHookDetails"]:
            if hook["status"] == "AWAITING_ACTION":
                ecs.continue_service_deployment(
                    serviceDeploymentArn=each["serviceDeploymentArn"], hookId=hook["hookId"]
                )


@pytest.mark.parametrize("stage", ["PRE_SCALE_UP", "POST_SCALE_UP"])
def test_a_hook_that_waits_is_named_and_the_deployment_continues_after_the_answer(
    deployed: Checkout, stage: str
) -> None:
    pause_at(deployed, stage)
    deployed.aws.moments.when("ecs:DescribeServiceDeployments", lambda: answer(deployed), after=3)
    run = deployed.run("deploy").expect(0)
    [named] = [line for line in run.out.splitlines() if line.startswith("  pause")]
    assert f"at {stage} until 12:00 UTC, then ROLLBACK" in named
    assert "aws ecs continue-service-deployment --service-deployment-arn arn:" in named
    assert "--action CONTINUE" in named
    assert run.out.index("  pause") < run.out.index("waiting for an answer to a PAUSE hook")
    assert deployed.revision == "ai-assistant-task:2"


def test_each_hook_is_named_once(deployed: Checkout) -> None:
    pause_at(deployed, "PRE_SCALE_UP", "POST_SCALE_UP")
    deployed.aws.moments.when("ecs:DescribeServiceDeployments", lambda: answer(deployed), after=2)
    deployed.aws.moments.when("ecs:DescribeServiceDeployments", lambda: answer(deployed), after=6)
    run = deployed.run("deploy").expect(0)
    assert run.out.count("  pause") == 2
    assert run.out.count("at PRE_SCALE_UP") == run.out.count("at POST_SCALE_UP") == 1


def test_a_timeout_while_a_hook_waits_is_unknown_and_names_the_hook(
    deployed: Checkout,
) -> None:
    deployed.set("deploy.timeout_seconds", 30)
    pause_at(deployed, "PRE_SCALE_UP")
    run = deployed.run("deploy").expect(3, "deployment-timeout")
    assert "a PAUSE hook waits for an answer at PRE_SCALE_UP" in run.err
    answer(deployed)
    deployed.run("deploy").expect(0)
    assert deployed.revision == "ai-assistant-task:2"


def test_hooks_that_cannot_be_read_are_a_warning(deployed: Checkout) -> None:
    pause_at(deployed, "PRE_SCALE_UP")
    deployed.aws.faults.refuse_for_ever("ecs:DescribeServiceDeployments", "AccessDeniedException")
    deployed.aws.moments.when("ecs:ListTasks", lambda: answer(deployed), after=2)
    run = deployed.run("deploy").expect(0)
    assert run.err.count("the PAUSE hooks cannot be read") == 1


def test_without_pause_hooks_no_call_is_made_for_them(deployed: Checkout) -> None:
    deployed.release()
    run = deployed.run("deploy").expect(0)
    assert "ecs:ListServiceDeployments" not in run.operations


@pytest.mark.parametrize(
    ("configuration", "has"),
    [
        ({}, False),
        ({"lifecycleHooks": []}, False),
        ({"lifecycleHooks": [{"targetType": "AWS_LAMBDA"}]}, False),
        ({"lifecycleHooks": [{"hookTargetArn": "arn"}]}, False),
        ({"lifecycleHooks": [{"targetType": "PAUSE"}]}, True),
    ],
)
def test_only_pause_hooks_wait_for_a_person(configuration: object, has: bool) -> None:
    now = service(listed(), deploymentConfiguration=configuration)
    assert hooks.has_pause_hooks(now) == has


def test_only_a_hook_that_awaits_action_waits() -> None:
    deployment = {
        "serviceDeploymentArn": "arn",
        "lifecycleStage": "PRE_SCALE_UP",
        "lifecycleHookDetails": [
            AWAITING,
            AWAITING | {"status": "SUCCEEDED"},
            AWAITING | {"targetType": "AWS_LAMBDA"},
        ],
    }
    [pause] = hooks.pauses_of(deployment)
    assert pause == Pause("arn", "hook-1", "PRE_SCALE_UP", AWAITING["expiresAt"], "CONTINUE")
    assert "until 12:05 UTC, then CONTINUE" in pause.text


def test_the_end_of_a_pause_is_printed_in_utc_in_any_time_zone() -> None:
    """botocore gives times in the zone of the machine."""
    there = AWAITING["expiresAt"].astimezone(timezone(timedelta(hours=5, minutes=30)))
    deployment = {
        "serviceDeploymentArn": "arn",
        "lifecycleHookDetails": [AWAITING | {"expiresAt": there}],
    }
    [pause] = hooks.pauses_of(deployment)
    assert "until 12:05 UTC" in pause.text


def test_members_that_ecs_leaves_out_are_not_printed() -> None:
    hook = {"hookId": "hook-1", "targetType": "PAUSE", "status": "AWAITING_ACTION"}
    deployment = {"serviceDeploymentArn": "arn", "lifecycleHookDetails": [hook]}
    [pause] = hooks.pauses_of(deployment)
    assert pause.text.startswith("a PAUSE hook waits for an answer: aws ecs continue-service")
