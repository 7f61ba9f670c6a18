"""The documents of the service: JSON files that AWS receives. Pure, but for reading the files."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from botocore.model import Shape
from botocore.session import get_session
from botocore.validate import ParamValidator

from infra.tool.errors import Problem
from infra.tool.settings import Settings

Json = dict[str, Any]

BROKEN = Problem(
    "document-broken",
    "infra/{name} is not one JSON object: {why}",
    "correct it; git diff infra/{name} shows what changed",
)
WRONG = Problem(
    "document-wrong",
    "infra/{name}: {complaints}",
    "correct infra/{name}, then commit it",
)

PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}

# What a deploy adds to service.json and to each scaling policy: required members.
ADDED_TO_SERVICE = {"serviceName": "added"}
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
        ("service.json", [*about_service(documents.service)]),
        ("autoscaling.json", [*about_autoscaling(documents.autoscaling)]),
    ):
        if complaints:
            raise WRONG(name=name, complaints="; ".join(complaints))
    return documents


def parse(root: Path, name: str) -> Json:
    """One document. Raises ToolError if it is not one JSON object."""
    try:
        document = json.loads((root / "infra" / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BROKEN(name=name, why=error) from None
    if not isinstance(document, dict):
        raise BROKEN(name=name, why=f"it is a {type(document).__name__}")
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
    platform = task.get("runtimePlatform")
    architecture = platform.get("cpuArchitecture") if isinstance(platform, dict) else None
    if architecture not in PLATFORMS:
        yield f"runtimePlatform.cpuArchitecture is {architecture}: it must be X86_64 or ARM64"


def about_service(service: Json) -> Iterator[str]:
    """Complaints about infra/service.json."""
    yield from about_shape("CreateService", ADDED_TO_SERVICE | service)


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


def about_shape(operation: str, request: Mapping[str, Any]) -> Iterator[str]:
    """What the model of the AWS API refuses: unknown or missing members, wrong types."""
    report = ParamValidator().validate(request, input_shape(operation)).generate_report()
    for line in report.splitlines():
        yield line.partition(", must be one of:")[0]  # a list of all members, often very long


@cache
def input_shape(operation: str) -> Shape:
    """The input of an operation, as botocore's model describes it."""
    service = "application-autoscaling" if operation == "PutScalingPolicy" else "ecs"
    shape = get_session().get_service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return shape
