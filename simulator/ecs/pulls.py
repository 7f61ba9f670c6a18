"""The images of a task: whether the execution role can pull them.

Of repositories of other accounts and regions, only those in `World.shared` exist: their policies
let this account pull.
"""

import re
from collections.abc import Iterator
from typing import Any

from simulator.ecs.execution_role import ExecutionRole
from simulator.policies import Need
from simulator.refusal import Refused

Json = dict[str, Any]

SECRETS = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: "
)
RETRIED = "service call has been retried 1 time(s): "
PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
# "Amazon ECR endpoints and quotas" (AWS General Reference): private registries.
ECR = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\."
    r"(amazonaws\.com(\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)/(?P<repository>[^:@]+)"
)
AGENT = "aws-guardduty-agent-fargate"


def registry(container: Json, role: ExecutionRole) -> Iterator[str]:
    """Why a private registry of ECR does not let the role in."""
    asks = ECR.match(container["image"])
    if asks and (no := role.denied("ecr", "GetAuthorizationToken", {})):
        yield f"{SECRETS}unable to retrieve ecr registry auth: {RETRIED}{no}"


def private_registry(container: Json, role: ExecutionRole) -> Iterator[str]:
    """Why the credentials of another registry are not read. Their secret is given by ARN, or by
    name in this region: "Private registry authentication for tasks" (ECS Developer Guide). The
    words are an assumption, except "unable to get registry auth from asm"."""
    if secret := container.get("repositoryCredentials", {}).get("credentialsParameter"):
        asked = {"SecretId": arn_of(secret, role)}
        if no := role.fetched("secretsmanager", "GetSecretValue", asked):
            yield (
                f"{SECRETS}unable to get registry auth from asm: {RETRIED}failed to fetch "
                f"secret {secret} from secrets manager: {no}"
            )


def arn_of(secret: str, role: ExecutionRole) -> str:
    """The ARN of a secret, which ends in six random characters: IAM decides on the ARN."""
    if secret.startswith("arn:"):
        return secret
    account = role.world.account
    found = account.moto("secretsmanager", "ListSecrets")["SecretList"]
    arns = [str(known["ARN"]) for known in found if known["Name"] == secret]
    return arns[0] if arns else account.arn("secretsmanager", f"secret:{secret}")


def image(container: Json, role: ExecutionRole) -> Iterator[str]:
    """Why an image of ECR is not pulled (aws/containers-roadmap#2493)."""
    name = container["image"]
    found = ECR.match(name)
    if not found:
        return
    account = role.world.account
    arn = account.arn("ecr", f"repository/{found['repository']}", region=found["region"])
    arn = arn.replace(f":{account.id}:", f":{found['account']}:")
    failed = (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to "
        f"resolve ref {name}: "
    )
    is_shared = arn in role.world.shared
    is_other = found["account"] != account.id
    if role.lacks(*(Need(action, arn) for action in PULL)) or (is_other and not is_shared):
        yield f"{failed}unexpected status from HEAD request to {name}: 403 Forbidden"
    elif not is_shared and not (found["region"] == account.region and has_image(name, role)):
        yield f"{failed}{name}: not found"


def has_image(name: str, role: ExecutionRole) -> bool:
    """Whether an image is in a repository of this account and region."""
    repository, _, digest = name.partition("/")[2].partition("@")
    repository, _, tag = repository.partition(":")
    which = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
    asked = {"repositoryName": repository, "imageIds": [which]}
    try:
        return bool(role.world.account.moto("ecr", "DescribeImages", asked))
    except Refused:
        return False


def guardduty_agent(role: ExecutionRole, task: str) -> Json | None:
    """The container that GuardDuty's Runtime Monitoring adds to a task; None if that is off.

    If it cannot be pulled, the task still runs (aws/aws-cdk#32877). Each region has a registry, in
    an account of AWS: "ECR Repository for GuardDuty agent on AWS Fargate" (GuardDuty User Guide).
    """
    account, world = role.world.guardduty, role.world
    if not account:
        return None
    region = world.account.region
    agent = {
        "name": f"aws-guardduty-agent-{task[:6]}",
        "image": f"{account}.dkr.ecr.{region}.amazonaws.com/{AGENT}:v1.9.0-Fg_x86_64",
    }
    reasons = [*registry(agent, role), *image(agent, role)]
    if reasons:
        return agent | {"lastStatus": "STOPPED", "reason": reasons[0]}
    return agent | {"lastStatus": "RUNNING"}
