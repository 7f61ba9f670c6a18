"""Deploys and rollbacks that fail, or nearly: how each ends, what it says, and what serves then."""

import pytest

from simulator.faults import THROTTLED
from simulator.rollouts import (
    CannotPull,
    Crashes,
    Flaps,
    Hangs,
    OutOfCapacity,
    Overtaken,
    Unhealthy,
    UnhealthyTarget,
)
from tests.story.failures import (
    FailureCase,
    again,
    all_is_well,
    another_clone,
    both,
    by_hand,
    deploy,
    edits,
    environment,
    holds,
    is_at,
    lacks,
    moves_to,
    never_asked,
    never_says,
    nothing_more,
    nothing_serves,
    parametrized,
    release,
    rollback,
    serves_the_release,
    sets,
    still_serves,
    when,
    will,
)
from tests.story.service import Play, StoryService
from tests.story.world import World
from tests.support.process_checkout import Done

BREAKER = "ECS deployment circuit breaker: tasks failed to start."
ROLLED_BACK = "error[deployment-rolled-back]"
FAILED = "error[deployment-failed]"
OVERTAKEN = "error[deployment-overtaken]"
REFUSED = "error[aws-refused]"
TIMED_OUT = "error[deployment-timeout]"
SIGN_IN = "error[sign-in]"
CONTINUES = "continues in ECS. To find out, run this again: uv run --frozen -m infra deploy"
STEADY = "is in steady state as"
PATIENT = sets({"deploy.timeout_seconds": 30})  # seconds
NOBODY_HERE = "http://127.0.0.1:9"  # where an address of AWS leads that does not exist
ONE_TRY = environment(AWS_MAX_ATTEMPTS="1")


def nobody_rolls_back(service: StoryService) -> None:
    document = service.document("infra/service.json")
    document["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"] = False
    service.change("infra/service.json", document)


def names_a_secret(service: StoryService) -> None:
    """One that is there, and that the stack does not grant yet."""
    made = service.aws.client("secretsmanager").create_secret(Name="key", SecretString="s")
    document = service.document("infra/task-definition.json")
    document["containerDefinitions"][0]["secrets"] = [{"name": "KEY", "valueFrom": made["ARN"]}]
    service.change("infra/task-definition.json", document)


def loses_its_execution_role(service: StoryService) -> None:
    iam, role = service.aws.client("iam"), service.settings.names.execution_role
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    iam.delete_role(RoleName=role)


def was_pushed_already(service: StoryService) -> None:
    """By a deploy of this release that got no further."""
    release(service)
    service.aws.faults.refuse("ecs:RegisterTaskDefinition", "ServerException")
    service.deploy().ends(1)


def has_an_image_of_another_commit(service: StoryService) -> None:
    """Somebody has given the tag of this release to what serves."""
    before = service.head
    release(service)
    registry, repository = service.aws.registry, service.settings.names.repository
    content, kind = registry.manifests[repository, before]
    registry.put(repository, service.head, content, kind)


def is_throttled_for_ever(operation: str) -> Play:
    return lambda service: service.aws.faults.refuse_for_ever(operation, THROTTLED)


def loses_its_credentials(service: StoryService) -> None:
    service.aws.faults.expire_tokens()


def its_first_image_expires(service: StoryService) -> None:
    first = service.git("rev-parse", "HEAD~1")
    service.aws.client("ecr").batch_delete_image(
        repositoryName=service.settings.names.repository,
        imageIds=[{"imageTag": first}, {"imageTag": f"deployed-{first}"}],
    )


def deploys(service: StoryService) -> None:
    service.deploy().ends(0)


def fails(service: StoryService) -> None:
    service.deploy().ends(1)


def deploys_another_release(other: StoryService) -> None:
    other.release("Somebody else's")
    other.deploy().ends(0)


def finds_it_under_way(other: StoryService) -> None:
    done = other.deploy()
    done.ends(0, STEADY)
    assert "ecs:RegisterTaskDefinition" not in done.asked


def runs_the_image_of_its_tag(service: StoryService, _: Done) -> None:
    (image,) = {
        task.deployment.container["image"] for task in service.aws.ecs.tasks if task.is_alive
    }
    assert image.endswith(service.images[service.head])
    service.status().ends(1, "error[not-healthy]", "the URL answers with commit")


def a_plain_wait_says_success(service: StoryService, _: Done) -> None:
    """Known, too, from aws-actions/amazon-ecs-deploy-task-definition#191 and aws/aws-cli#9275."""
    service.wait_until_stable().ends(0)


def one_image_for_each_commit(service: StoryService, _: Done) -> None:
    assert service.head in service.images
    assert len(set(service.images.values())) == len(service.images)


ROWS = (
    # --- the rollout itself ---
    FailureCase(
        "the circuit breaker rolls it back",
        "serving",
        will(Crashes()),
        deploy,
        1,
        (ROLLED_BACK, BREAKER),
        holds(still_serves, is_at(1), a_plain_wait_says_success),
    ),
    FailureCase(
        "the first one fails, and there is nothing to go back to",
        "provisioned",
        will(Crashes()),
        deploy,
        1,
        (FAILED, BREAKER),
        holds(nothing_serves, again(deploy, then=serves_the_release)),
    ),
    FailureCase(
        "it crashes while ECS still rolls back the one before",
        "serving",
        both(will(Crashes()), fails, will(Crashes())),
        deploy,
        1,
        (FAILED, BREAKER),
        holds(
            still_serves,
            is_at(3),
            never_says("deployment-rolled-back"),
            again(deploy, then=serves_the_release),
        ),
    ),
    FailureCase(
        "its tasks become healthy and crash then, again and again",
        "serving",
        both(sets({"deploy.timeout_seconds": 40}), will(Flaps())),
        deploy,
        3,
        (TIMED_OUT, "EssentialContainerExited", "exit code 1", CONTINUES),
        still_serves,
    ),
    FailureCase(
        "it fails and nobody rolls it back",
        "serving",
        both(nobody_rolls_back, will(Crashes())),
        deploy,
        1,
        (FAILED, BREAKER),
        holds(still_serves, is_at(2), again(deploy, then=serves_the_release)),
    ),
    FailureCase(
        "it hangs",
        "serving",
        both(PATIENT, will(Hangs())),
        deploy,
        3,
        (TIMED_OUT, CONTINUES),
        holds(still_serves, again(deploy, 3, TIMED_OUT, then=never_asked("ecr:PutImage"))),
    ),
    FailureCase(
        "another deployment overtakes it",
        "serving",
        will(Overtaken()),
        deploy,
        1,
        (OVERTAKEN, "overtaken by ai-assistant-task:3"),
        is_at(3),
    ),
    FailureCase(
        "two releases are deployed at once",
        "serving",
        both(release, another_clone("ecs:DescribeServices", deploys_another_release, after=1)),
        deploy,
        1,
        (OVERTAKEN, "overtaken by ai-assistant-task:3"),
        is_at(3),
    ),
    FailureCase(
        "one release is deployed twice at once, and the other pushes first",
        "serving",
        both(release, another_clone("ecr:DescribeImages", deploy)),
        deploy,
        0,
        ("The image tag", "already exists", "docker could not push it: asking ECR"),
        holds(serves_the_release, one_image_for_each_commit),
    ),
    FailureCase(
        "one release is deployed twice at once, and the other finds the rollout under way",
        "serving",
        both(release, another_clone("ecs:DescribeServices", finds_it_under_way, after=1)),
        deploy,
        0,
        (STEADY,),
        holds(serves_the_release, is_at(2)),
    ),
    # --- its tasks ---
    FailureCase(
        "the image cannot be pulled",
        "serving",
        will(CannotPull()),
        deploy,
        1,
        ("TaskFailedToStart: CannotPullContainerError: pull image manifest", ROLLED_BACK),
        still_serves,
    ),
    FailureCase(
        "the health check of the container fails",
        "serving",
        will(Unhealthy()),
        deploy,
        1,
        ("failed container health checks", "unhealthy", "GET /health 500", ROLLED_BACK),
        still_serves,
    ),
    FailureCase(
        "the health check of the load balancer fails",
        "serving",
        will(UnhealthyTarget()),
        deploy,
        1,
        ("Health checks failed with these codes: [404]", "Task failed ELB health", ROLLED_BACK),
        still_serves,
    ),
    FailureCase(
        "the container exits",
        "serving",
        will(Crashes(3, ("ModuleNotFoundError: No module named 'pandas'",))),
        deploy,
        1,
        (
            "ai-assistant-container: exit code 3",
            "Last lines of the log of",
            "  ModuleNotFoundError: No module named 'pandas'",
        ),
        still_serves,
    ),
    FailureCase(
        "Fargate is out of capacity",
        "serving",
        both(PATIENT, will(OutOfCapacity())),
        deploy,
        3,
        (TIMED_OUT, "Reason: Capacity is unavailable at this time", CONTINUES),
        still_serves,
    ),
    FailureCase(
        "the execution role may not read a secret",
        "serving",
        names_a_secret,
        deploy,
        1,
        (
            "ResourceInitializationError: unable to pull secrets",
            "is not authorized to perform: secretsmanager:GetSecretValue",
            ROLLED_BACK,
        ),
        holds(
            still_serves,
            again(StoryService.provision, 0, "1 to add", then=nothing_more),
            again(deploy, then=serves_the_release),
        ),
    ),
    # --- AWS and the way to it ---
    FailureCase(
        "AWS throttles it once",
        "serving",
        both(release, lambda service: service.aws.faults.throttle("ecs:UpdateService")),
        deploy,
        0,
        (STEADY,),
        serves_the_release,
    ),
    FailureCase(
        "AWS throttles it for ever",
        "serving",
        both(ONE_TRY, release, is_throttled_for_ever("ecs:DescribeServices")),
        deploy,
        2,
        (REFUSED, "(ThrottlingException)", "Rate exceeded"),
        still_serves,
    ),
    FailureCase(
        "AWS throttles it for ever before it has registered a revision",
        "serving",
        both(ONE_TRY, release, is_throttled_for_ever("ecs:RegisterTaskDefinition")),
        deploy,
        1,  # the image was pushed
        (REFUSED, "ecs:RegisterTaskDefinition", "Rate exceeded"),
        holds(still_serves, is_at(1)),
    ),
    FailureCase(
        "AWS throttles it for ever once the rollout has begun",
        "serving",
        both(
            ONE_TRY,
            release,
            when("ecs:UpdateService", is_throttled_for_ever("ecs:DescribeServices")),
        ),
        deploy,
        3,
        ("error[deployment-unanswered]", "Rate exceeded", CONTINUES),
        holds(still_serves, again(deploy, 0, STEADY, then=serves_the_release)),
    ),
    FailureCase(
        "the answer to the call that begins the rollout is lost",
        "serving",
        both(ONE_TRY, release, lambda service: service.aws.faults.drop("ecs:UpdateService")),
        deploy,
        3,
        (
            "error[change-unknown]",
            "Whether ECS has started to deploy ai-assistant-task:2 is unknown.",
        ),
        holds(still_serves, again(deploy, then=serves_the_release)),
    ),
    FailureCase(
        "the answer to the call that begins the rollout is lost, and aws asks again",
        "serving",
        both(release, lambda service: service.aws.faults.lose_answer("ecs:UpdateService")),
        deploy,
        0,
        (STEADY,),
        holds(serves_the_release, is_at(2)),
    ),
    FailureCase(
        "the answer to the call that creates the service is lost, and aws asks again",
        "provisioned",
        lambda service: service.aws.faults.lose_answer("ecs:CreateService"),
        deploy,
        0,
        (STEADY,),
        holds(serves_the_release, is_at(1)),
    ),
    FailureCase(
        "AWS is too busy to say who asks",
        "serving",
        both(ONE_TRY, release, is_throttled_for_ever("sts:GetCallerIdentity")),
        deploy,
        2,
        (REFUSED, "sts:GetCallerIdentity", "Rate exceeded"),
        holds(still_serves, never_says("sign in")),
    ),
    FailureCase(
        "there is no such region",
        "serving",
        both(ONE_TRY, moves_to("us-west-9"), environment(AWS_ENDPOINT_URL=NOBODY_HERE)),
        deploy,
        2,
        ("error[aws-unreachable]", "check [service] region in infra/settings.toml"),
        holds(still_serves, never_says("sign in")),
    ),
    FailureCase(
        "the token has expired",
        "serving",
        both(release, loses_its_credentials),
        deploy,
        2,
        (SIGN_IN, "token included in the request is expired"),
        still_serves,
    ),
    FailureCase(
        "the token expires while the rollout is watched",
        "serving",
        both(release, when("ecs:UpdateService", loses_its_credentials)),
        deploy,
        3,
        ("error[deployment-unanswered]", "is expired", CONTINUES),
        holds(still_serves, again(deploy, 0, STEADY, then=serves_the_release)),
    ),
    FailureCase(
        "there are no credentials",
        "serving",
        both(release, environment(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")),
        deploy,
        2,
        (SIGN_IN, "Unable to locate credentials", "aws sso login"),
        still_serves,
    ),
    FailureCase(
        "the credentials are nobody's",
        "serving",
        both(release, environment(AWS_ACCESS_KEY_ID="AKIANOBODY0000000000")),
        deploy,
        2,
        (SIGN_IN, "The security token included in the request is invalid"),
        still_serves,
    ),
    FailureCase(
        "the account is the wrong one",
        "serving",
        moves_to("us-east-1", account="210987654321"),
        deploy,
        2,
        ("error[account-differs]", "sign in to account 210987654321"),
        still_serves,
    ),
    FailureCase(
        "the region is the wrong one",
        "serving",
        moves_to("eu-west-1"),
        deploy,
        2,
        ("error[stack-missing]", "does not exist in eu-west-1"),
        still_serves,
    ),
    FailureCase(
        "only the shell is set to another region",
        "serving",
        both(release, environment(AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="eu-west-1")),
        deploy,
        0,
        (STEADY,),
        serves_the_release,
    ),
    # --- the infrastructure ---
    FailureCase(
        "there is no stack",
        "nothing",
        all_is_well,
        deploy,
        2,
        ("error[stack-missing]", "uv run --frozen -m infra provision"),
        nothing_serves,
    ),
    FailureCase(
        "there is no cluster",
        "provisioned",
        by_hand("ecs", "delete_cluster", cluster="{names.cluster}"),
        deploy,
        2,
        ("error[cluster-missing]", "uv run --frozen -m infra provision"),
        nothing_serves,
    ),
    FailureCase(
        "there is no repository",
        "serving",
        both(
            release,
            by_hand("ecr", "delete_repository", repositoryName="{names.repository}", force=True),
        ),
        deploy,
        2,
        ("error[repository-missing]", "uv run --frozen -m infra provision"),
        is_at(1),
    ),
    FailureCase(
        "there is no log group",
        "serving",
        both(release, by_hand("logs", "delete_log_group", logGroupName="{names.log_group}")),
        deploy,
        1,
        ("ResourceInitializationError", "The specified log group does not exist", ROLLED_BACK),
        still_serves,
    ),
    FailureCase(
        "there is no execution role",
        "serving",
        both(PATIENT, release, loses_its_execution_role),
        deploy,
        3,
        (TIMED_OUT, "ECS was unable to assume the role", CONTINUES),
        still_serves,
    ),
    FailureCase(
        "the service is being deleted",
        "serving",
        both(
            release,
            by_hand(
                "ecs",
                "delete_service",
                cluster="{names.cluster}",
                service="{names.service}",
                force=True,
            ),
        ),
        deploy,
        2,
        ("error[service-draining]",),
        nothing_more,
    ),
    # --- its image ---
    FailureCase(
        "ECR has the image already",
        "serving",
        was_pushed_already,
        deploy,
        0,
        (STEADY,),
        holds(
            serves_the_release, never_asked("ecr:GetAuthorizationToken", "ecr:InitiateLayerUpload")
        ),
    ),
    FailureCase(
        "the tag of this commit is given to another image",
        "serving",
        has_an_image_of_another_commit,
        deploy,
        1,
        ("error[url-other-commit]",),
        holds(never_asked("ecr:InitiateLayerUpload"), runs_the_image_of_its_tag),
    ),
    FailureCase(
        "the push breaks half-way",
        "serving",
        both(release, lambda service: service.aws.faults.drop("ecr:UploadLayerPart", after=1)),
        deploy,
        1,
        ("EOF", "error[image-not-pushed]"),
        holds(still_serves, is_at(1), again(deploy, then=serves_the_release)),
    ),
    # --- this machine, and what is to be deployed ---
    FailureCase(
        "there is no docker",
        "serving",
        both(release, lacks("docker")),
        deploy,
        2,
        ("error[docker-missing]",),
        holds(still_serves, never_asked("ecs:RegisterTaskDefinition")),
    ),
    FailureCase(
        "docker does not answer",
        "serving",
        both(release, environment(SIMULATED_DOCKER="off")),
        deploy,
        2,
        ("error[docker-silent]",),
        still_serves,
    ),
    FailureCase(
        "something is not committed",
        "serving",
        lambda service: service.write("app/main.py", "print()\n"),
        deploy,
        2,
        ("error[not-committed]", "app/main.py"),
        holds(still_serves, never_asked("sts:GetCallerIdentity")),
    ),
    FailureCase(
        "there is no lock",
        "serving",
        lambda service: service.git("rm", "--quiet", "uv.lock"),
        deploy,
        2,
        ("error[lock-not-committed]",),
        holds(still_serves, never_asked("sts:GetCallerIdentity")),
    ),
    FailureCase(
        "the container has another name",
        "serving",
        edits("infra/task-definition.json", "ai-assistant-container", "web"),
        deploy,
        2,
        ("error[document-wrong]", "0 containers are named ai-assistant-container"),
        holds(still_serves, never_asked("sts:GetCallerIdentity")),
    ),
    FailureCase(
        "a document is broken",
        "serving",
        edits("infra/task-definition.json", '"essential": true,', '"essential": true,,'),
        deploy,
        2,
        ("error[document-broken]", "infra/task-definition.json"),
        holds(still_serves, never_asked("sts:GetCallerIdentity")),
    ),
    FailureCase(
        "Fargate has no such size",
        "serving",
        edits("infra/task-definition.json", '"cpu": "256"', '"cpu": "300"'),
        deploy,
        1,
        (REFUSED, "ecs:RegisterTaskDefinition", "No Fargate configuration exists"),
        holds(still_serves, is_at(1)),
    ),
    # --- going back ---
    FailureCase(
        "there is nothing to go back to",
        "serving",
        all_is_well,
        rollback,
        2,
        ("error[no-earlier-revision]",),
        still_serves,
    ),
    FailureCase(
        "the image to go back to has expired",
        "twice deployed",
        its_first_image_expires,
        rollback,
        2,
        ("error[revision-unusable]", "its image has expired"),
        holds(still_serves, is_at(2)),
    ),
    FailureCase(
        "the revision to go back to is inactive",
        "twice deployed",
        by_hand("ecs", "deregister_task_definition", taskDefinition="{names.family}:1"),
        rollback,
        2,
        ("error[revision-unusable]", "INACTIVE"),
        holds(still_serves, is_at(2)),
    ),
    FailureCase(
        "what came before has never served",
        "twice deployed",
        both(will(Crashes()), fails, release, deploys),
        rollback,
        0,
        ("Rolling back to ai-assistant-task:2.",),
        is_at(2),
    ),
    FailureCase(
        "the earlier revision does not come up any more",
        "twice deployed",
        lambda service: service.aws.next_rollout(Crashes()),
        rollback,
        1,
        (ROLLED_BACK, "rolled back to ai-assistant-task:2"),
        holds(still_serves, is_at(2)),
    ),
    FailureCase(
        "there is no service to go back with",
        "provisioned",
        all_is_well,
        rollback,
        2,
        ("error[nothing-deployed]",),
        nothing_serves,
    ),
)


@pytest.mark.parametrize("row", parametrized(ROWS))
def test_a_failure_is_told_and_does_no_harm(world: World, row: FailureCase) -> None:
    row.holds(world)
