"""Reasons why a task does not start: its roles, its secrets, its image, its files, its log.

ECS assumes the execution role for these steps, so the role's policies decide. Wording: "Amazon ECS
stopped tasks error messages" (ECS Developer Guide), and the threads that the lines name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulator.ecs import pulls
from simulator.ecs.deployments import Deployment, Outcome
from simulator.ecs.execution_role import ExecutionRole
from simulator.ecs.pulls import RETRIED, SECRETS
from simulator.ecs.rollouts import Blocked, NotLaunched
from simulator.policies import Need
from simulator.refusal import Refused
from simulator.service import World
from simulator.vpc import Ec2
from simulator.ways_out import services_out_of_reach

Json = dict[str, Any]

ASSUMES_ROLES = "ecs-tasks.amazonaws.com"


def services_of(task_definition: Json) -> Iterator[str]:
    """The services that ECS calls before a container runs, by the names of VPC endpoints."""
    for container in task_definition["containerDefinitions"]:
        if ".dkr.ecr." in container["image"]:
            yield from ("ecr.api", "ecr.dkr", "s3")
        for secret in container.get("secrets", []):
            is_managed = ":secretsmanager:" in secret["valueFrom"]
            yield "secretsmanager" if is_managed else "ssm"
        if container.get("logConfiguration", {}).get("logDriver") == "awslogs":
            yield "logs"


@dataclass
class Obstacles:
    world: World

    def before(self, deployment: Deployment) -> Outcome | None:
        """The failure that stops the tasks of a deployment before a container runs, if any."""
        definition = deployment.task_definition
        for key in ("executionRoleArn", "taskRoleArn"):
            if key in definition and not self._assumes(definition[key]):
                return NotLaunched(
                    f"failed to launch a task with (error ECS was unable to assume the role "
                    f"'{definition[key]}' that was provided for this task. Please verify that the "
                    "role being passed has the proper trust relationship and permissions and that "
                    "your IAM user has permissions to pass this role.)."
                )
        if "executionRoleArn" not in definition:
            return None
        if reason := next(self._network(deployment), None):
            return Blocked(reason)
        role = self._executing(definition)
        reasons = (
            reason
            for check in CHECKS
            for container in definition["containerDefinitions"]
            for reason in check(container, role)
        )
        reason = next(reasons, None)
        return Blocked(reason) if reason else None

    def keep_from_writing(self, definition: Json, stream: Json) -> str:
        """Why the lines of a container do not reach its log stream; empty if they do.

        The log driver ignores this silently, and the task keeps running.
        """
        return self._executing(definition).denied("logs", "PutLogEvents", stream)

    def guardduty_agent(self, definition: Json, task: str) -> Json | None:
        """The container that GuardDuty adds to a task, if it monitors the tasks of the account."""
        if "executionRoleArn" not in definition:
            return None
        return pulls.guardduty_agent(self._executing(definition), task)

    def _executing(self, definition: Json) -> ExecutionRole:
        return ExecutionRole(self.world, definition["executionRoleArn"].split("/")[-1])

    def _assumes(self, role: str) -> bool:
        account = self.world.account
        context = {
            "aws:SourceAccount": account.id,
            "aws:SourceArn": account.arn("ecs", "task/cluster/task"),
        }
        try:
            return self.world.principals.lets_in(
                role.split("/")[-1], "Service", ASSUMES_ROLES, "sts:AssumeRole", context
            )
        except Refused:
            return False

    def _network(self, deployment: "Deployment") -> Iterator[str]:
        """aws-samples/generative-ai-sagemaker-cdk-demo#4 (ECR), aws/amazon-ecs-agent#1680 (image),
        hashicorp/terraform-provider-aws#33044 (secrets). Of the log, the words are ours."""
        network = deployment.settings["networkConfiguration"]["awsvpcConfiguration"]
        asked = list(services_of(deployment.task_definition))
        for service in services_out_of_reach(Ec2(self.world), network, asked):
            host = f"{service}.{self.world.account.region}.amazonaws.com"
            timeout = (
                f'"https://{host}/": i/o timeout. Please check your task network configuration.'
            )
            if service == "ecr.api":
                yield (
                    f"{SECRETS}unable to retrieve ecr registry auth: service call has been retried "
                    f"3 time(s): RequestError: send request failed caused by: Post {timeout}"
                )
            elif service in ("ecr.dkr", "s3"):
                yield f"CannotPullContainerError: failed to resolve or copy the image: {timeout}"
            else:
                yield f"ResourceInitializationError: {service}: {timeout}"


# --- each of the things that the execution role is for ---


def secrets(container: Json, role: ExecutionRole) -> Iterator[str]:
    """aws/copilot-cli#5752 (Secrets Manager) and #4504 (Systems Manager)."""
    options = container.get("logConfiguration", {}).get("secretOptions", [])
    for secret in [*container.get("secrets", []), *options]:
        yield from stored(secret["valueFrom"], role)


def stored(source: str, role: ExecutionRole) -> Iterator[str]:
    """Why a secret or a parameter is not read."""
    if ":secretsmanager:" in source:
        arn = ":".join(source.split(":")[:7])
        if no := role.fetched("secretsmanager", "GetSecretValue", {"SecretId": arn}):
            yield (
                f"{SECRETS}unable to retrieve secret from asm: {RETRIED}failed to fetch "
                f"secret {arn} from secrets manager: {no}"
            )
    elif no := role.fetched("ssm", "GetParameters", {"Names": [source]}):
        yield f"{SECRETS}unable to retrieve secrets from ssm: {RETRIED}{no}"


def environment_files(container: Json, role: ExecutionRole) -> Iterator[str]:
    """aws/aws-cdk#12720; the two permissions: "Task execution IAM role" (ECS Developer Guide)."""
    for number, file in enumerate(container.get("environmentFiles", []), start=1):
        if no := read_object(file["value"], role):
            yield (
                "ResourceInitializationError: failed to download env files: file download command: "
                f"non empty error stream: failed to download file {number}.env: {no}"
            )


def credential_specs(container: Json, role: ExecutionRole) -> Iterator[str]:
    """Where they are: `credentialSpecs` of the API's model. No source quotes the refusal."""
    for spec in container.get("credentialSpecs", []):
        arn = spec.partition(":")[2]
        if ":s3:" in arn and (no := read_object(arn, role)):
            yield f"ResourceInitializationError: failed to download the credential spec: {no}"
        elif ":ssm:" in arn:
            yield from stored(arn, role)


def read_object(arn: str, role: ExecutionRole) -> str:
    """Why an object of S3 is not read; empty if it is."""
    bucket, _, key = arn.rpartition(":")[2].partition("/")
    partition = arn.split(":")[1]
    where = Need("s3:GetBucketLocation", f"arn:{partition}:s3:::{bucket}")
    if role.lacks(where, Need("s3:GetObject", arn)):
        return "failed to write to a temporary file: AccessDenied: Access Denied"
    try:
        role.world.account.moto("s3", "HeadObject", {"Bucket": bucket, "Key": key})
    except Refused:
        return "failed to write to a temporary file: NoSuchKey: The specified key does not exist."
    return ""


LOGGER = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried "
    "1 times: failed to create Cloudwatch log "
)


def log(container: Json, role: ExecutionRole) -> Iterator[str]:
    """omenking/aws-bootcamp-cruddur-2023 and others show the first; the wordings are alike.
    awslogs-create-group: terraform-aws-modules/terraform-aws-ecs#313."""
    configuration = container.get("logConfiguration", {})
    if configuration.get("logDriver") != "awslogs":
        return
    account, options = role.world.account, configuration["options"]
    group, region = options["awslogs-group"], options.get("awslogs-region", account.region)
    about = account.arn("logs", f"log-group:{group}:log-stream:", region=region)
    if no := role.lacks(Need("logs:CreateLogStream", f"{about}stream")):
        yield f"{LOGGER}stream: {no}"
    if region != account.region or has_group(group, role):
        return  # of another region, it is taken to exist
    if options.get("awslogs-create-group") != "true":
        yield f"{LOGGER}stream: ResourceNotFoundException: The specified log group does not exist."
    elif no := role.lacks(Need("logs:CreateLogGroup", about)):
        yield f"{LOGGER}group: {no}"
    else:
        account.moto("logs", "CreateLogGroup", {"logGroupName": group})


def has_group(group: str, role: ExecutionRole) -> bool:
    asked = {"logGroupNamePrefix": group}
    found = role.world.account.moto("logs", "DescribeLogGroups", asked)["logGroups"]
    return group in [known["logGroupName"] for known in found]


# In this order: docs/reference/first-real-run.md.
CHECKS = (
    pulls.registry,
    pulls.private_registry,
    secrets,
    environment_files,
    credential_specs,
    pulls.image,
    log,
)
