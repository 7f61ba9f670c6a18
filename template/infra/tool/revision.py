"""A revision of the task definition: registered from the document, recognised by two tags."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.tool.api_model import Json
from infra.tool.aws import Aws
from infra.tool.documents import Documents
from infra.tool.settings import Settings
from infra.tool.tags import COMMIT, DOCUMENT, as_table
from infra.tool.text import last_part, one_line


@dataclass(frozen=True)
class Revision:
    """A task definition, as DescribeTaskDefinition and RegisterTaskDefinition return it."""

    arn: str
    status: str  # ACTIVE, INACTIVE or DELETE_IN_PROGRESS
    commit: str  # value of the tag; empty without the tag
    document: str  # value of the tag; empty without the tag
    task_definition: Json
    tags: Mapping[str, str] = field(default_factory=dict)  # all of them

    @property
    def name(self) -> str:
        """FAMILY:N."""
        return last_part(self.arn)

    @property
    def number(self) -> int:
        return int(self.arn.rpartition(":")[2])

    def container(self, name: str) -> Json:
        """The container of a name; empty if it has none."""
        containers: list[Json] = self.task_definition.get("containerDefinitions", [])
        return next((each for each in containers if each.get("name") == name), {})


def read_revision(aws: Aws, task_definition: str) -> Revision:
    """A revision by its ARN or FAMILY:N. Raises AwsError."""
    answer = aws.ecs.describe_task_definition(taskDefinition=task_definition, include=["TAGS"])
    return as_revision(dict(answer))


def register(aws: Aws, request: Json) -> Revision:
    """Register a revision. Raises AwsError."""
    answer = dict(aws.ecs.register_task_definition(**request))
    return as_revision({"tags": request["tags"]} | answer)


def as_revision(answer: Json) -> Revision:
    task_definition = answer["taskDefinition"]
    tags = as_table(answer.get("tags", []))
    return Revision(
        arn=task_definition["taskDefinitionArn"],
        status=task_definition.get("status", ""),
        commit=one_line(tags.get(COMMIT, "")),
        document=tags.get(DOCUMENT, ""),
        tags=tags,
        task_definition=task_definition,
    )


def document_hash(request: Json, documents: Documents, settings: Settings) -> str:
    """A SHA-256 of all that a deployment depends on: with an equal hash and commit it would change
    nothing. `request` is what CreateService and UpdateService both get."""
    depends_on = [
        request,
        documents.task_definition,
        documents.autoscaling,
        settings.tasks.min,
        settings.tasks.max,
    ]
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()


def register_request(task_definition: Json, image: str, commit: str, document: str) -> Json:
    """For RegisterTaskDefinition: the document, the image by its digest in every container that
    names the service's repository without a tag, and the two tags. `image` is REPOSITORY@DIGEST."""
    repository = image.partition("@")[0]

    def with_image(container: Json) -> Json:
        return container | {"image": image} if container.get("image") == repository else container

    tags: list[Any] = task_definition.get("tags", [])
    return task_definition | {
        "containerDefinitions": [
            with_image(each) for each in task_definition["containerDefinitions"]
        ],
        "tags": [*tags, {"key": COMMIT, "value": commit}, {"key": DOCUMENT, "value": document}],
    }
