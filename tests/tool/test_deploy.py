"""`deploy`: from a commit to its steady state, and what ends it before."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ParamValidationError
from infra.tool import cli, deploy, outcome, revision
from infra.tool.api_model import Json
from infra.tool.deploy import Plan, Step
from infra.tool.documents import Documents
from infra.tool.errors import ExitCode, ToolError
from infra.tool.revision import Revision
from infra.tool.service_request import create_request
from infra.tool.stack import Stack

from simulator.ecs.rollouts import Crashes
from simulator.faults import THROTTLED, UNKNOWN_CREDENTIALS
from simulator.refusal import Refused
from tests.support.answers import BEFORE, NEW, arn, listed, service
from tests.support.checkout import Checkout
from tests.support.targets import bench, settings

PREPARES = ["sts:GetCallerIdentity", "cloudformation:DescribeStacks", "ecs:DescribeServices"]
LOOK = ["ecs:DescribeServices", "ecs:ListTasks"]
SCALES = [
    "application-autoscaling:RegisterScalableTarget",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:DescribeScalingPolicies",
]
KEEPS = ["ecr:BatchGetImage", "ecr:PutImage"]  # the tag "deployed-COMMIT"
STARTS = ["ecs:RegisterTaskDefinition", "ecs:UpdateService"]
STEADY = 'the service should be in steady state at "{}"'


def expect_steady(checkout: Checkout, number: int) -> None:
    """The service must be in steady state at a revision, and at no other."""
    family = checkout.settings.names.family
    [only] = checkout.ecs_service["deployments"]
    found = (only["taskDefinition"].rpartition("/")[2], only["rolloutState"])
    assert found == (f"{family}:{number}", "COMPLETED"), STEADY.format(f"{family}:{number}")
    assert only["runningCount"] == only["desiredCount"] > 0


# --- before the first call to AWS ---


@pytest.mark.parametrize("words", ["deploy now", "deploy --force", "rollback 41 40", "roll"])
def test_an_argument_that_the_command_does_not_know_is_refused(words: str) -> None:
    tried = bench()
    assert cli.run(words.split(), tried.target.runtime) == ExitCode.NOT_READY
    assert "error[usage]" in tried.err


def break_the_tree(checkout: Checkout) -> None:
    checkout.write("new.txt", "not committed")


def break_the_lock(checkout: Checkout) -> None:
    checkout.git("rm", "--quiet", "uv.lock")
    checkout.commit("No lock")


def break_a_document(checkout: Checkout) -> None:
    checkout.write("infra/service.json", "[]")
    checkout.commit("Break it")


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (break_the_tree, "not-committed"),
        (break_the_lock, "lock-not-committed"),
        (break_a_document, "document-broken"),
    ],
)
def test_a_problem_on_this_machine_is_reported_before_any_call_to_aws(
    provisioned: Checkout, damage: Callable[[Checkout], None], error: str
) -> None:
    damage(provisioned)
    run = provisioned.run("deploy").expect(2, error)
    assert run.operations == []


def have_no_network(checkout: Checkout) -> None:
    checkout.aws.faults.cut_off()


def have_an_expired_token(checkout: Checkout) -> None:
    checkout.aws.faults.expire_tokens()


def have_keys_that_aws_does_not_know(checkout: Checkout) -> None:
    checkout.aws.faults.refuse_for_ever("*", UNKNOWN_CREDENTIALS)


def be_throttled(checkout: Checkout) -> None:
    checkout.aws.faults.refuse_for_ever("sts:GetCallerIdentity", THROTTLED)


def move_to_another_account(checkout: Checkout) -> None:
    checkout.edit("infra/task-definition.json", "123456789012", "210987654321")
    checkout.set("service.account", "210987654321")
    checkout.set("service.registry", "210987654321.dkr.ecr.us-east-1.amazonaws.com")
    checkout.commit("Move to another account")


@pytest.mark.parametrize(
    ("damage", "error", "remedy"),
    [
        (have_no_network, "aws-unreachable", "[service] region"),
        (have_an_expired_token, "sign-in", "aws sso login"),
        (have_keys_that_aws_does_not_know, "sign-in", "aws sso login"),
        (be_throttled, "aws-refused", "Rate exceeded"),
        (move_to_another_account, "account-differs", "sign in to account 210987654321"),
    ],
)
def test_unusable_credentials_end_a_deploy_at_the_first_call(
    deployed: Checkout, damage: Callable[[Checkout], None], error: str, remedy: str
) -> None:
    served, role = deployed.commit_served, deployed.deploy_role
    deployed.release()
    damage(deployed)
    run = deployed.run("deploy", principal=role).expect(2, error).expect_text(remedy)
    assert set(run.operations) == {"sts:GetCallerIdentity"}
    asks_for_a_sign_in = "sign in" in run.text
    assert asks_for_a_sign_in == (error in {"sign-in", "account-differs"})
    assert deployed.commit_served == served != ""


def test_lasting_throttling_before_any_change_ends_with_2(deployed: Checkout) -> None:
    served = deployed.commit_served
    deployed.release()
    deployed.aws.faults.refuse_for_ever("ecs:DescribeServices", THROTTLED)
    deployed.run("deploy").expect(2, "aws-refused").expect_text("Rate exceeded")
    assert deployed.commit_served == served != ""


def lose_the_cluster(checkout: Checkout) -> None:
    checkout.aws.client("ecs").delete_cluster(cluster=checkout.settings.names.cluster)


def lose_the_repository(checkout: Checkout) -> None:
    repository = checkout.settings.names.repository
    checkout.aws.client("ecr").delete_repository(repositoryName=repository, force=True)


def move_to_another_region(checkout: Checkout) -> None:
    checkout.edit("infra/task-definition.json", "us-east-1", "eu-west-1")
    checkout.set("service.region", "eu-west-1")
    checkout.set("service.registry", "123456789012.dkr.ecr.eu-west-1.amazonaws.com")
    checkout.commit("Move to another region")


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lose_the_cluster, "cluster-missing"),
        (lose_the_repository, "repository-missing"),
        (move_to_another_region, "stack-missing"),
    ],
)
def test_a_missing_resource_is_named_before_anything_is_changed(
    provisioned: Checkout, damage: Callable[[Checkout], None], error: str
) -> None:
    role = provisioned.deploy_role
    damage(provisioned)
    run = provisioned.run("deploy", principal=role).expect(2, error).expect_no_change()
    if error != "stack-missing":
        assert "uv run --frozen -m infra provision" in run.err


def test_without_a_stack_the_error_says_to_provision(rendered: Checkout) -> None:
    run = rendered.run("deploy", principal="root").expect(2, "stack-missing").expect_no_change()
    assert "uv run --frozen -m infra provision" in run.err


def test_a_service_that_is_being_deleted_is_not_deployed_to(deployed: Checkout) -> None:
    deployed.release()
    ecs, names = deployed.aws.client("ecs"), deployed.settings.names
    ecs.delete_service(cluster=names.cluster, service=names.service, force=True)
    deployed.run("deploy").expect(2, "service-draining").expect_no_change()


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_stack_that_failed_is_not_deployed_to(provisioned: Checkout, status: str) -> None:
    provisioned.stack_is(status)
    provisioned.release()
    run = provisioned.run("deploy").expect(2, "stack-failed").expect_text(status)
    assert "uv run --frozen -m infra provision" in run.err


# --- to steady state ---


def test_the_first_deploy_creates_the_service(provisioned: Checkout) -> None:
    commit = provisioned.release()
    run = provisioned.run("deploy").expect(0)
    assert run.operations == [
        *PREPARES,
        "ecr:DescribeImages",
        "ecr:DescribeImageScanFindings",
        "ecs:RegisterTaskDefinition",
        "ecs:CreateService",
        *LOOK * 3,
        *KEEPS,
        *SCALES,
    ]
    assert run.err == "", "nothing continues in AWS"
    names, request = provisioned.settings.names, run.request("ecs:CreateService")
    assert request["serviceName"] == names.service
    assert request["desiredCount"] == provisioned.settings.tasks.min
    assert request["clientToken"] == f"{names.family}:1", "a retry must be the same request"
    assert request["launchType"] == "FARGATE"
    assert run.out.splitlines()[-1] == (
        f"ai-assistant {commit[:7]} is in steady state as {names.family}:1: {url_of(provisioned)}"
    )
    expect_steady(provisioned, 1)


def url_of(checkout: Checkout) -> str:
    [stack] = checkout.aws.client("cloudformation").describe_stacks(
        StackName=checkout.settings.names.stack
    )["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    return str(outputs["Url"])


def test_the_next_deploy_makes_only_the_calls_that_it_needs(deployed: Checkout) -> None:
    commit = deployed.release()
    run = deployed.run("deploy").expect(0)
    assert run.operations == [
        *PREPARES,
        "application-autoscaling:DescribeScheduledActions",
        "ecs:DescribeTaskDefinition",
        "ecr:DescribeImages",
        "ecr:DescribeImageScanFindings",
        *STARTS,
        *LOOK * 3,
        "ecs:DescribeTasks",
        *LOOK,
        *KEEPS,
        *SCALES,
    ]
    tags = run.request("ecs:RegisterTaskDefinition")["tags"]
    assert {"key": "commit", "value": commit} in tags
    expect_steady(deployed, 2)


def test_the_documents_are_sent_as_they_are_in_git(deployed: Checkout) -> None:
    deployed.release()
    run = deployed.run("deploy").expect(0)
    names, sent = deployed.settings.names, run.request("ecs:RegisterTaskDefinition")
    document = deployed.document("infra/task-definition.json")
    [container] = sent["containerDefinitions"]
    [digest] = deployed.aws.client("ecr").describe_images(
        repositoryName=names.repository, imageIds=[{"imageTag": deployed.head}]
    )["imageDetails"]
    image = document["containerDefinitions"][0]["image"]
    assert container["image"] == f"{image}@{digest['imageDigest']}", "a tag could be moved"
    assert [tag["key"] for tag in sent.pop("tags")] == ["commit", "document"]
    container["image"] = image
    assert sent == document

    update = run.request("ecs:UpdateService")
    of_file = deployed.document("infra/service.json")
    of_file.pop("launchType")  # only CreateService takes it
    assert {name: update.pop(name) for name in of_file} == of_file
    network = update.pop("networkConfiguration")["awsvpcConfiguration"]
    assert len(network["subnets"]) > 1
    assert network["securityGroups"]
    [target] = update.pop("loadBalancers")
    assert (target["containerName"], target["containerPort"]) == (names.container, 8080)
    assert update == {
        "cluster": names.cluster,
        "service": names.service,
        "taskDefinition": deployed.ecs_service["taskDefinition"],
    }, "the number of tasks is left to the scaling, and nothing is forced"


def test_a_second_container_keeps_its_own_image(deployed: Checkout) -> None:
    document = deployed.document("infra/task-definition.json")
    sidecar = {"name": "sidecar", "image": "public.ecr.aws/example/sidecar:1", "essential": False}
    document["containerDefinitions"].append(sidecar)
    deployed.write("infra/task-definition.json", json.dumps(document))
    deployed.release()
    sent = deployed.run("deploy").expect(0).request("ecs:RegisterTaskDefinition")
    assert sent["containerDefinitions"][1] == sidecar


def test_for_a_commit_in_steady_state_only_the_scaling_is_set(deployed: Checkout) -> None:
    run = deployed.run("deploy").expect(0)
    assert run.operations == [
        *PREPARES,
        "application-autoscaling:DescribeScheduledActions",
        "ecs:DescribeTaskDefinition",
        "ecr:BatchGetImage",
        *SCALES,
    ]
    expect_steady(deployed, 1)


def test_a_deployment_in_progress_of_the_same_commit_is_watched(deployed: Checkout) -> None:
    deployed.release()
    deployed.aws.moments.when("ecs:UpdateService", interrupt)
    deployed.run("deploy").expect(130)
    run = deployed.run("deploy").expect(0)
    assert set(run.changes) == {"ecr:PutImage", *SCALES} - {SCALES[-1]}
    assert "watching" in run.out
    expect_steady(deployed, 2)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_the_time_limit_begins_with_the_watch_and_not_with_the_build(deployed: Checkout) -> None:
    deployed.release()
    a_long_build = deployed.settings.deploy.timeout_seconds + 1
    deployed.aws.moments.when("ecr:DescribeImages", lambda: deployed.aws.clock.sleep(a_long_build))
    deployed.run("deploy").expect(0)
    expect_steady(deployed, 2)


def test_a_service_that_was_deleted_is_created_again(deployed: Checkout) -> None:
    delete_the_service(deployed)
    deployed.aws.client("ecs").describe_services(
        cluster=deployed.settings.names.cluster, services=[deployed.settings.names.service]
    )
    run = deployed.run("deploy").expect(0)
    assert "ecs:CreateService" in run.changes
    assert "ecs:DescribeTaskDefinition" not in run.operations
    expect_steady(deployed, 2)


def delete_the_service(checkout: Checkout) -> None:
    """Delete the service, and wait until ECS lists it as INACTIVE."""
    ecs, names = checkout.aws.client("ecs"), checkout.settings.names
    ecs.delete_service(cluster=names.cluster, service=names.service, force=True)
    for _ in range(5):
        ecs.describe_services(cluster=names.cluster, services=[names.service])
    assert checkout.ecs_service["status"] == "INACTIVE"


def test_a_commit_whose_deployment_failed_is_deployed_again(deployed: Checkout) -> None:
    """With the image that ECR has: the cause of the failure may have been temporary."""
    deployed.release()
    deployed.ecs_deployment.rollout_state = "COMPLETED"
    deployed.run("deploy").expect(0)
    deployed.ecs_deployment.rollout_state = "FAILED"
    run = deployed.run("deploy").expect(0)
    assert run.changes[:2] == STARTS
    expect_steady(deployed, 3)


@pytest.mark.parametrize(
    "status", ["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
)
def test_a_stack_with_final_outputs_is_deployed_to(deployed: Checkout, status: str) -> None:
    """Only a deploy releases the resources that an update of the stack has replaced. If the deploy
    waited for the cleanup of the stack, neither would end."""
    deployed.stack_is(status)
    deployed.release()
    deployed.run("deploy").expect(0)
    expect_steady(deployed, 2)


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
def test_a_stack_that_is_being_changed_stops_a_deploy(deployed: Checkout, status: str) -> None:
    deployed.stack_is(status)
    deployed.release()
    deployed.run("deploy").expect(2, "stack-changing").expect_no_change()


def test_a_deploy_of_another_commit_replaces_a_deployment_in_progress(deployed: Checkout) -> None:
    deployed.release()
    deployed.aws.moments.when("ecs:UpdateService", interrupt)
    deployed.run("deploy").expect(130)
    deployed.release("Another release")
    deployed.run("deploy").expect(0)
    expect_steady(deployed, 3)


# --- the image, as a deploy shows it ---


def test_an_image_that_ecr_has_needs_no_docker(provisioned: Checkout, tmp_path: Path) -> None:
    provisioned.release()
    (tmp_path / "git").symlink_to(str(shutil.which("git")))
    provisioned.environment["PATH"] = str(tmp_path)
    run = provisioned.run("deploy").expect(0)
    assert "ecr:GetAuthorizationToken" not in run.operations


def lose_docker(checkout: Checkout, folder: Path) -> None:
    (folder / "git").symlink_to(str(shutil.which("git")))
    checkout.environment["PATH"] = str(folder)


def stop_the_docker_daemon(checkout: Checkout, _: Path) -> None:
    checkout.docker()
    checkout.environment["SIMULATED_DOCKER"] = "off"


@pytest.mark.parametrize(
    ("damage", "error"),
    [(lose_docker, "docker-missing"), (stop_the_docker_daemon, "docker-silent")],
)
def test_an_image_that_cannot_be_built_ends_a_deploy_before_a_revision_is_registered(
    deployed: Checkout, tmp_path: Path, damage: Callable[[Checkout, Path], None], error: str
) -> None:
    served = deployed.commit_served
    deployed.new_commit()
    damage(deployed, tmp_path)
    run = deployed.run("deploy").expect(2, error)
    assert "ecs:RegisterTaskDefinition" not in run.operations
    assert (deployed.revision, deployed.commit_served) == ("ai-assistant-task:1", served)


def test_an_image_that_ecr_lacks_is_built_and_deployed_by_its_digest(
    provisioned: Checkout,
) -> None:
    provisioned.docker()
    run = provisioned.run("deploy").expect(0)
    assert [name for name in run.operations if name.startswith("ecr:")][0:2] == [
        "ecr:DescribeImages",
        "ecr:GetAuthorizationToken",
    ]
    [container] = run.request("ecs:RegisterTaskDefinition")["containerDefinitions"]
    assert re.search(r"@sha256:[0-9a-f]{64}\Z", container["image"])
    expect_steady(provisioned, 1)


def test_an_image_of_another_commit_under_this_tag_is_noticed_at_the_url(
    deployed: Checkout,
) -> None:
    registry, repository = deployed.aws.registry, deployed.settings.names.repository
    content, kind = registry.manifests[repository, deployed.head]
    commit = deployed.new_commit()
    registry.put(repository, commit, content, kind)
    run = deployed.run("deploy").expect(1, "url-other-commit")
    assert "ecr:InitiateLayerUpload" not in run.operations
    running = {
        task.deployment.container["image"] for task in deployed.aws.ecs.tasks if task.is_alive
    }
    assert [image.partition("@")[2] for image in running] == [deployed.images[commit]]
    deployed.run("status").expect(1, "not-healthy").expect_text("the URL answers with commit")


# --- the tag that keeps the image from expiring ---


def deployed_image(checkout: Checkout) -> str:
    """The digest of the image with the tag of a deploy of HEAD; empty if none has it."""
    repository = checkout.settings.names.repository
    found = checkout.aws.client("ecr").list_images(repositoryName=repository)
    tag = f"deployed-{checkout.head}"
    return "".join(each["imageDigest"] for each in found["imageIds"] if each.get("imageTag") == tag)


def test_an_image_is_tagged_once_it_is_in_steady_state(provisioned: Checkout) -> None:
    provisioned.release()
    run = provisioned.run("deploy").expect(0)
    [container] = run.request("ecs:RegisterTaskDefinition")["containerDefinitions"]
    assert container["image"].endswith(f"@{deployed_image(provisioned)}")


def test_an_image_that_was_not_deployed_is_not_tagged(deployed: Checkout) -> None:
    deployed.aws.next_rollout(Crashes())
    deployed.release()
    deployed.run("deploy").expect(1, "deployment-rolled-back")
    assert deployed_image(deployed) == ""


def test_a_second_deploy_of_a_commit_adds_a_missing_tag(
    provisioned: Checkout,
) -> None:
    provisioned.release()
    provisioned.aws.faults.refuse("ecr:PutImage", "ServerException", "busy", times=9)
    run = provisioned.run("deploy").expect(0)
    assert "could not be tagged" in run.err, "a failed tag does not stop the deploy"
    assert deployed_image(provisioned) == ""
    provisioned.aws.faults.clear()
    assert provisioned.run("deploy").expect(0).changes == [
        "ecr:PutImage",
        "application-autoscaling:RegisterScalableTarget",
        "application-autoscaling:PutScalingPolicy",
        "application-autoscaling:PutScalingPolicy",
    ]
    assert deployed_image(provisioned) != ""


def test_a_tag_that_another_deploy_has_set_meanwhile_is_not_a_problem(
    provisioned: Checkout,
) -> None:
    provisioned.release()
    provisioned.aws.faults.refuse("ecr:PutImage", "ImageTagAlreadyExistsException", "it is there")
    assert provisioned.run("deploy").expect(0).err == ""


# --- the request for a new service ---


def test_the_client_token_of_a_long_name_keeps_its_end() -> None:
    """CreateService accepts 36 characters at most, and the number at the end identifies the
    revision."""
    made = create_request({}, arn(1234567, "a-family-with-a-name-of-many-characters"), settings())
    assert len(made["clientToken"]) == 36
    assert made["clientToken"].endswith("-name-of-many-characters:1234567")


# --- refused requests and lost responses ---

BEFORE_ANY_CHANGE = [
    "sts:GetCallerIdentity",
    "cloudformation:DescribeStacks",
    "ecs:DescribeServices",
    "application-autoscaling:DescribeScheduledActions",
    "ecs:DescribeTaskDefinition",
    "ecs:RegisterTaskDefinition",
]


@pytest.mark.parametrize("operation", BEFORE_ANY_CHANGE)
def test_a_refusal_before_any_change_ends_with_2(deployed: Checkout, operation: str) -> None:
    deployed.release()
    deployed.aws.faults.refuse_for_ever(operation, "AccessDeniedException", "not authorized")
    run = deployed.run("deploy").expect(2, "aws-denied").expect_no_change()
    assert run.operations[-1] == operation
    assert "ops/iam-policy-github-actions.json" in run.err
    assert "continues" not in run.err


def test_a_refusal_after_a_change_ends_with_1(deployed: Checkout) -> None:
    served = deployed.commit_served
    deployed.release()
    deployed.aws.faults.refuse("ecs:UpdateService", "ServerException", "no", times=9)
    run = deployed.run("deploy").expect(1, "aws-refused")
    assert set(run.operations[run.operations.index("ecs:UpdateService") :]) == {"ecs:UpdateService"}
    assert run.changes == ["ecs:RegisterTaskDefinition"]
    assert "unknown" not in run.err
    assert deployed.commit_served == served != ""
    deployed.aws.faults.clear()
    deployed.run("deploy").expect(0)
    expect_steady(deployed, 3)


def throttle(checkout: Checkout) -> None:
    checkout.aws.faults.refuse_for_ever("ecs:RegisterTaskDefinition", THROTTLED)


def ask_for_a_size_that_fargate_lacks(checkout: Checkout) -> None:
    checkout.edit("infra/task-definition.json", '"cpu": "256"', '"cpu": "300"')


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(throttle, "Rate exceeded"), (ask_for_a_size_that_fargate_lacks, "No Fargate configuration")],
)
def test_a_refusal_after_the_push_ends_with_1(
    deployed: Checkout, damage: Callable[[Checkout], None], reason: str
) -> None:
    served = deployed.commit_served
    damage(deployed)
    deployed.docker()
    deployed.new_commit()
    run = deployed.run("deploy").expect(1, "aws-refused")
    run.expect_text("ecs:RegisterTaskDefinition", reason)
    assert (deployed.revision, deployed.commit_served) == ("ai-assistant-task:1", served)


def test_a_refusal_without_a_reason_says_so_on_one_line(deployed: Checkout) -> None:
    deployed.aws.faults.refuse_for_ever("sts:GetCallerIdentity", Refused("Odd", "", 400))
    run = deployed.run("deploy").expect(2, "aws-refused")
    assert "no reason was given (Odd)" in run.err
    assert len(run.err.splitlines()) == 2, "what is wrong, then what to do"
    deployed.aws.faults.clear()
    deployed.aws.faults.refuse_for_ever("ecs:DescribeServices", "Odd", "one\r\n::two\x1b[2J")
    run = deployed.run("deploy").expect(2, "aws-refused")
    assert "one ::two [2J" in run.err
    assert len(run.err.splitlines()) == 2, "what is wrong, then what to do"


def test_a_response_that_cannot_be_parsed_counts_as_lost(deployed: Checkout) -> None:
    """For example the page of a proxy."""
    deployed.aws.faults.refuse_for_ever("sts:GetCallerIdentity", "Odd", "\x1b is no XML")
    deployed.run("deploy").expect(2, "answer-lost")


@pytest.mark.parametrize("operation", [*PREPARES, *STARTS, *SCALES])
def test_a_call_that_is_throttled_once_is_retried(deployed: Checkout, operation: str) -> None:
    deployed.release()
    deployed.aws.faults.throttle(operation)
    deployed.run("deploy").expect(0)
    expect_steady(deployed, 2)


@pytest.mark.parametrize("operation", STARTS)
@pytest.mark.parametrize("was_done", [True, False])
def test_a_lost_response_to_a_change_makes_the_outcome_unknown(
    deployed: Checkout, operation: str, was_done: bool
) -> None:
    """botocore sends the request three times."""
    served = deployed.commit_served
    deployed.release()
    faults = deployed.aws.faults
    (faults.lose_answer if was_done else faults.drop)(operation, times=3)
    run = deployed.run("deploy").expect(3, "change-unknown")
    assert "run this again: uv run --frozen -m infra deploy" in run.err
    says_what_may_have_begun = "Whether ECS has started to deploy" in run.err
    assert says_what_may_have_begun == (operation == "ecs:UpdateService")
    assert deployed.commit_served == served != ""
    deployed.run("deploy").expect(0)
    [only] = deployed.ecs_service["deployments"]
    assert only["rolloutState"] == "COMPLETED"
    assert tags_of(deployed)["commit"] == deployed.head


def tags_of(checkout: Checkout) -> dict[str, str]:
    """The tags of the revision that the service runs."""
    tags = checkout.aws.client("ecs").describe_task_definition(
        taskDefinition=checkout.revision, include=["TAGS"]
    )["tags"]
    return {tag["key"]: tag["value"] for tag in tags}


@pytest.mark.parametrize("was_done", [True, False])
def test_a_lost_response_to_create_service_makes_the_outcome_unknown(
    provisioned: Checkout, was_done: bool
) -> None:
    provisioned.release()
    faults = provisioned.aws.faults
    (faults.lose_answer if was_done else faults.drop)("ecs:CreateService", times=3)
    provisioned.run("deploy").expect(3, "change-unknown")
    provisioned.run("deploy").expect(0)
    expect_steady(provisioned, 1 if was_done else 2)


def test_one_lost_response_to_create_service_is_retried(provisioned: Checkout) -> None:
    """The client token makes the retry the same request."""
    provisioned.release()
    provisioned.aws.faults.lose_answer("ecs:CreateService")
    run = provisioned.run("deploy").expect(0)
    assert run.operations.count("ecs:CreateService") == 2
    expect_steady(provisioned, 1)


def test_one_lost_response_to_an_update_is_retried(deployed: Checkout) -> None:
    """The retry names the same revision, so ECS starts no other deployment."""
    deployed.release()
    deployed.aws.faults.lose_answer("ecs:UpdateService")
    run = deployed.run("deploy").expect(0)
    assert run.operations.count("ecs:UpdateService") == 2
    expect_steady(deployed, 2)


def test_a_request_that_boto3_refuses_to_send_leaves_nothing_unknown() -> None:
    target = bench().target
    with (
        pytest.raises(ToolError) as refused,
        target.while_it_continues("Whether it has begun is unknown."),
    ):
        raise ParamValidationError(report="Unknown parameter")
    assert refused.value.code == "request-invalid"
    assert target.continuing == ""


def test_every_failure_is_exit_code_3_while_something_continues_in_aws() -> None:
    tried = bench()
    tried.target.continuing = "The deployment continues in ECS."
    error = outcome.FAILED(revision="r", reason="no", remedy="do this")
    assert cli.end(tried.target, error) == ExitCode.UNKNOWN


def test_an_unexpected_error_is_exit_code_1_before_a_change_and_3_after_it(
    deployed: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.release()

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    for name, code in (("register", 1), ("apply_scaling", 3)):
        with monkeypatch.context() as patched:
            patched.setattr(deploy, name, fail)
            run = deployed.run("deploy").expect(code, "unexpected")
        assert "Traceback" not in run.text
        assert "ZeroDivisionError('a bug')" in run.err


# --- decisions, without an account ---


def plan(*deployments: Json, schedules: tuple[str, ...] = (), commit: str = "c") -> Plan:
    now = service(*deployments) if deployments else None
    return Plan(commit, Documents({}, {}, {}), Stack("s", "ok"), now, {}, "d", schedules, [])


OURS = Revision(arn(NEW), "ACTIVE", "c", "d", {})
# name of the row: (deployment that is PRIMARY, its revision, what is left to do)
STEPS: dict[str, tuple[Json, Revision, Step]] = {
    "in steady state": (listed(NEW, "COMPLETED", running=1), OURS, Step.NOTHING),
    "in progress": (listed(NEW, "IN_PROGRESS"), OURS, Step.WATCH),
    "failed": (listed(NEW, "FAILED", running=1), OURS, Step.DEPLOY),
    "complete without a task": (listed(NEW, "COMPLETED", failed=17), OURS, Step.DEPLOY),
    "without a state": (listed(NEW, "", running=1), OURS, Step.DEPLOY),
    "of another commit": (
        listed(BEFORE, "COMPLETED", running=1),
        Revision(arn(BEFORE), "ACTIVE", "b", "d", {}),
        Step.DEPLOY,
    ),
    "of other documents": (
        listed(BEFORE, "IN_PROGRESS"),
        Revision(arn(BEFORE), "ACTIVE", "c", "e", {}),
        Step.DEPLOY,
    ),
    "of a revision without tags": (
        listed(BEFORE, "COMPLETED", running=1),
        Revision(arn(BEFORE), "ACTIVE", "", "", {}),
        Step.DEPLOY,
    ),
}


@pytest.mark.parametrize("row", STEPS)
def test_only_an_equal_deployment_that_is_running_is_not_repeated(row: str) -> None:
    primary, present, step = STEPS[row]
    assert deploy.next_step(plan(primary), present) is step


def test_without_a_service_the_step_is_to_deploy() -> None:
    assert deploy.next_step(plan(), None) is Step.DEPLOY


def test_zero_tasks_are_accepted_if_a_schedule_wants_none() -> None:
    none = listed(NEW, "COMPLETED", desired=0)
    assert deploy.next_step(plan(none, schedules=("night",)), OURS) is Step.NOTHING
    assert deploy.next_step(plan(none), OURS) is Step.DEPLOY


def test_the_document_tag_covers_everything_a_deployment_depends_on() -> None:
    def hashed(
        request: Json | None = None,
        task: Json | None = None,
        scaling: Json | None = None,
        **tasks: object,
    ) -> str:
        documents = Documents(task or {"cpu": "256"}, {}, scaling or {"policies": []})
        used = settings(tasks={"min": "1", "max": "4"} | tasks)
        return revision.document_hash(request or {"a": 1}, documents, used)

    changed = {
        hashed(),
        hashed(request={"a": 2}),
        hashed(task={"cpu": "512"}),
        hashed(scaling={"policies": [{}]}),
        hashed(min="2"),
        hashed(max="5"),
    }
    assert len(changed) == 6, "a change of any part must be deployed"
    assert hashed() == hashed(request={"a": 1})
    assert re.fullmatch("[0-9a-f]{64}", hashed())


def test_another_order_of_members_is_not_a_change() -> None:
    documents = Documents({}, {}, {})
    one = revision.document_hash({"a": 1, "b": 2}, documents, settings())
    assert one == revision.document_hash({"b": 2, "a": 1}, documents, settings())


def test_the_tags_of_the_document_stay() -> None:
    document = {"containerDefinitions": [], "tags": [{"key": "team", "value": "search"}]}
    request = revision.register_request(document, "r@sha256:0", "c", "d")
    assert request["tags"] == [
        {"key": "team", "value": "search"},
        {"key": "commit", "value": "c"},
        {"key": "document", "value": "d"},
    ]
