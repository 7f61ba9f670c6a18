"""PAUSE hooks: a deployment waits until ContinueServiceDeployment answers."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator.fixtures import Ground

Json = dict[str, Any]


def roll_out(ground: Ground, *stages: str) -> None:
    """Another revision of a service that is in steady state, with a hook at these stages."""
    ground.serving()
    hook = {"targetType": "PAUSE", "lifecycleStages": list(stages)}
    ground.aws.client("ecs").update_service(
        cluster="cluster",
        service="app",
        taskDefinition=ground.register(),
        deploymentConfiguration={"lifecycleHooks": [hook]},
    )


def deployment(ground: Ground) -> Json:
    """The latest service deployment."""
    ecs = ground.aws.client("ecs")
    found = ecs.list_service_deployments(cluster="cluster", service="app")["serviceDeployments"]
    [described] = ecs.describe_service_deployments(
        serviceDeploymentArns=[found[0]["serviceDeploymentArn"]]
    )["serviceDeployments"]
    return dict(described)


def hooks(ground: Ground) -> list[tuple[str, str]]:
    return [
        (each["targetType"], each["status"]) for each in deployment(ground)["lifecycleHookDetails"]
    ]


def answer(ground: Ground, hook: str = "", action: str = "CONTINUE") -> None:
    now = deployment(ground)
    ground.aws.client("ecs").continue_service_deployment(
        serviceDeploymentArn=now["serviceDeploymentArn"],
        hookId=hook or now["lifecycleHookDetails"][-1]["hookId"],
        action=action,
    )


@pytest.mark.parametrize(("stage", "tasks"), [("PRE_SCALE_UP", 0), ("POST_SCALE_UP", 1)])
def test_a_deployment_waits_at_the_stage_of_its_hook(
    ground: Ground, stage: str, tasks: int
) -> None:
    roll_out(ground, stage)
    for _ in range(9):
        now = ground.look()["deployments"][0]
    assert (now["rolloutState"], now["runningCount"]) == ("IN_PROGRESS", tasks)
    assert deployment(ground)["lifecycleStage"] == stage
    assert hooks(ground) == [("PAUSE", "AWAITING_ACTION")]
    answer(ground)
    for _ in range(9):
        [*_, now] = ground.look()["deployments"]
    assert now["rolloutState"] == "COMPLETED"
    assert hooks(ground) == [("PAUSE", "SUCCEEDED")]


def test_without_an_answer_it_rolls_back_after_a_day(ground: Ground) -> None:
    """The defaults of the API; what ECS says then is not known."""
    roll_out(ground, "PRE_SCALE_UP")
    ground.look()
    [hook] = deployment(ground)["lifecycleHookDetails"]
    assert (hook["expiresAt"] - ground.aws.clock.now()).total_seconds() == pytest.approx(86400, 1)
    assert hook["timeoutAction"] == "ROLLBACK"


def test_only_a_hook_that_waits_can_be_answered(ground: Ground) -> None:
    roll_out(ground, "PRE_SCALE_UP")
    ground.look()
    with pytest.raises(ClientError, match="InvalidParameterException"):
        answer(ground, hook="another")
    answer(ground)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        answer(ground)
    with pytest.raises(ClientError, match="ServiceDeploymentNotFoundException"):
        ground.aws.client("ecs").continue_service_deployment(
            serviceDeploymentArn="arn:aws:ecs:us-east-1:123456789012:service-deployment/a/b/c",
            hookId="another",
        )


def test_a_pause_hook_at_a_stage_only_for_lambda_functions_is_refused(ground: Ground) -> None:
    with pytest.raises(ClientError, match="TEST_TRAFFIC_SHIFT"):
        roll_out(ground, "TEST_TRAFFIC_SHIFT")
