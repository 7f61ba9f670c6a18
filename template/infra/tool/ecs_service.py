"""The ECS service and its deployments, as DescribeServices answers. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra.tool.text import last_part, one_line

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import DeploymentTypeDef, ServiceTypeDef


@dataclass(frozen=True)
class Event:
    id: str
    time: datetime  # in UTC; botocore gives it in the time zone of this machine
    message: str


@dataclass(frozen=True)
class Deployment:
    id: str
    status: str  # PRIMARY, ACTIVE or INACTIVE
    state: str  # IN_PROGRESS, COMPLETED or FAILED
    reason: str  # of the state, in the words of ECS; empty if it gives none
    task_definition: str  # ARN
    created: datetime  # in UTC, too
    desired: int  # numbers of tasks, as the next three
    running: int
    pending: int
    failed: int

    @property
    def revision(self) -> str:
        """FAMILY:N."""
        return last_part(self.task_definition)


@dataclass(frozen=True)
class EcsService:
    status: str  # ACTIVE or DRAINING
    desired: int  # numbers of tasks, as the next two
    running: int
    pending: int
    deployments: Sequence[Deployment]
    events: Sequence[Event]  # the latest first
    answer: Mapping[str, Any]  # all that ECS says of it

    def deployment(self, id: str) -> Deployment | None:
        """The deployment of an id, or None if it is not listed (any more)."""
        return next((each for each in self.deployments if each.id == id), None)

    @property
    def primary(self) -> Deployment | None:
        """The deployment that the service is to end at."""
        return next((each for each in self.deployments if each.status == "PRIMARY"), None)

    @property
    def has_alarms(self) -> bool:
        """Whether alarms may end a deployment: then ECS also waits for them before it completes
        one, which it calls the bake time."""
        configuration = self.answer.get("deploymentConfiguration", {})
        return bool(configuration.get("alarms", {}).get("enable"))

    @property
    def is_draining(self) -> bool:
        """Whether the service is being deleted."""
        return self.status == "DRAINING"


def as_service(answer: "ServiceTypeDef") -> EcsService:
    """A service of an answer of DescribeServices, CreateService or UpdateService."""
    return EcsService(
        status=answer.get("status", ""),
        desired=answer.get("desiredCount", 0),
        running=answer.get("runningCount", 0),
        pending=answer.get("pendingCount", 0),
        deployments=[as_deployment(each) for each in answer.get("deployments", [])],
        events=[
            Event(each["id"], each["createdAt"].astimezone(UTC), one_line(each.get("message", "")))
            for each in answer.get("events", [])
            if "id" in each and "createdAt" in each
        ],
        answer=answer,
    )


def as_deployment(answer: "DeploymentTypeDef") -> Deployment:
    return Deployment(
        id=answer.get("id", ""),
        status=answer.get("status", ""),
        state=answer.get("rolloutState", ""),
        reason=one_line(answer.get("rolloutStateReason", "")),
        task_definition=answer.get("taskDefinition", ""),
        created=answer["createdAt"].astimezone(UTC),
        desired=answer.get("desiredCount", 0),
        running=answer.get("runningCount", 0),
        pending=answer.get("pendingCount", 0),
        failed=answer.get("failedTasks", 0),
    )
