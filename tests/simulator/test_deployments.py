"""The states of a rollout, as ECS reports them: moto has one deployment, which never ends."""

import http.client
from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator.ecs.deployments import Outcome
from simulator.ecs.rollouts import (
    CannotPull,
    Crashes,
    Flaps,
    Hangs,
    OutOfCapacity,
    Overtaken,
    Unhealthy,
    UnhealthyTarget,
)
from simulator.fixtures import TRUST, Ground, policy, says

Json = dict[str, Any]

FAILED = "ECS deployment circuit breaker: tasks failed to start."


def states(service: Json) -> list[tuple[str, str, str]]:
    """(status, revision, state) of each deployment."""
    return [
        (d["status"], d["taskDefinition"].rsplit("/")[-1], d["rolloutState"])
        for d in service["deployments"]
    ]


def test_each_poll_moves_a_rollout_one_step_forward(ground: Ground) -> None:
    service = ground.create_service()
    seen = [(service["runningCount"], states(service))]
    for _ in range(3):
        service = ground.look()
        seen.append((service["runningCount"], states(service)))
    going_on, done = ("PRIMARY", "app:1", "IN_PROGRESS"), ("PRIMARY", "app:1", "COMPLETED")
    assert seen == [(0, [going_on]), (0, [going_on]), (1, [going_on]), (1, [done])]


def test_tasks_of_the_next_revision_run_before_the_earlier_ones_stop(ground: Ground) -> None:
    ground.serving()
    ground.roll_out()
    running = []
    for service in ground.looks():
        if len(service["deployments"]) == 1:
            break
        running.append([d["runningCount"] for d in service["deployments"]])
    assert running == [[0, 1], [1, 1], [1, 0]]
    assert states(service) == [("PRIMARY", "app:2", "COMPLETED")]
    assert says(service)[-2:] == [
        f"(service app) (deployment {service['deployments'][0]['id']}) deployment completed.",
        "(service app) has reached a steady state.",
    ]


def test_the_circuit_breaker_rolls_back_to_the_earlier_revision(ground: Ground) -> None:
    before = ground.serving()
    ground.aws.next_rollout(Crashes(exit_code=3))
    ours = ground.roll_out()
    for service in ground.looks():
        assert service["runningCount"] == 1, "what served goes on serving"
        if service["deployments"][0]["id"] != ours["id"]:
            break
    back, failed = service["deployments"]
    assert states(service) == [
        ("PRIMARY", "app:1", "IN_PROGRESS"),
        ("ACTIVE", "app:2", "FAILED"),
    ]
    assert (failed["id"], failed["failedTasks"], failed["rolloutStateReason"]) == (
        ours["id"],
        3,
        FAILED,
    )
    assert back["rolloutStateReason"] == (
        f"ECS deployment circuit breaker: rolling back to deploymentId {back['id']}."
    )
    assert f"(service app) rolling back to deployment {back['id']}." in says(service)
    assert states(ground.watch()) == [("PRIMARY", "app:1", "COMPLETED")]
    assert ground.look()["taskDefinition"] == before


def test_services_stable_reports_a_rollback_as_a_success(ground: Ground) -> None:
    """The reason why a deploy does not use `aws ecs wait services-stable`."""
    ground.serving()
    ground.aws.next_rollout(Crashes())
    ground.roll_out()
    ecs = ground.aws.client("ecs")
    waiter = ecs.get_waiter("services_stable")
    delay = {"Delay": 0, "MaxAttempts": 40}
    waiter.wait(cluster="cluster", services=["app"], WaiterConfig=delay)
    assert ground.look()["taskDefinition"].endswith("app:1"), "and yet app:2 does not serve"


def test_during_a_rollback_ecs_cannot_roll_back_again(ground: Ground) -> None:
    """The example of "How the Amazon ECS deployment circuit breaker detects failures"."""
    ground.serving()
    ground.aws.next_rollout(Crashes(), Crashes())
    second = ground.roll_out()
    next(s for s in ground.looks() if s["deployments"][0]["id"] != second["id"])
    ground.roll_out()
    assert states(ground.watch(20)) == [
        ("PRIMARY", "app:3", "FAILED"),
        ("ACTIVE", "app:1", "IN_PROGRESS"),
        ("ACTIVE", "app:2", "FAILED"),
    ]
    assert ground.look()["runningCount"] == 1, "what served goes on serving"


@pytest.mark.parametrize("breaker", [{"enable": True, "rollback": False}, None])
def test_without_rollback_a_failed_rollout_stays_failed(
    ground: Ground, breaker: Json | None
) -> None:
    ground.settings["deploymentConfiguration"] = (
        {"deploymentCircuitBreaker": breaker} if breaker else {}
    )
    ground.serving()
    ground.aws.next_rollout(Crashes())
    ground.roll_out()
    service = ground.watch(20)
    state = "FAILED" if breaker else "IN_PROGRESS"  # without a breaker it goes on for ever
    assert states(service) == [("PRIMARY", "app:2", state), ("ACTIVE", "app:1", "COMPLETED")]


def test_a_first_rollout_that_fails_has_nothing_to_roll_back_to(ground: Ground) -> None:
    ground.aws.next_rollout(Crashes())
    ground.create_service()
    service = ground.watch()
    assert states(service) == [("PRIMARY", "app:1", "FAILED")]
    assert service["runningCount"] == 0


ENDS: dict[str, tuple[Outcome, str, str, int | None, str]] = {
    "crashes": (
        Crashes(exit_code=3),
        "EssentialContainerExited",
        "Essential container in task exited",
        3,
        "has started 1 tasks: (task ",
    ),
    "unhealthy by itself": (
        Unhealthy(),
        "ServiceSchedulerInitiated",
        "Task failed container health checks",
        137,
        "failed container health checks.",
    ),
    "unhealthy to the load balancer": (
        UnhealthyTarget(),
        "ServiceSchedulerInitiated",
        "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:",
        0,
        "due to (reason Health checks failed with these codes: [404]).",
    ),
    "cannot pull": (
        CannotPull(),
        "TaskFailedToStart",
        "CannotPullContainerError: ",
        None,
        "was unable to place a task. Reason: CannotPullContainerError: ",
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_stopped_task_has_its_reason(ground: Ground, how: str) -> None:
    outcome, code, reason, exit_code, event = ENDS[how]
    ground.aws.next_rollout(outcome)
    ground.create_service()
    service = ground.watch()
    deployment = service["deployments"][0]
    assert (deployment["rolloutState"], deployment["rolloutStateReason"]) == ("FAILED", FAILED)
    assert any(event in message for message in says(service)), says(service)
    tasks = ground.stopped_tasks()
    assert len(tasks) == 3, "the breaker waits for three"
    for task in tasks:
        assert (task["stopCode"], task["startedBy"]) == (code, deployment["id"])
        assert task["stoppedReason"].startswith(reason)
        assert task["containers"][0].get("exitCode") == exit_code


def test_the_last_lines_of_a_task_are_in_its_log(ground: Ground) -> None:
    ground.aws.next_rollout(Crashes(says=("one", "two")))
    ground.create_service()
    ground.watch()
    name = ground.stopped_tasks()[0]["taskArn"].rsplit("/")[-1]
    found = ground.aws.client("logs").get_log_events(
        logGroupName="/ecs/app", logStreamName=f"ecs/app/{name}"
    )
    assert [event["message"] for event in found["events"]] == ["one", "two"]


@pytest.mark.parametrize("outcome", [Hangs(), OutOfCapacity(), Flaps()])
def test_some_rollouts_never_end(ground: Ground, outcome: Outcome) -> None:
    ground.serving()
    ground.aws.next_rollout(outcome)
    ground.roll_out()
    service = ground.watch(20)
    assert states(service)[0] == ("PRIMARY", "app:2", "IN_PROGRESS")
    assert service["deployments"][0]["failedTasks"] <= 1


def test_only_a_create_request_with_the_same_token_is_repeatable(ground: Ground) -> None:
    ground.settings["clientToken"] = "one"
    first = ground.create_service()
    assert ground.create_service()["serviceArn"] == first["serviceArn"]
    ground.settings["clientToken"] = "two"
    with pytest.raises(ClientError, match="not idempotent"):
        ground.create_service()


def test_a_later_deployment_replaces_a_rollout(ground: Ground) -> None:
    ground.serving()
    ground.aws.next_rollout(Overtaken())
    ground.roll_out()
    assert states(ground.watch()) == [("PRIMARY", "app:3", "COMPLETED")]


def test_the_history_has_the_result_of_each_rollout(ground: Ground) -> None:
    ground.serving()
    ground.aws.next_rollout(Crashes())
    ground.roll_out()
    ground.watch()
    ground.roll_out()
    ecs = ground.aws.client("ecs")
    ground.watch()
    history = ecs.list_service_deployments(cluster="cluster", service="app")["serviceDeployments"]
    assert [d["status"] for d in history] == ["SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]
    (succeeded,) = ecs.list_service_deployments(
        cluster="cluster", service="app", status=["SUCCESSFUL"], maxResults=1
    )["serviceDeployments"]
    (revision,) = ecs.describe_service_revisions(
        serviceRevisionArns=[succeeded["targetServiceRevisionArn"]]
    )["serviceRevisions"]
    assert revision["taskDefinition"].endswith("app:3")
    (rolled_back,) = ecs.describe_service_deployments(
        serviceDeploymentArns=[history[1]["serviceDeploymentArn"]]
    )["serviceDeployments"]
    assert rolled_back["rollback"]["reason"] == FAILED


# --- what keeps a task from starting is decided by what is really there ---

PULL = ["ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"]
LOG = ["logs:CreateLogStream", "logs:PutLogEvents"]


def reason_of_failure(ground: Ground, **changes: Any) -> str:
    ground.create_service(ground.register(**changes))
    service = ground.watch(20)
    tasks = ground.stopped_tasks()
    return str(tasks[0]["stoppedReason"]) if tasks else says(service)[-1]


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("ecr:GetAuthorizationToken", "unable to retrieve ecr registry auth: "),
        ("ecr:BatchGetImage", "CannotPullContainerError: pull image manifest has been retried"),
        ("logs:CreateLogStream", "failed to create Cloudwatch log stream: AccessDeniedException"),
    ],
)
def test_a_task_needs_each_permission_of_its_execution_role(
    ground: Ground, missing: str, reason: str
) -> None:
    allowed = [action for action in [*PULL, *LOG] if action != missing]
    ground.allow("execution", {"Effect": "Allow", "Action": allowed, "Resource": "*"})
    assert reason in reason_of_failure(ground)


def test_an_image_that_does_not_exist_cannot_be_pulled(ground: Ground) -> None:
    gone = ground.image.split("@")[0] + "@sha256:" + "0" * 64
    assert reason_of_failure(ground, image=gone).endswith(
        f"failed to resolve ref {gone}: {gone}: not found"
    )


def test_tasks_do_not_start_without_their_log_group(ground: Ground) -> None:
    ground.aws.client("logs").delete_log_group(logGroupName="/ecs/app")
    assert "The specified log group does not exist" in reason_of_failure(ground)


def test_ecs_must_be_trusted_by_the_roles_of_a_task(ground: Ground) -> None:
    iam = ground.aws.client("iam")
    elsewhere = TRUST | {"Condition": {"StringEquals": {"aws:SourceAccount": "210987654321"}}}
    iam.update_assume_role_policy(RoleName="execution", PolicyDocument=policy(elsewhere))
    assert "ECS was unable to assume the role" in reason_of_failure(ground)


def test_a_secret_is_read_by_the_execution_role_alone(ground: Ground) -> None:
    secrets = ground.aws.client("secretsmanager")
    arn = secrets.create_secret(Name="key", SecretString="s")["ARN"]
    secret = {"secrets": [{"name": "KEY", "valueFrom": arn}]}
    assert reason_of_failure(ground, **secret).startswith(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
        "retrieval failed: unable to retrieve secret from asm: "
    )
    read = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}
    start = {"Effect": "Allow", "Action": [*PULL, *LOG], "Resource": "*"}
    ground.allow("execution", start, read)
    ground.roll_out(**secret)
    assert states(ground.watch())[0] == ("PRIMARY", "app:2", "COMPLETED")


def test_a_parameter_that_does_not_exist_is_named(ground: Ground) -> None:
    read = {"Effect": "Allow", "Action": [*PULL, *LOG, "ssm:GetParameters"], "Resource": "*"}
    ground.allow("execution", read)
    missing = {"secrets": [{"name": "KEY", "valueFrom": "/app/key"}]}
    assert "invalid ssm parameters: /app/key" in reason_of_failure(ground, **missing)


# --- the rest of a service's life ---


def test_a_deleted_service_is_draining_and_then_inactive(ground: Ground) -> None:
    ground.serving()
    ecs = ground.aws.client("ecs")
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="scaled above 0"):
        ecs.delete_service(cluster="cluster", service="app")
    ecs.delete_service(cluster="cluster", service="app", force=True)
    with pytest.raises(ecs.exceptions.ClusterContainsServicesException):
        ecs.delete_cluster(cluster="cluster")
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="still Draining"):
        ground.create_service()
    seen = [ground.look()["status"] for _ in range(3)]
    assert seen == ["DRAINING", "INACTIVE", "INACTIVE"]
    with pytest.raises(ecs.exceptions.ServiceNotActiveException):
        ecs.update_service(cluster="cluster", service="app", desiredCount=1)
    assert ground.create_service()["status"] == "ACTIVE"


def test_a_change_of_the_desired_count_starts_no_deployment(ground: Ground) -> None:
    ground.serving()
    ecs = ground.aws.client("ecs")
    for wanted in 3, 0, 2:
        ecs.update_service(cluster="cluster", service="app", desiredCount=wanted)
        service = ground.look()
        assert (service["desiredCount"], service["runningCount"]) == (wanted, wanted)
    assert states(service) == [("PRIMARY", "app:1", "COMPLETED")]


def test_the_load_balancer_answers_with_the_commit_of_the_running_tasks(ground: Ground) -> None:
    def health() -> tuple[int, str]:
        connection = http.client.HTTPConnection(ground.aws.address)
        connection.request("GET", "/health", headers={"Host": ground.host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    assert health()[0] == 503
    ground.serving()
    assert health() == (200, '{"status": "ok", "commit": "first"}')
    ground.aws.next_rollout(UnhealthyTarget())
    ground.roll_out(image=ground.push("second"))
    for service in ground.looks():
        assert health() == (200, '{"status": "ok", "commit": "first"}'), "the second never serves"
        if len(service["deployments"]) == 1:
            break
    ground.roll_out(image=ground.push("third"))
    ground.watch()
    assert health() == (200, '{"status": "ok", "commit": "third"}')
