"""The ARNs that the execution role needs for a task definition. Pure.

ECS assumes that role before a container runs, to pull images, read secrets and files, and write the
log: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from infra.tool.api_model import Json
from infra.tool.settings import Settings
from infra.tool.shapes import Identity

# https://docs.aws.amazon.com/general/latest/gr/ecr.html
ECR_IMAGE = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)"
    r"\.(amazonaws\.com(\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)/(?P<repository>[^:@]+)"
)
# Secrets Manager adds a hyphen and six characters to the name of a secret.
SIX_CHARACTERS = "-??????"


class Kind(Enum):
    """The kind of an ARN: the parameter of infra/stack.yml that grants it, and its name in text."""

    SECRET = ("SecretArns", "secret")
    PARAMETER = ("ParameterArns", "secret")
    FILE = ("FileArns", "file")
    BUCKET = ("FileBucketArns", "bucket of a file")
    REPOSITORY = ("ImageRepositoryArns", "repository")
    LOG_GROUP = ("OtherLogGroupArns", "log group")
    NEW_LOG_GROUP = ("CreatedLogGroupArns", "log group to create")

    @property
    def parameter(self) -> str:
        return self.value[0]

    @property
    def word(self) -> str:
        return self.value[1]


@dataclass(frozen=True)
class Grant:
    arn: str
    kind: Kind


Grants = frozenset[Grant]


@dataclass(frozen=True)
class Need:
    """A member of a task definition for which the execution role needs permissions."""

    member: str  # for example containerDefinitions[0].secrets[1].valueFrom
    value: str  # in the task definition
    grants: tuple[Grant, ...]  # empty: the role always has it, or needs no permission


def here(settings: Settings) -> Identity:
    service = settings.service
    return Identity(service.partition, service.region, service.account)


def grants(task_definition: Json, settings: Settings) -> Grants:
    """Grants that the stack needs beside the repository and the log group of the service."""
    return Grants(
        grant for need in needs(task_definition, settings) for grant in need.grants
    ) - of_the_stack(settings)


def of_the_stack(settings: Settings) -> Grants:
    """The grants that every stack contains."""
    names, own = settings.names, here(settings)
    return Grants(
        [
            Grant(own.arn("ecr", f"repository/{names.repository}"), Kind.REPOSITORY),
            Grant(own.arn("logs", f"log-group:{names.log_group}:*"), Kind.LOG_GROUP),
        ]
    )


def needs(task_definition: Json, settings: Settings) -> Iterator[Need]:
    """Every member of a task definition for which the execution role needs permissions."""
    for number, container in enumerate(task_definition.get("containerDefinitions", [])):
        for need in of_container(container, settings):
            yield Need(f"containerDefinitions[{number}].{need.member}", need.value, need.grants)
    for number, volume in enumerate(task_definition.get("volumes", [])):
        file_server = volume.get("fsxWindowsFileServerVolumeConfiguration", {})
        member = "authorizationConfig.credentialsParameter"
        if value := file_server.get("authorizationConfig", {}).get("credentialsParameter"):
            where = f"volumes[{number}].fsxWindowsFileServerVolumeConfiguration.{member}"
            yield Need(where, value, secret(value, settings))


def of_container(container: Mapping[str, Any], settings: Settings) -> Iterator[Need]:
    if name := container.get("image"):
        yield Need("image", name, image(name, settings))
    if value := container.get("repositoryCredentials", {}).get("credentialsParameter"):
        where = "repositoryCredentials.credentialsParameter"
        yield Need(where, value, credentials(value, settings))
    for number, each in enumerate(container.get("secrets", [])):
        value = each["valueFrom"]
        yield Need(f"secrets[{number}].valueFrom", value, secret(value, settings))
    for number, each in enumerate(container.get("environmentFiles", [])):
        yield Need(f"environmentFiles[{number}].value", each["value"], file(each["value"]))
    for number, value in enumerate(container.get("credentialSpecs", [])):
        arn = value.partition(":")[2]  # after credentialspec or credentialspecdomainless
        found = file(arn) if ":s3:" in arn else secret(arn, settings)
        yield Need(f"credentialSpecs[{number}]", value, found)
    yield from of_log(container.get("logConfiguration", {}), settings)


def of_log(log: Mapping[str, Any], settings: Settings) -> Iterator[Need]:
    """The driver awsfirelens needs nothing: its router is a container, with the task role."""
    for number, each in enumerate(log.get("secretOptions", [])):
        value = each["valueFrom"]
        where = f"logConfiguration.secretOptions[{number}].valueFrom"
        yield Need(where, value, secret(value, settings))
    options = log.get("options", {})
    if log.get("logDriver") != "awslogs" or "awslogs-group" not in options:
        return
    group, own = options["awslogs-group"], here(settings)
    region = options.get("awslogs-region", own.region)
    arn = Identity(own.partition, region, own.account).arn("logs", f"log-group:{group}:*")
    kinds = [Kind.LOG_GROUP]
    if options.get("awslogs-create-group", "").lower() in ("true", "t", "1"):
        kinds.append(Kind.NEW_LOG_GROUP)
    where = "logConfiguration.options.awslogs-group"
    yield Need(where, group, tuple(Grant(arn, kind) for kind in kinds))


def secret(value: str, settings: Settings) -> tuple[Grant, ...]:
    """A secret by its ARN, which may name a key, stage and version; or a parameter by its ARN or,
    in this region, by its name."""
    if ":secretsmanager:" in value:
        return (Grant(":".join(value.split(":")[:7]), Kind.SECRET),)
    if not value.startswith("arn:"):
        value = here(settings).arn("ssm", f"parameter/{value.removeprefix('/')}")
    return (Grant(value, Kind.PARAMETER),)


def credentials(value: str, settings: Settings) -> tuple[Grant, ...]:
    """The credentials of a private registry: a secret by its ARN or, in this region, by name."""
    if value.startswith("arn:"):
        return secret(value, settings)
    arn = here(settings).arn("secretsmanager", f"secret:{value}{SIX_CHARACTERS}")
    return (Grant(arn, Kind.SECRET),)


def file(arn: str) -> tuple[Grant, ...]:
    """An object of S3, and its bucket, of which ECS requests the location."""
    return Grant(arn, Kind.FILE), Grant(arn.partition("/")[0], Kind.BUCKET)


def image(name: str, settings: Settings) -> tuple[Grant, ...]:
    """The repository of an image; empty outside private registries of ECR. The policy of another
    account's repository must also allow this account to pull."""
    if not (found := ECR_IMAGE.match(name)):
        return ()
    owner = Identity(settings.service.partition, found["region"], found["account"])
    return (Grant(owner.arn("ecr", f"repository/{found['repository']}"), Kind.REPOSITORY),)
