"""The documents of the service: JSON files that AWS receives. Pure, but for reading the files."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.tool import service_request
from infra.tool.api_model import Json, about_shape
from infra.tool.errors import Problem
from infra.tool.settings import Settings

BROKEN = Problem(
    "document-broken",
    "{path} is not one JSON object: {why}",
    "correct it; git diff {path} shows what changed",
    file="{path}",
)
WRONG = Problem(
    "document-wrong",
    "infra/{name}: {complaints}",
    "correct infra/{name}, then commit it",
    file="infra/{name}",
)

# Tags of a revision, by which a deploy recognises its own.
COMMIT, DOCUMENT = "commit", "document"

PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}

# What a deploy adds to each scaling policy.
ADDED_TO_POLICY = {
    "ServiceNamespace": "ecs",
    "ResourceId": "added",
    "ScalableDimension": "ecs:service:DesiredCount",
}


@dataclass(frozen=True)
class Documents:
    task_definition: Json
    service: Json
    autoscaling: Json

    @property
    def platform(self) -> str:
        """What the image is built for, as Docker names it."""
        return PLATFORMS[self.task_definition["runtimePlatform"]["cpuArchitecture"]]


def read(root: Path, settings: Settings) -> Documents:
    """The documents of a deploy. Raises ToolError with all complaints about the first wrong one."""
    documents = Documents(
        *(
            parse(root, name)
            for name in ("task-definition.json", "service.json", "autoscaling.json")
        )
    )
    for name, complaints in (
        ("task-definition.json", [*about_task_definition(documents.task_definition, settings)]),
        ("service.json", [*service_request.complaints(documents.service)]),
        ("autoscaling.json", [*about_autoscaling(documents.autoscaling)]),
    ):
        if complaints:
            raise WRONG(name=name, complaints="; ".join(complaints))
    return documents


def require_updatable(service: Json, running: Mapping[str, Any]) -> None:
    """Raises ToolError if a running service cannot take over infra/service.json."""
    if complaints := [*service_request.complaints_about_update(service, running)]:
        raise WRONG(name="service.json", complaints="; ".join(complaints))


def parse(root: Path, name: str, *, folder: str = "infra") -> Json:
    """One document. Raises ToolError if it is not one JSON object."""
    path = f"{folder}/{name}"
    try:
        document = json.loads((root / path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BROKEN(path=path, why=error) from None
    if not isinstance(document, dict):
        raise BROKEN(path=path, why=f"it is a {type(document).__name__}")
    return document


def about_task_definition(task: Json, settings: Settings) -> Iterator[str]:
    """Complaints about infra/task-definition.json."""
    yield from about_shape("RegisterTaskDefinition", task)
    names = settings.names
    if task.get("family") != names.family:
        found = task.get("family")
        yield f"its family is {found}, and TASK_FAMILY in infra/settings.env is {names.family}"
    containers = task.get("containerDefinitions")
    named = [
        container
        for container in (containers if isinstance(containers, list) else [])
        if isinstance(container, dict) and container.get("name") == names.container
    ]
    if len(named) != 1:
        yield f"{len(named)} containers are named {names.container}: exactly one must be"
    elif len(named[0].get("portMappings", [])) != 1:
        yield f"{names.container} needs exactly one entry in portMappings: it receives the requests"
    else:
        image = f"{settings.service.registry}/{names.repository}"
        if named[0].get("image") != image:
            yield f"the image of {names.container} must be {image}: a deploy adds the digest"
    tags = task.get("tags")
    for tag in tags if isinstance(tags, list) else []:
        if isinstance(tag, dict) and tag.get("key") in (COMMIT, DOCUMENT):
            yield f"the tag {tag['key']} is written by a deploy: give yours another key"
    yield from about_platform(task)


def about_platform(task: Json) -> Iterator[str]:
    """A complaint if infra/task-definition.json names no processor that Fargate has."""
    platform = task.get("runtimePlatform")
    architecture = platform.get("cpuArchitecture") if isinstance(platform, dict) else None
    if architecture not in list(PLATFORMS):  # a list, because JSON has values that cannot be hashed
        yield f"runtimePlatform.cpuArchitecture is {architecture}: it must be X86_64 or ARM64"


def about_autoscaling(autoscaling: Json) -> Iterator[str]:
    """Complaints about infra/autoscaling.json."""
    policies = autoscaling.get("policies")
    if not isinstance(policies, list) or not all(isinstance(policy, dict) for policy in policies):
        yield 'it needs a list of scaling policies, for example {"policies": []}'
        return
    if unknown := autoscaling.keys() - {"policies"}:
        yield f"unknown members: {', '.join(sorted(unknown))}"
    for policy in policies:
        yield from about_shape("PutScalingPolicy", ADDED_TO_POLICY | policy)
