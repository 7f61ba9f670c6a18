"""What keeps a task from starting: its roles, its secrets, its image, its log.

ECS takes on the execution role to do these things, so what it may is decided by the role's own
policies. Wording: "Amazon ECS stopped tasks error messages" (ECS Developer Guide), and the threads
that the lines name.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from simulator.deployments import Deployment, Outcome
from simulator.permissions import needs
from simulator.principals import Principal
from simulator.refusal import Refused
from simulator.rollouts import Blocked, NotLaunched
from simulator.service import World

Json = dict[str, Any]

ASSUMES_ROLES = "ecs-tasks.amazonaws.com"
SECRETS = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: "
)
RETRIED = "service call has been retried 1 time(s): "
PULL = ("BatchGetImage", "GetDownloadUrlForLayer")


@dataclass
class Obstacles:
    world: World

    def before(self, deployment: Deployment) -> Outcome | None:
        """What stops the tasks of a deployment before a container runs, if anything does."""
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
        who = self._executing(definition)
        containers = definition["containerDefinitions"]
        reasons = (
            reason
            for check in (
                self._registry,
                self._private_registry,
                self._secrets,
                self._image,
                self._log,
            )
            for container in containers
            for reason in check(container, who)
        )
        reason = next(reasons, None)
        return Blocked(reason) if reason else None

    def keep_from_writing(self, definition: Json, stream: Json) -> str:
        """Why the lines of a container do not get to its log stream; empty where they do.

        The log driver goes on without a word: the task itself runs on.
        """
        return self._denied(self._executing(definition), "logs", "PutLogEvents", stream)

    def _executing(self, definition: Json) -> Principal:
        """The execution role, as ECS takes it on."""
        name = definition["executionRoleArn"].split("/")[-1]
        return self.world.principals.as_role(name, "task")

    # --- each of the things that the execution role is for ---

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

    def _registry(self, container: Json, who: Principal) -> Iterator[str]:
        asks = ".dkr.ecr." in container["image"]
        if asks and (no := self._denied(who, "ecr", "GetAuthorizationToken", {})):
            yield f"{SECRETS}unable to retrieve ecr registry auth: {RETRIED}{no}"

    def _private_registry(self, container: Json, who: Principal) -> Iterator[str]:
        """The secret with the credentials of another registry, by ARN, or by name in this region:
        "Private registry authentication for tasks" (ECS Developer Guide). Which words come before
        the reason, no source says but for "unable to get registry auth from asm"."""
        if secret := container.get("repositoryCredentials", {}).get("credentialsParameter"):
            asked = {"SecretId": self._arn_of(secret)}
            if no := self._fetched(who, "secretsmanager", "GetSecretValue", asked):
                yield (
                    f"{SECRETS}unable to get registry auth from asm: {RETRIED}failed to fetch "
                    f"secret {secret} from secrets manager: {no}"
                )

    def _arn_of(self, secret: str) -> str:
        """Of a secret by its name; IAM is asked by ARN, which ends in six random characters."""
        if secret.startswith("arn:"):
            return secret
        found = self.world.account.moto("secretsmanager", "ListSecrets")["SecretList"]
        arns = [str(known["ARN"]) for known in found if known["Name"] == secret]
        return arns[0] if arns else self.world.account.arn("secretsmanager", f"secret:{secret}")

    def _secrets(self, container: Json, who: Principal) -> Iterator[str]:
        """aws/copilot-cli#5752 (Secrets Manager) and #4504 (Systems Manager)."""
        for secret in container.get("secrets", []):
            source = secret["valueFrom"]
            if ":secretsmanager:" in source:
                arn = ":".join(source.split(":")[:7])
                if no := self._fetched(who, "secretsmanager", "GetSecretValue", {"SecretId": arn}):
                    yield (
                        f"{SECRETS}unable to retrieve secret from asm: {RETRIED}failed to fetch "
                        f"secret {arn} from secrets manager: {no}"
                    )
            elif no := self._fetched(who, "ssm", "GetParameters", {"Names": [source]}):
                yield f"{SECRETS}unable to retrieve secrets from ssm: {RETRIED}{no}"

    def _image(self, container: Json, who: Principal) -> Iterator[str]:
        image = container["image"]
        if ".dkr.ecr." not in image:
            return
        host, _, name = image.partition("/")
        owner, region = host.split(".")[0], host.split(".")[3]
        repository, _, digest = name.partition("@")
        repository, _, tag = repository.partition(":")
        there = {"repositoryName": repository}
        which = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
        failed = (
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to "
            f"resolve ref {image}: "
        )
        there |= {"registryId": owner}
        account = self.world.account
        is_other = owner != account.id  # no policy of a repository is simulated that lets one in
        if is_other or any(self._denied(who, "ecr", action, there) for action in PULL):
            # aws/containers-roadmap#2493
            yield f"{failed}unexpected status from HEAD request to {image}: 403 Forbidden"
        elif region != account.region or not self._has_image(there, which):
            yield f"{failed}{image}: not found"

    def _has_image(self, repository: Json, image: Json) -> bool:
        asked = repository | {"imageIds": [image]}
        try:
            return bool(self.world.account.moto("ecr", "DescribeImages", asked))
        except Refused:
            return False

    def _log(self, container: Json, who: Principal) -> Iterator[str]:
        """omenking/aws-bootcamp-cruddur-2023 and others show the first; both wordings are alike."""
        log = container.get("logConfiguration", {})
        if log.get("logDriver") != "awslogs":
            return
        group = log["options"]["awslogs-group"]
        failed = (
            "ResourceInitializationError: failed to validate logger args: create stream has been "
            "retried 1 times: failed to create Cloudwatch log stream: "
        )
        stream = {"logGroupName": group, "logStreamName": "stream"}
        if no := self._denied(who, "logs", "CreateLogStream", stream):
            yield failed + no
        asked = {"logGroupNamePrefix": group}
        found = self.world.account.moto("logs", "DescribeLogGroups", asked)["logGroups"]
        if group not in [known["logGroupName"] for known in found]:
            yield f"{failed}ResourceNotFoundException: The specified log group does not exist."

    # --- asking in the name of the role ---

    def _denied(self, who: Principal, service: str, operation: str, parameters: Json) -> str:
        """Why the role may not do it; empty where it may."""
        required = needs(service, operation, parameters, self.world.account)
        return self._said(lambda: self.world.principals.check(who, required))

    def _fetched(self, who: Principal, service: str, operation: str, parameters: Json) -> str:
        """Why the role does not get it, be it forbidden or not there."""
        if no := self._denied(who, service, operation, parameters):
            return no
        account = self.world.account
        answer: Json = {}
        no = self._said(lambda: answer.update(account.moto(service, operation, parameters)))
        if missing := answer.get("InvalidParameters"):
            return f"invalid ssm parameters: {', '.join(missing)}"
        return no

    @staticmethod
    def _said(ask: Callable[[], object]) -> str:
        try:
            ask()
        except Refused as refused:
            denied = refused.code == "AccessDenied"
            code = "AccessDeniedException" if denied else refused.code
            return f"{code}: {refused.message} status code: 400"
        return ""
