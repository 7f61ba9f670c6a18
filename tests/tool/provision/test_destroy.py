"""`destroy` deletes the service after a confirmation, and keeps images and log by default."""

import json
from collections.abc import Callable, Mapping
from itertools import pairwise

import pytest

from simulator.ecs.tasks import Task
from tests.support.checkout import Checkout, Run
from tests.support.slow import numbers

NAME = "ai-assistant"
TAKES_DOWN = [
    "application-autoscaling:DeregisterScalableTarget",
    "ecs:DeleteService",
    *["iam:DeleteRolePolicy"] * 2,
    "cloudformation:DeleteStack",
]
PURGES = ["ecr:DeleteRepository", "logs:DeleteLogGroup"]
CLUSTER = {"cluster": "ai-assistant-cluster"}
ATTEMPTS = 3  # of botocore, at one call


def destroy(checkout: Checkout, *options: str, typed: str = NAME, **environment: str) -> Run:
    return checkout.run("destroy", *options, principal="root", typed=typed, **environment)


def stack(checkout: Checkout) -> str:
    """The status of the stack; empty if it is gone."""
    stacks = checkout.aws.client("cloudformation").describe_stacks()["Stacks"]
    return "".join(stack["StackStatus"] for stack in stacks)


def repositories(checkout: Checkout) -> list[str]:
    found = checkout.aws.client("ecr").describe_repositories()["repositories"]
    return [each["repositoryName"] for each in found]


def log_groups(checkout: Checkout) -> list[str]:
    groups = checkout.aws.client("logs").describe_log_groups()["logGroups"]
    return [group["logGroupName"] for group in groups]


def expect_destroyed(checkout: Checkout, *, purged: bool = False) -> None:
    """Only resources that are kept on purpose may be left."""
    aws = checkout.aws
    assert stack(checkout) == ""
    clusters = aws.client("ecs").describe_clusters(clusters=["ai-assistant-cluster"])["clusters"]
    assert [cluster for cluster in clusters if cluster["status"] == "ACTIVE"] == []
    assert [task for task in aws.ecs.tasks if task.status != "STOPPED"] == []
    targets = aws.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs"
    )
    assert targets["ScalableTargets"] == []
    roles = [role["RoleName"] for role in aws.client("iam").list_roles()["Roles"]]
    assert [role for role in roles if role.startswith(NAME)] == []
    assert repositories(checkout) == ([] if purged else [NAME])
    assert log_groups(checkout) == ([] if purged else ["/ecs/ai-assistant-app"])


# --- deleted and kept resources ---


def test_destroy_deletes_everything_except_images_and_log(deployed: Checkout) -> None:
    run = destroy(deployed).expect(0)
    assert run.changes == TAKES_DOWN
    expect_destroyed(deployed)
    images = deployed.aws.client("ecr").list_images(repositoryName=NAME)["imageIds"]
    assert deployed.head in [image["imageTag"] for image in images]


def test_purge_deletes_images_and_log_last(deployed: Checkout) -> None:
    run = destroy(deployed, "--purge").expect(0)
    assert run.changes == [*TAKES_DOWN, *PURGES]
    expect_destroyed(deployed, purged=True)


def test_destroy_deletes_exactly_these_resources(deployed: Checkout) -> None:
    names = deployed.settings.names
    [described] = deployed.aws.client("cloudformation").describe_stacks()["Stacks"]
    run = destroy(deployed, "--purge").expect(0)
    policies = [call.parameters for call in run.calls if call.name == "iam:DeleteRolePolicy"]
    others = [name for name in TAKES_DOWN if name != "iam:DeleteRolePolicy"]
    target, service, deleted = (run.request(name) for name in others)
    assert target == {
        "ServiceNamespace": "ecs",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": f"service/{names.cluster}/{names.service}",
    }
    assert service == {"cluster": names.cluster, "service": names.service, "force": True}
    assert [each["PolicyName"] for each in policies] == ["deploy", "deploy-limits"]
    assert {each["RoleName"] for each in policies} == {names.deploy_role}
    assert deleted == {"StackName": described["StackId"]}, "another stack may have the name now"
    repository, group = (run.request(name) for name in PURGES)
    assert repository == {"repositoryName": names.repository, "force": True}
    assert group == {"logGroupName": names.log_group}


def test_resources_that_other_services_may_use_are_kept(deployed: Checkout) -> None:
    iam, ecs = deployed.aws.client("iam"), deployed.aws.client("ecs")
    iam.create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"]
    )
    destroy(deployed, "--purge").expect(0)
    assert len(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    assert len([role for role in roles if role.startswith("AWSServiceRoleFor")]) == 3
    assert ecs.list_task_definitions()["taskDefinitionArns"] != [], "revisions are kept"


def test_the_deploy_user_loses_its_permissions_and_stays(deployed: Checkout) -> None:
    iam, group = deployed.aws.client("iam"), deployed.settings.names.deploy_role
    iam.create_user(UserName="github")
    iam.create_access_key(UserName="github")
    iam.create_group(GroupName=group)
    iam.put_group_policy(GroupName=group, PolicyName="deploy", PolicyDocument=ALLOW)
    iam.add_user_to_group(GroupName=group, UserName="github")
    run = destroy(deployed).expect(0)
    assert run.changes.index("ecs:DeleteService") < run.changes.index("iam:DeleteGroup")
    assert iam.list_groups()["Groups"] == []
    assert len(iam.list_access_keys(UserName="github")["AccessKeyMetadata"]) == 1


ALLOW = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}],
    }
)


# --- the question ---


@pytest.mark.parametrize("typed", ["", "yes", "AI-assistant", "ai-assistant-2"])
def test_any_other_name_changes_nothing(deployed: Checkout, typed: str) -> None:
    """The name is empty if the input has ended, as in a workflow."""
    destroy(deployed, typed=typed).expect(2, "not-confirmed").expect_no_change()


@pytest.mark.parametrize("options", [[], ["--purge"]])
def test_the_question_names_what_is_deleted_and_what_is_kept(
    deployed: Checkout, options: list[str]
) -> None:
    run = destroy(deployed, *options, typed="").expect(2, "not-confirmed")
    for name in ("ai-assistant-service", "the stack ai-assistant", "/ecs/ai-assistant-app"):
        assert name in run.out
    assert ("It also deletes all images" in run.out) is bool(options)
    assert ("It keeps the images" in run.out) is not bool(options)


# --- protections: checked before the question ---


def protect_stack(checkout: Checkout) -> None:
    checkout.aws.client("cloudformation").update_termination_protection(
        StackName=NAME, EnableTerminationProtection=True
    )


def protect_load_balancer(checkout: Checkout) -> None:
    elb = checkout.aws.client("elbv2")
    [balancer] = elb.describe_load_balancers()["LoadBalancers"]
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}],
    )


def protect_log(checkout: Checkout) -> None:
    checkout.aws.client("logs").put_log_group_deletion_protection(
        logGroupIdentifier=checkout.settings.names.log_group, deletionProtectionEnabled=True
    )


PROTECTIONS: Mapping[str, tuple[Callable[[Checkout], None], str]] = {
    "stack": (protect_stack, "aws cloudformation update-termination-protection"),
    "load balancer": (protect_load_balancer, "aws elbv2 modify-load-balancer-attributes"),
    "log": (protect_log, "aws logs put-log-group-deletion-protection"),
}


@pytest.mark.parametrize("what", PROTECTIONS)
def test_a_protection_is_found_before_anything_is_deleted(deployed: Checkout, what: str) -> None:
    protect, command = PROTECTIONS[what]
    protect(deployed)
    run = destroy(deployed, "--purge").expect(2, "deletion-protected").expect_no_change()
    assert command in run.err
    assert "This deletes" not in run.out, "it must be found before the question"


def test_all_protections_are_named_at_once(deployed: Checkout) -> None:
    for protect, _ in PROTECTIONS.values():
        protect(deployed)
    run = destroy(deployed, "--purge").expect(2, "deletion-protected")
    assert all(command in run.err for _, command in PROTECTIONS.values())


def test_a_protected_log_that_is_kept_does_not_matter(deployed: Checkout) -> None:
    protect_log(deployed)
    destroy(deployed).expect(0)
    expect_destroyed(deployed)


def test_another_service_in_the_cluster_is_found_before_anything_is_deleted(
    deployed: Checkout,
) -> None:
    start_another_service(deployed)
    run = destroy(deployed).expect(2, "cluster-in-use").expect_no_change()
    assert "the service another" in run.err


def start_another_service(checkout: Checkout) -> None:
    service = checkout.ecs_service
    checkout.aws.client("ecs").create_service(
        **CLUSTER,
        serviceName="another",
        taskDefinition=service["taskDefinition"],
        launchType="FARGATE",
        desiredCount=1,
        networkConfiguration=service["networkConfiguration"],
    )


def test_a_task_that_is_of_no_service_is_found_before_anything_is_deleted(
    deployed: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    [task] = deployed.aws.ecs.tasks
    described = Task.described
    alone = {"group": "family:ai-assistant-task"}  # as RunTask starts it
    monkeypatch.setattr(Task, "described", lambda task: described(task) | alone)
    run = destroy(deployed).expect(2, "cluster-in-use").expect_no_change()
    assert f"the task {task.id}" in run.err


@pytest.mark.parametrize(
    "status", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"]
)
def test_a_stack_that_is_being_changed_is_left_alone(deployed: Checkout, status: str) -> None:
    deployed.stack_is(status)
    destroy(deployed).expect(2, "stack-not-deletable").expect_no_change()


@pytest.mark.parametrize(
    "status", ["DELETE_FAILED", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "CREATE_FAILED"]
)
def test_a_stack_in_any_other_state_is_deleted(deployed: Checkout, status: str) -> None:
    deployed.stack_is(status)
    destroy(deployed).expect(0)
    expect_destroyed(deployed)


# --- resources that are deleted already, and refusals of AWS ---


@pytest.mark.parametrize("options", [[], ["--purge"]])
def test_a_second_run_finds_everything_deleted(deployed: Checkout, options: list[str]) -> None:
    destroy(deployed, "--purge").expect(0)
    run = destroy(deployed, *options).expect(0)
    assert "cloudformation:DeleteStack" not in run.operations
    assert run.changes == []


def test_a_service_that_was_deleted_by_hand_is_not_an_error(deployed: Checkout) -> None:
    deployed.aws.client("ecs").delete_service(**CLUSTER, service="ai-assistant-service", force=True)
    destroy(deployed).expect(0)
    expect_destroyed(deployed)


@pytest.mark.parametrize("operation", [*TAKES_DOWN, *PURGES])
def test_a_refusal_ends_destroy_at_that_step(deployed: Checkout, operation: str) -> None:
    everything = [*TAKES_DOWN, *PURGES]
    done = everything[: everything.index(operation)]
    deployed.aws.faults.refuse(operation, "AccessDenied")
    run = destroy(deployed, "--purge").expect(1 if done else 2, "aws-denied")
    assert run.changes == done
    assert operation in run.err
    assert "sign in as an administrator" in run.err
    destroy(deployed, "--purge").expect(0)
    expect_destroyed(deployed, purged=True)


def test_a_stack_that_cannot_be_deleted_names_the_resource_in_the_way(deployed: Checkout) -> None:
    iam, role = deployed.aws.client("iam"), deployed.settings.names.deploy_role
    iam.put_role_policy(RoleName=role, PolicyName="theirs", PolicyDocument=ALLOW)
    run = destroy(deployed, "--purge").expect(1, "stack-not-deleted")
    assert "DeployRole: " in run.err
    assert "run this again: uv run --frozen -m infra destroy --purge" in run.err
    assert not set(PURGES) & set(run.operations)
    iam.delete_role_policy(RoleName=role, PolicyName="theirs")
    destroy(deployed, "--purge").expect(0)
    expect_destroyed(deployed, purged=True)


def test_a_stack_that_is_deleted_before_the_name_is_typed_is_not_awaited(
    deployed: Checkout,
) -> None:
    """The id of a deleted stack still finds its events."""
    deployed.aws.moments.when("ecs:DeleteService", lambda: delete_elsewhere(deployed))
    run = destroy(deployed).expect(0)
    assert "cloudformation:DeleteStack" not in run.operations
    expect_destroyed(deployed)


def delete_elsewhere(checkout: Checkout) -> None:
    """Delete the stack as another administrator would."""
    ecs, client = checkout.aws.client("ecs"), checkout.aws.client("cloudformation")
    role = checkout.settings.names.deploy_role
    while (
        ecs.describe_services(**CLUSTER, services=["ai-assistant-service"])["services"][0]["status"]
        != "INACTIVE"
    ):
        pass
    while any(task.status != "STOPPED" for task in checkout.aws.ecs.tasks):
        for task in checkout.aws.ecs.tasks:
            task.stop()
    for policy in ("deploy", "deploy-limits"):
        checkout.aws.client("iam").delete_role_policy(RoleName=role, PolicyName=policy)
    client.delete_stack(StackName=NAME)
    while stack(checkout):
        pass


# --- the wait for the tasks ---


def test_the_stack_waits_until_the_last_task_has_stopped(deployed: Checkout) -> None:
    """ECS calls the service INACTIVE before that, but a task still uses the cluster."""
    stuck = keep_tasks_stopping(deployed, looks=9)
    run = destroy(deployed).expect(0)
    assert stuck == [], "it must have looked until the task has stopped"
    last = len(run.operations) - 1 - run.operations[::-1].index("ecs:DescribeTasks")
    assert last < run.operations.index("cloudformation:DeleteStack")


def keep_tasks_stopping(checkout: Checkout, *, looks: float) -> list[int]:
    """Tasks stay in DEPROVISIONING for so many calls of DescribeTasks. Returns those to come."""
    left = list(range(int(looks)))
    stop = Task.stop

    def delayed(task: Task) -> None:
        if not left:
            stop(task)

    Task.stop = delayed  # type: ignore[method-assign,assignment]
    checkout.aws.moments.whenever("ecs:DescribeTasks", lambda: left and left.pop())
    return left


def test_tasks_of_another_service_are_not_awaited(deployed: Checkout) -> None:
    """They may run for ever. If they keep the cluster in use, CloudFormation reports that."""
    deployed.aws.moments.when("ecs:DeleteService", lambda: start_another_service(deployed))
    destroy(deployed).expect(1, "stack-not-deleted")


def test_tasks_that_have_stopped_are_not_described_again(deployed_twice: Checkout) -> None:
    run = destroy(deployed_twice).expect(0)
    asked = [call.parameters["tasks"] for call in run.calls if call.name == "ecs:DescribeTasks"]
    arns = [arn for arns in asked[1:] for arn in arns]  # the first call is that of the protections
    settled = [task.arn for task in deployed_twice.aws.ecs.tasks if arns.count(task.arn) == 1]
    assert len(deployed_twice.aws.ecs.tasks) == 2
    assert settled, "the task of the first release had stopped before"


def test_at_most_a_hundred_tasks_are_described_at_once(deployed: Checkout) -> None:
    """DescribeTasks refuses more."""
    deployment = deployed.ecs_deployment
    assert len(deployed.aws.ecs.tasks) == 1
    for _ in range(249):
        deployment.service.new_task(deployment)
    run = destroy(deployed).expect(0)
    asked = [call.parameters["tasks"] for call in run.calls if call.name == "ecs:DescribeTasks"]
    assert max(len(arns) for arns in asked) == 100
    assert len({arn for arns in asked for arn in arns}) == 250


def test_a_service_that_never_stops_ends_destroy_before_the_stack(deployed: Checkout) -> None:
    deployed.set("deploy.timeout_seconds", 60)
    keep_tasks_stopping(deployed, looks=1000)
    run = destroy(deployed).expect(3, "service-timeout")
    assert "cloudformation:DeleteStack" not in run.operations
    assert "ECS continues to stop the service ai-assistant-service." in run.err


def test_a_long_wait_is_never_silent(deployed: Checkout) -> None:
    deployed.set("deploy.timeout_seconds", 120)
    keep_tasks_stopping(deployed, looks=1000)
    run = destroy(deployed).expect(3, "service-timeout")
    times = [int(line.split()[0]) for line in run.out.splitlines() if " s: " in line]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert times[-1] >= 90
    assert max(gaps) <= 35, "a line is due every 30 s, at the first look after them"


@pytest.mark.parametrize(
    ("operation", "asked_before"),
    [("ecs:DescribeServices", 0), ("ecs:ListTasks", 1), ("ecs:DescribeTasks", 1)],
)
def test_two_lost_responses_in_a_row_do_no_harm(
    deployed: Checkout, operation: str, asked_before: int
) -> None:
    deployed.aws.faults.drop(operation, times=2 * ATTEMPTS, after=asked_before)
    run = destroy(deployed).expect(0)
    assert "no answer (2 of 3)" in run.err
    expect_destroyed(deployed)


def test_a_response_resets_the_count_of_lost_ones(deployed: Checkout) -> None:
    keep_tasks_stopping(deployed, looks=9)
    for after in (0, 1):
        deployed.aws.faults.drop("ecs:DescribeServices", times=2 * ATTEMPTS, after=after)
    destroy(deployed).expect(0)


def test_three_lost_responses_in_a_row_end_destroy_before_the_stack(deployed: Checkout) -> None:
    deployed.aws.faults.drop("ecs:DescribeServices", times=3 * ATTEMPTS)
    run = destroy(deployed).expect(3, "service-unanswered")
    assert "cloudformation:DeleteStack" not in run.operations
    assert "run this again: uv run --frozen -m infra destroy" in run.err
    deployed.aws.faults.clear()
    destroy(deployed).expect(0)
    expect_destroyed(deployed)


@pytest.mark.parametrize(
    ("operation", "continues"),
    [
        ("ecs:DeleteService", "ECS continues to stop the service ai-assistant-service."),
        (
            "cloudformation:DeleteStack",
            "CloudFormation continues to delete the stack",
        ),
    ],
)
def test_a_lost_response_to_a_deletion_makes_the_outcome_unknown(
    deployed: Checkout, operation: str, continues: str
) -> None:
    deployed.aws.faults.lose_answer(operation, times=99)
    run = destroy(deployed).expect(3, "change-unknown")
    assert continues in run.err
    deployed.aws.faults.clear()
    destroy(deployed).expect(0)
    expect_destroyed(deployed)


# --- stopped at any call: AWS has carried it out, and the tool has no answer yet ---

CALLS = 29  # of a run with --purge; the next test fails if AWS carries out more or fewer
QUICK = 3, 8, 9, 10, 14, 19, 22, 23, 27  # one call of each phase


def test_the_number_of_calls_of_destroy_is_up_to_date(deployed: Checkout) -> None:
    done = carried_out(destroy(deployed, "--purge").expect(0))
    assert len(done) == CALLS, f"set CALLS to {len(done)}: {done}"


def carried_out(run: Run) -> list[str]:
    return [call.name for call in run.calls if not call.error]


@pytest.mark.parametrize("call", numbers(CALLS, quick=QUICK))
def test_destroy_completes_after_an_interruption_at_any_call(deployed: Checkout, call: int) -> None:
    deployed.aws.faults.interrupt(after=call, late=True)
    run = destroy(deployed, "--purge").expect(130)
    assert len(carried_out(run)) == call
    expect_truth(run)
    deployed.aws.faults.clear()
    destroy(deployed, "--purge").expect(0)
    expect_destroyed(deployed, purged=True)


def expect_truth(run: Run) -> None:
    """The output must name what continues in AWS, and be empty if nothing does."""
    if is_between(run, "cloudformation:DeleteStack", "ecr:DeleteRepository"):
        expected = "CloudFormation continues to delete the stack ai-assistant. To find out, "
    elif is_between(run, "ecs:DeleteService", "iam:GetGroup"):
        expected = "ECS continues to stop the service ai-assistant-service. To find out, "
    else:
        expected = ""
    assert run.err.startswith(expected), "it must name what continues, and the command to run"
    assert bool(run.err) is bool(expected), "nothing continues in AWS"


def is_between(run: Run, first: str, end: str) -> bool:
    return first in run.operations and end not in run.operations
