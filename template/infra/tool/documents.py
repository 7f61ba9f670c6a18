"""The documents of the service: JSON files that AWS receives. Pure, except for reading them."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.tool import autoscaling_document, deployment_alarms, quotas, service_document, tags
from infra.tool.api_model import Json, about_shape
from infra.tool.errors import Problem
from infra.tool.settings import Settings
from infra.tool.tags import COMMIT, DOCUMENT

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

# The lines of Git and Copier around the two sides of a conflict.
CONFLICT = re.compile(r"^(<{7}|={7}|>{7})(?= |$)", re.MULTILINE)
JSON_TYPES = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}

PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}


@dataclass(frozen=True)
class Documents:
    task_definition: Json
    service: Json
    autoscaling: Json

    @property
    def platform(self) -> str:
        """The platform of the image, as Docker names it."""
        return platform_of(self.task_definition)


def platform_of(task_definition: Json) -> str:
    """The platform of the image of a task definition; X86_64 is the default of ECS."""
    platform = task_definition.get("runtimePlatform", {})
    return PLATFORMS[platform.get("cpuArchitecture", "X86_64")]


def read(root: Path, settings: Settings) -> Documents:
    """The documents of a deploy, two of them with [tags] beside their own. Raises ToolError with
    all complaints about the first wrong one."""
    task_definition, service, autoscaling = (
        parse(root, name) for name in ("task-definition.json", "service.json", "autoscaling.json")
    )
    documents = Documents(
        tags.merged(settings.tags, task_definition),
        tags.merged(settings.tags, service),
        autoscaling,
    )
    for name, complaints in (
        ("task-definition.json", [*about_task_definition(documents.task_definition, settings)]),
        ("service.json", [*about_service(documents.service, settings)]),
        ("autoscaling.json", [*autoscaling_document.complaints(documents.autoscaling)]),
    ):
        if complaints:
            raise WRONG(name=name, complaints="; ".join(complaints))
    return documents


def about_service(service: Json, settings: Settings) -> Iterator[str]:
    """Complaints about infra/service.json."""
    wrong = [*service_document.complaints(service)]
    yield from wrong or deployment_alarms.complaints(service, settings)


def require_updatable(service: Json, settings: Settings, running: Mapping[str, Any]) -> None:
    """Raises ToolError if a running service cannot be updated to infra/service.json."""
    sent = deployment_alarms.for_update(service, settings, running)
    if complaints := [*service_document.complaints_about_update(sent, running)]:
        raise WRONG(name="service.json", complaints="; ".join(complaints))


def parse(root: Path, name: str, *, folder: str = "infra") -> Json:
    """One document. Raises ToolError if it is not one JSON object."""
    path, text = f"{folder}/{name}", ""
    try:
        text = (root / path).read_text(encoding="utf-8")
        document = json.loads(text, object_pairs_hook=without_repetition)
    except FileNotFoundError:
        raise BROKEN(path=path, why="it does not exist") from None
    except (OSError, ValueError) as error:
        raise BROKEN(path=path, why=reason(text, error)) from None
    if not isinstance(document, dict):
        raise BROKEN(path=path, why=f"it is {JSON_TYPES.get(type(document), 'a number')}")
    return document


def without_repetition(pairs: Sequence[tuple[str, Any]]) -> Json:
    """An object without duplicate members, of which `json` would silently keep the last."""
    names = [name for name, _ in pairs]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"it names {repeated} twice in one object")
    return dict(pairs)


def reason(text: str, error: Exception) -> str:
    """Why a text is not JSON, and the place of the error."""
    if marker := CONFLICT.search(text):
        line = text.count("\n", 0, marker.start()) + 1
        return f"line {line} is a marker of a conflict that a merge or an update left"
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    if not text.strip():
        return "it is empty"
    where = f"line {error.lineno}, column {error.colno}"
    if error.msg == "Extra data":
        return f"a second document begins at {where}"
    return f"{error.msg} at {where}"


def about_task_definition(task: Json, settings: Settings) -> Iterator[str]:
    """Complaints about infra/task-definition.json."""
    wrong = about_shape("RegisterTaskDefinition", task)
    yield from wrong or [
        *about_names(task, settings),
        *about_roles(task, settings),
        *about_deployable(task),
        *quotas.about_task_definition(task),
    ]


def about_names(task: Json, settings: Settings) -> Iterator[str]:
    """Names that the task definition must repeat from the settings."""
    names = settings.names
    if (family := task["family"]) != names.family:
        yield f"its family is {family}, and [names] family is {names.family}"
    named = [each for each in task["containerDefinitions"] if each.get("name") == names.container]
    if len(named) != 1:
        yield f"{len(named)} containers are named {names.container}: exactly one must be"
        return
    ports = named[0].get("portMappings", [])
    if len(ports) != 1 or "containerPort" not in ports[0]:
        yield (
            f"{names.container} needs exactly one entry in portMappings, with a containerPort: "
            "it receives the requests"
        )
    image = f"{settings.service.registry}/{names.repository}"
    if named[0].get("image") != image:
        yield f"the image of {names.container} must be {image}: a deploy adds the digest"


def about_roles(task: Json, settings: Settings) -> Iterator[str]:
    """The two roles: permissions that ECS needs are those of the execution role, not of the app."""
    names = settings.names
    execution, role = (
        str(task.get(member, "")).rpartition("/")[2]
        for member in ("executionRoleArn", "taskRoleArn")
    )
    if execution != names.execution_role:
        yield f"the role in executionRoleArn must be {names.execution_role}: the stack grants it"
    if role in (names.execution_role, names.deploy_role):
        yield (
            f"the role in taskRoleArn must not be {role}, whose permissions the app would get: "
            f"use {names.task_role}"
        )


def about_deployable(task: Json) -> Iterator[str]:
    for tag in task.get("tags", []):
        if tag.get("key") in (COMMIT, DOCUMENT):
            yield f"the tag {tag['key']} is written by a deploy: give yours another key"
    yield from about_platform(task)


def about_platform(task: Json) -> Iterator[str]:
    """A complaint if infra/task-definition.json names a processor that Fargate lacks."""
    platform = task.get("runtimePlatform")
    architecture = platform.get("cpuArchitecture") if isinstance(platform, dict) else None
    if architecture not in list(PLATFORMS):  # a list, because JSON has values that cannot be hashed
        yield f"runtimePlatform.cpuArchitecture is {architecture}: it must be X86_64 or ARM64"
