"""The ARNs that the task role is granted for the settings. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence

from infra.tool.provision.grants import here
from infra.tool.settings import Settings
from infra.tool.shapes import Identity

# A regional or global inference profile, which sends requests on to the model after this prefix.
# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
PROFILE = re.compile(r"([a-z]{2}(-gov)?|apac|global)\.")


def models(settings: Settings) -> list[str]:
    """The resources that bedrock:InvokeModel must be granted for, without repetition."""
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


def complaints(models: Sequence[str]) -> Iterator[str]:
    """ARNs that would grant less than they seem to."""
    if has(":application-inference-profile/", models) and not has(":foundation-model/", models):
        yield (
            "[permissions] bedrock_models in infra/settings.toml names an application inference "
            "profile, but not the model behind it: add what it was created from, for example "
            "us.amazon.nova-lite-v1:0"
        )


def has(part: str, arns: Iterable[str]) -> bool:
    return any(part in arn for arn in arns)
