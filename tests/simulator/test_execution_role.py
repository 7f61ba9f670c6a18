"""ECS uses the execution role before a container runs; without a permission the task stops."""

from typing import Any

import pytest

from simulator.ecs.pulls import SECRETS
from simulator.fixtures import Ground, policy

Json = dict[str, Any]

# --- images and credentials of other registries ---


def stopped_reason(ground: Ground, **changes: Any) -> str:
    """Why a task of a container with these changes did not start; empty if it did."""
    ground.serving()
    ground.roll_out(**changes)
    ground.watch()
    return next((task["stoppedReason"] for task in ground.stopped_tasks() if failed(task)), "")


def reasons_of_next(ground: Ground, **changes: Any) -> str:
    """The same of another revision."""
    before = {task["taskArn"] for task in ground.stopped_tasks()}
    ground.roll_out(**changes)
    ground.watch()
    new = [task for task in ground.stopped_tasks() if task["taskArn"] not in before]
    return "\n".join(task["stoppedReason"] for task in new if failed(task))


def failed(task: Json) -> bool:
    return bool(task["stopCode"] == "TaskFailedToStart")


def private(secret: str) -> Json:
    return {
        "image": "ghcr.io/me/private",
        "repositoryCredentials": {"credentialsParameter": secret},
    }


def make_secret(ground: Ground) -> str:
    made = ground.aws.client("secretsmanager").create_secret(Name="ghcr", SecretString="{}")
    return str(made["ARN"])


def let_read(ground: Ground, secret: str) -> None:
    read = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
    ground.aws.client("iam").put_role_policy(
        RoleName="execution", PolicyName="secret", PolicyDocument=policy(read)
    )


def test_credentials_of_a_registry_are_read_by_the_execution_role(ground: Ground) -> None:
    reason = stopped_reason(ground, **private(make_secret(ground)))
    assert reason.startswith(f"{SECRETS}unable to get registry auth from asm: ")
    assert "not authorized to perform: secretsmanager:GetSecretValue" in reason


def test_credentials_of_a_registry_must_exist(ground: Ground) -> None:
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ghcr-abcdef"
    let_read(ground, secret)
    assert "ResourceNotFoundException" in stopped_reason(ground, **private(secret))


@pytest.mark.parametrize("by", ["ARN", "name"])
def test_with_the_permission_and_the_secret_tasks_start(ground: Ground, by: str) -> None:
    secret = make_secret(ground)
    let_read(ground, secret)
    assert stopped_reason(ground, **private(secret if by == "ARN" else "ghcr")) == ""


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("123456789012", "210987654321", "403 Forbidden"),
        ("us-east-1", "eu-west-1", "not found"),
    ],
)
def test_an_image_is_pulled_from_the_registry_that_its_name_names(
    ground: Ground, before: str, after: str, reason: str
) -> None:
    image = ground.image.replace(before, after)
    assert stopped_reason(ground, image=image).endswith(reason)


# --- images of other accounts, files, logs ---

AGENT = "arn:aws:ecr:us-east-1:210987654321:repository/app"


def allow(ground: Ground, action: str | list[str], *resources: str) -> None:
    """One more permission of the execution role."""
    statement = {"Effect": "Allow", "Action": action, "Resource": list(resources)}
    ground.aws.client("iam").put_role_policy(
        RoleName="execution", PolicyName="more", PolicyDocument=policy(statement)
    )


def test_an_image_of_another_account_needs_both_policies(ground: Ground) -> None:
    image = ground.image.replace("123456789012", "210987654321")
    ground.aws.world.shared.add(AGENT)
    assert stopped_reason(ground, image=image) == ""
    names = ["GetAuthorizationToken", "BatchGetImage", "GetDownloadUrlForLayer"]
    own = AGENT.replace("210987654321", "123456789012")
    ground.allow(
        "execution",
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": [f"ecr:{name}" for name in names], "Resource": own},
    )
    assert "403 Forbidden" in reasons_of_next(ground, image=image)


def with_file(ground: Ground, key: str = "app.env") -> Json:
    s3 = ground.aws.client("s3")
    s3.create_bucket(Bucket="files")
    s3.put_object(Bucket="files", Key="app.env", Body=b"A=1")
    return {"environmentFiles": [{"value": f"arn:aws:s3:::files/{key}", "type": "s3"}]}


@pytest.mark.parametrize("missing", ["s3:GetObject", "s3:GetBucketLocation"])
def test_an_environment_file_needs_two_permissions(ground: Ground, missing: str) -> None:
    granted = {"s3:GetObject", "s3:GetBucketLocation"} - {missing}
    allow(ground, sorted(granted), "arn:aws:s3:::files", "arn:aws:s3:::files/*")
    reason = stopped_reason(ground, **with_file(ground))
    assert reason.startswith("ResourceInitializationError: failed to download env files: ")
    assert "AccessDenied" in reason


@pytest.mark.parametrize(("key", "reason"), [("app.env", ""), ("other.env", "NoSuchKey")])
def test_an_environment_file_must_exist(ground: Ground, key: str, reason: str) -> None:
    allow(ground, "s3:Get*", "arn:aws:s3:::files", "arn:aws:s3:::files/*")
    found = stopped_reason(ground, **with_file(ground, key))
    assert (reason in found) if reason else found == ""


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("credentialspecdomainless:arn:aws:s3:::files/spec.json", "AccessDenied"),
        (
            "credentialspec:arn:aws:ssm:us-east-1:123456789012:parameter/spec",
            "ssm:GetParameters",
        ),
    ],
)
def test_a_credential_spec_is_read_by_the_execution_role(
    ground: Ground, spec: str, reason: str
) -> None:
    assert reason in stopped_reason(ground, credentialSpecs=[spec])


def logging(create: str, **more: Any) -> Json:
    options = {
        "awslogs-group": "/ecs/agent",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "ecs",
        "awslogs-create-group": create,
    }
    return {"logConfiguration": {"logDriver": "awslogs", "options": options} | more}


def test_a_log_group_that_does_not_exist_is_created_if_the_role_may(ground: Ground) -> None:
    assert "ResourceNotFoundException" in stopped_reason(ground, **logging("false"))
    assert "logs:CreateLogGroup" in reasons_of_next(ground, **logging("true"))
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/agent:*"
    allow(ground, "logs:CreateLogGroup", group)
    assert reasons_of_next(ground, **logging("true")) == ""


def test_the_secrets_of_a_log_driver_are_read_by_the_execution_role(ground: Ground) -> None:
    options = [{"name": "token", "valueFrom": make_secret(ground)}]
    reason = stopped_reason(ground, **logging("true", secretOptions=options))
    assert "unable to retrieve secret from asm" in reason


# --- GuardDuty (aws/aws-cdk#32877) ---


def agents(ground: Ground) -> list[Json]:
    ecs = ground.aws.client("ecs")
    arns = ecs.list_tasks(cluster="cluster", serviceName="app")["taskArns"]
    tasks = ecs.describe_tasks(cluster="cluster", tasks=arns)["tasks"]
    return [each for task in tasks for each in task["containers"] if "guardduty" in each["name"]]


def test_guardduty_adds_a_container_that_the_execution_role_must_be_able_to_pull(
    ground: Ground,
) -> None:
    ground.aws.world.guardduty = "593207742271"
    ground.serving()
    [agent] = agents(ground)
    assert agent["reason"].endswith("403 Forbidden"), "and the task runs on"
    ground.aws.world.shared.add(
        "arn:aws:ecr:us-east-1:593207742271:repository/aws-guardduty-agent-fargate"
    )
    [agent] = agents(ground)
    assert agent["lastStatus"] == "RUNNING"
