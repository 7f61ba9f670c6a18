"""The ARNs that the roles of the service are granted. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from infra.tool.api_model import Json
from infra.tool.settings import Settings
from infra.tool.shapes import Identity

# A regional or global inference profile, which sends requests on to the model after this prefix.
# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
PROFILE = re.compile(r"([a-z]{2}(-gov)?|apac|global)\.")
# Secrets Manager adds a hyphen and six characters to the name of a secret.
WHOLE_SECRET = re.compile(r":secret:.+-[A-Za-z0-9]{6}$")


@dataclass(frozen=True)
class Secrets:
    """What the execution role reads for a task definition, as ARNs."""

    managed: frozenset[str] = frozenset()  # of Secrets Manager, without key, stage and version
    stored: frozenset[str] = frozenset()  # of Parameter Store

    def __or__(self, other: "Secrets") -> "Secrets":
        return Secrets(self.managed | other.managed, self.stored | other.stored)

    def __and__(self, other: "Secrets") -> "Secrets":
        return Secrets(self.managed & other.managed, self.stored & other.stored)

    def __sub__(self, other: "Secrets") -> "Secrets":
        return Secrets(self.managed - other.managed, self.stored - other.stored)

    @property
    def all(self) -> list[str]:
        return sorted(self.managed | self.stored)


def here(settings: Settings) -> Identity:
    service = settings.service
    return Identity(service.partition, service.region, service.account)


def secrets(task_definition: Json, settings: Settings) -> Secrets:
    """The secrets of every container and of its log driver."""
    values = [*references(task_definition)]
    managed = {value for value in values if ":secretsmanager:" in value}
    return Secrets(
        managed=frozenset(":".join(value.split(":")[:7]) for value in managed),
        stored=frozenset(parameter(value, settings) for value in values if value not in managed),
    )


def references(task_definition: Json) -> Iterator[str]:
    for container in task_definition.get("containerDefinitions", []):
        log = container.get("logConfiguration", {})
        for each in [*container.get("secrets", []), *log.get("secretOptions", [])]:
            yield each["valueFrom"]


def parameter(value: str, settings: Settings) -> str:
    """The ARN of a parameter that a task definition names by its ARN or, in its region, by name."""
    if value.startswith("arn:"):
        return value
    return here(settings).arn("ssm", f"parameter/{value.removeprefix('/')}")


def models(settings: Settings) -> list[str]:
    """What bedrock:InvokeModel must be granted for, without repetition."""
    found = (
        arn for name in settings.permissions.bedrock_models for arn in model(name, here(settings))
    )
    return list(dict.fromkeys(found))


def model(name: str, identity: Identity) -> Iterator[str]:
    """A model, or an inference profile and its model in any region: AWS chooses that."""
    partition, region = identity.partition, identity.region
    profile = name.partition(":inference-profile/")[2] or name
    if name.startswith("arn:"):
        yield name
    elif PROFILE.match(name):
        yield identity.arn("bedrock", f"inference-profile/{name}")
    else:
        yield f"arn:{partition}:bedrock:{region}::foundation-model/{name}"
    if PROFILE.match(profile):
        yield f"arn:{partition}:bedrock:*::foundation-model/{PROFILE.sub('', profile, count=1)}"


def buckets(settings: Settings) -> list[str]:
    partition = settings.service.partition
    return [f"arn:{partition}:s3:::{name}" for name in settings.permissions.s3_read_buckets]


def complaints(wanted: Secrets, models: Sequence[str]) -> Iterator[str]:
    """ARNs that would grant less than they seem to, or more."""
    for arn in wanted.all:
        if "*" in arn or "?" in arn:
            yield f"infra/task-definition.json names the secret {arn}: a wildcard grants others too"
    for arn in sorted(wanted.managed):
        if not WHOLE_SECRET.search(arn):
            yield (
                f"infra/task-definition.json names the secret {arn} without the six characters "
                "that Secrets Manager adds, so no permission would match it: copy the whole ARN, "
                "which ends in -??????, from aws secretsmanager list-secrets"
            )
    if has(":application-inference-profile/", models) and not has(":foundation-model/", models):
        yield (
            "[permissions] bedrock_models in infra/settings.toml names an application inference "
            "profile, but not the model behind it: add what it was created from, for example "
            "us.amazon.nova-lite-v1:0"
        )


def has(part: str, arns: Iterable[str]) -> bool:
    return any(part in arn for arn in arns)
