"""The scaling of the service: what a deploy sets, and what it leaves to a schedule."""

from typing import Any

import pytest
from infra.tool import scaling
from infra.tool.api_model import Json

from tests.support.checkout import Checkout
from tests.support.targets import settings, stubbed

SCALING = "application-autoscaling"
TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/ai-assistant-cluster/ai-assistant-service",
    "ScalableDimension": "ecs:service:DesiredCount",
}


def policies(checkout: Checkout) -> set[str]:
    found = checkout.aws.client(SCALING).describe_scaling_policies(ServiceNamespace="ecs")
    return {policy["PolicyName"] for policy in found["ScalingPolicies"]}


def bounds(checkout: Checkout) -> tuple[int, int]:
    [target] = checkout.aws.client(SCALING).describe_scalable_targets(ServiceNamespace="ecs")[
        "ScalableTargets"
    ]
    return target["MinCapacity"], target["MaxCapacity"]


def schedule(checkout: Checkout, minimum: int, maximum: int) -> None:
    """Create a scheduled action, and set the bounds as it would."""
    client = checkout.aws.client(SCALING)
    action = {"MinCapacity": minimum, "MaxCapacity": maximum}
    client.put_scheduled_action(
        **TARGET,
        ScheduledActionName="office-hours",
        Schedule="cron(0 8 * * ? *)",
        ScalableTargetAction=action,
    )
    client.register_scalable_target(**TARGET, **action)


def want(checkout: Checkout, tasks: int) -> None:
    """Set the number of tasks, as a scaling policy or a schedule does."""
    names, ecs = checkout.settings.names, checkout.aws.client("ecs")
    ecs.update_service(cluster=names.cluster, service=names.service, desiredCount=tasks)


def sent(run: Any, operation: str) -> list[Json]:
    return [call.parameters for call in run.calls if call.name == f"{SCALING}:{operation}"]


# --- what a deploy sets ---


def test_bounds_and_policies_are_those_of_the_settings_and_the_document(
    deployed: Checkout,
) -> None:
    run = deployed.run("deploy").expect(0)
    assert sent(run, "RegisterScalableTarget") == [TARGET | {"MinCapacity": 1, "MaxCapacity": 4}]
    cpu, requests = deployed.document("infra/autoscaling.json")["policies"]
    metric = requests["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]
    put_cpu, put_requests = sent(run, "PutScalingPolicy")
    label = put_requests["TargetTrackingScalingPolicyConfiguration"][
        "PredefinedMetricSpecification"
    ].pop("ResourceLabel")
    assert label.startswith("app/ai-assistant-alb/")
    assert "/targetgroup/ai-assistant-tg/" in label
    assert (put_cpu, put_requests) == (cpu | TARGET, requests | TARGET)
    assert "ResourceLabel" not in metric


def test_a_policy_that_the_document_does_not_name_is_deleted_and_named(
    deployed: Checkout,
) -> None:
    document = deployed.document("infra/autoscaling.json")["policies"][0]
    deployed.aws.client(SCALING).put_scaling_policy(**TARGET | document | {"PolicyName": "by-hand"})
    run = deployed.run("deploy").expect(0)
    assert policies(deployed) == {"cpu", "requests"}
    assert "by-hand" in run.out


def test_a_policy_that_is_deleted_already_is_not_an_error(deployed: Checkout) -> None:
    """Another deploy deletes it meanwhile, or botocore retries after a lost response."""
    client = deployed.aws.client(SCALING)
    document = deployed.document("infra/autoscaling.json")["policies"][0]
    client.put_scaling_policy(**TARGET | document | {"PolicyName": "by-hand"})
    deployed.aws.faults.lose_answer(f"{SCALING}:DeleteScalingPolicy")
    deployed.run("deploy").expect(0)
    assert policies(deployed) == {"cpu", "requests"}


def test_every_page_of_policies_is_read() -> None:
    aws, stubber = stubbed("scaling")
    policy = {
        "PolicyARN": "arn",
        "ServiceNamespace": "ecs",
        "ResourceId": "r",
        "ScalableDimension": "ecs:service:DesiredCount",
        "PolicyType": "TargetTrackingScaling",
        "CreationTime": 0,
    }
    for name, token in (("one", {"NextToken": "more"}), ("two", {})):
        answer = {"ScalingPolicies": [policy | {"PolicyName": name}], **token}
        stubber.add_response("describe_scaling_policies", answer)
    for _ in range(2):
        stubber.add_response("delete_scaling_policy", {})
    assert scaling.delete_others(aws, settings().names, {"policies": []}) == ["one", "two"]
    stubber.assert_no_pending_responses()


REFUSED = ["RegisterScalableTarget", "PutScalingPolicy", "DescribeScalingPolicies"]


@pytest.mark.parametrize("operation", REFUSED)
def test_a_deploy_fails_if_the_scaling_cannot_be_set(deployed: Checkout, operation: str) -> None:
    deployed.release()
    deployed.aws.faults.refuse_for_ever(f"{SCALING}:{operation}", "ValidationException", "no")
    run = deployed.run("deploy").expect(1, "scaling-not-set")
    assert run.operations[-1] == f"{SCALING}:{operation}"
    assert "ops/iam-policy-github-actions.json" in run.err, "a permission may be missing"
    assert "continues" not in run.err
    assert deployed.revision == "ai-assistant-task:2"


def test_a_deploy_fails_if_the_deletion_of_a_policy_is_refused(deployed: Checkout) -> None:
    document = deployed.document("infra/autoscaling.json")["policies"][0]
    deployed.aws.client(SCALING).put_scaling_policy(**TARGET | document | {"PolicyName": "by-hand"})
    deployed.aws.faults.refuse_for_ever(f"{SCALING}:DeleteScalingPolicy", "ValidationException")
    deployed.run("deploy").expect(1, "scaling-not-set")


def test_a_scaling_that_is_refused_before_any_change_is_exit_code_2(deployed: Checkout) -> None:
    """The commit was in steady state already, so this run has changed nothing."""
    operation = f"{SCALING}:RegisterScalableTarget"
    deployed.aws.faults.refuse_for_ever(operation, "ValidationException", "no")
    deployed.run("deploy").expect(2, "scaling-not-set").expect_no_change()


def test_a_lost_response_while_the_scaling_is_set_makes_the_outcome_unknown(
    deployed: Checkout,
) -> None:
    deployed.aws.faults.lose_answer(f"{SCALING}:PutScalingPolicy", times=3)
    run = deployed.run("deploy").expect(3, "change-unknown")
    assert "infra deploy" in run.err


def test_a_rollback_leaves_the_scaling_alone(deployed_twice: Checkout) -> None:
    run = deployed_twice.run("rollback").expect(0)
    assert not [name for name in run.operations if name.startswith(SCALING)]


# --- bounds and counts that a schedule sets ---


def test_bounds_that_a_schedule_has_raised_are_kept(deployed: Checkout) -> None:
    schedule(deployed, 2, 20)
    want(deployed, 8)
    deployed.release()
    run = deployed.run("deploy").expect(0)
    assert bounds(deployed) == (2, 20)
    assert "desiredCount" not in run.request("ecs:UpdateService")
    assert deployed.ecs_service["desiredCount"] == 8
    assert "the bounds are those of the schedule office-hours: left alone" in run.out
    assert len(sent(run, "PutScalingPolicy")) == 2, "the policies are those of the document"


def test_bounds_that_a_schedule_has_lowered_are_kept(deployed: Checkout) -> None:
    deployed.set("tasks.min", 3)
    schedule(deployed, 1, 2)
    deployed.release()
    run = deployed.run("deploy").expect(0)
    assert bounds(deployed) == (1, 2)
    assert "desiredCount" not in run.request("ecs:UpdateService")


def test_a_count_of_zero_that_a_schedule_has_set_is_kept(deployed: Checkout) -> None:
    """The revision is deployed, but no task shows that it works: neither success nor failure."""
    schedule(deployed, 0, 0)
    want(deployed, 0)
    deployed.release()
    run = deployed.run("deploy").expect(3, "no-tasks")
    assert "desiredCount" not in run.request("ecs:UpdateService")
    assert (bounds(deployed), deployed.ecs_service["desiredCount"]) == ((0, 0), 0)
    assert "office-hours runs no tasks now" in run.err
    assert "infra deploy" in run.err
    assert "continues" not in run.err
    run = deployed.run("deploy").expect(3, "no-tasks")
    assert "ecs:UpdateService" not in run.changes, "it is deployed already"


def test_a_rollback_keeps_a_count_of_zero_that_a_schedule_has_set(deployed_twice: Checkout) -> None:
    schedule(deployed_twice, 0, 0)
    want(deployed_twice, 0)
    run = deployed_twice.run("rollback").expect(3, "no-tasks")
    assert "desiredCount" not in run.request("ecs:UpdateService")
    assert deployed_twice.ecs_service["desiredCount"] == 0
    assert "infra rollback 1" in run.err


def test_without_a_schedule_the_minimum_is_kept(deployed: Checkout) -> None:
    """A deployment of no tasks completes at once, and proves nothing."""
    want(deployed, 0)
    deployed.release()
    run = deployed.run("deploy").expect(0)
    assert run.request("ecs:UpdateService")["desiredCount"] == 1
    assert deployed.ecs_service["runningCount"] == 1


def test_a_schedule_without_bounds_is_ignored() -> None:
    aws, stubber = stubbed("scaling")
    action: Json = {
        "ScheduledActionARN": "arn",
        "ServiceNamespace": "ecs",
        "Schedule": "at(2026-11-27T12:00:00)",
        "ResourceId": TARGET["ResourceId"],
        "CreationTime": 0,
    }
    with_bounds = action | {"ScheduledActionName": "b", "ScalableTargetAction": {"MinCapacity": 1}}
    pages = (
        {"ScheduledActions": [action | {"ScheduledActionName": "a"}], "NextToken": "more"},
        {"ScheduledActions": [with_bounds]},
    )
    for page in pages:
        stubber.add_response("describe_scheduled_actions", page)
    assert scaling.schedules_of_bounds(aws, settings().names) == ["b"]


def test_a_policy_without_requests_gets_no_label() -> None:
    policy = {"PolicyName": "cpu", "PolicyType": "StepScaling"}
    assert scaling.with_label(policy, "label") == policy
