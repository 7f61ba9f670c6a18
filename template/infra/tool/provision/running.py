"""What runs now: the revisions of the service's deployments, and the subnets of their tasks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.tool.api_model import Json
from infra.tool.aws import tolerating
from infra.tool.ecs_service import EcsService
from infra.tool.lookup import read_service
from infra.tool.revision import read_revision
from infra.tool.target import Target


@dataclass(frozen=True)
class Running:
    task_definitions: Mapping[str, Json] = field(default_factory=dict)  # by FAMILY:N
    subnets: frozenset[str] = frozenset()


def read(target: Target) -> Running:
    """Empty if the service or its cluster does not exist. Raises AwsError."""
    service = None
    with tolerating("ClusterNotFoundException"):
        service = read_service(target.aws, target.settings.names)
    if service is None or service.is_draining:
        return Running()
    # While a deployment is in progress, ECS may roll back to the revision before.
    arns = dict.fromkeys(each.task_definition for each in service.deployments)
    revisions = [read_revision(target.aws, arn) for arn in arns]
    return Running({each.name: each.task_definition for each in revisions}, subnets(service))


def subnets(service: EcsService) -> frozenset[str]:
    """Of every deployment that has tasks."""
    deployments: list[dict[str, Any]] = service.answer.get("deployments", [])
    return frozenset(
        subnet
        for each in deployments
        if each.get("runningCount", 0) + each.get("pendingCount", 0)
        for subnet in each.get("networkConfiguration", {})
        .get("awsvpcConfiguration", {})
        .get("subnets", [])
    )
