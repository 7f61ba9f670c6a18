"""Members of a task definition that would grant less than they seem to, or more. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.tool.api_model import Json
from infra.tool.provision.grants import SIX_CHARACTERS, Kind, Need, here, needs
from infra.tool.settings import Settings
from infra.tool.shapes import EXAMPLE_REGISTRY

PLACE = r"[a-z0-9-]+:[0-9]{12}"  # region and account


@dataclass(frozen=True)
class Shape:
    """The form of an ARN after its partition, as a regular expression, and an example."""

    rest: str
    what: str
    example: str


# Names as the API of each service has them. A comma would end an item of a parameter, "$" begins a
# variable of a policy.
SHAPES: Mapping[Kind, Shape] = {
    Kind.SECRET: Shape(
        rf"secretsmanager:{PLACE}:secret:[A-Za-z0-9/_+=.@-]+-([A-Za-z0-9]{{6}}|\?{{6}})",
        "the ARN of a secret",
        "secretsmanager:{place}:secret:key-a1b2c3",
    ),
    Kind.PARAMETER: Shape(
        rf"ssm:{PLACE}:parameter/[A-Za-z0-9_./-]+",
        "the name of a parameter, or the ARN of a parameter or secret",
        "ssm:{place}:parameter/key",
    ),
    Kind.FILE: Shape(
        r"s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^,*?$\s\"\\]+",
        "the ARN of an object of S3",
        "s3:::my-bucket/app.env",
    ),
    Kind.REPOSITORY: Shape(
        rf"ecr:{PLACE}:repository/[a-z0-9]+([._/-]+[a-z0-9]+)*", "an image", "ecr"
    ),
    Kind.LOG_GROUP: Shape(
        rf"logs:{PLACE}:log-group:[A-Za-z0-9._/#-]{{1,512}}:\*", "the name of a log group", "logs"
    ),
}
# An example of a value that is not an ARN.
NAMES = {
    Kind.REPOSITORY: f"{EXAMPLE_REGISTRY}/agent:1",
    Kind.LOG_GROUP: "/ecs/agent",
}


def complaints(task_definition: Json, settings: Settings) -> Iterator[str]:
    for need in needs(task_definition, settings):
        if why := complaint(need, settings):
            yield f"infra/task-definition.json: {need.member} is {need.value}: {why}"


def complaint(need: Need, settings: Settings) -> str:
    """The complaint about a member; empty if it is right."""
    if "*" in need.value or "?" in need.value:
        return "a wildcard grants others too"
    own = here(settings)
    for grant in need.grants:
        shape = SHAPES.get(grant.kind)
        if shape is None or re.fullmatch(rf"arn:{own.partition}:{shape.rest}", grant.arn):
            continue
        if grant.kind is Kind.SECRET:
            return (
                "it is not the whole ARN of a secret, or without the six characters that Secrets "
                f"Manager adds, so no permission would match it: copy the ARN, which ends in "
                f"{SIX_CHARACTERS}, from aws secretsmanager list-secrets"
            )
        place = f"{own.region}:{own.account}"
        arn = f"arn:{own.partition}:{shape.example.format(place=place)}"
        return f"expects {shape.what}, for example {NAMES.get(grant.kind, arn)}"
    return ""
