"""Responses of ECS, written by hand, for tests that need no account."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.tool.deployment import Started
from infra.tool.ecs_service import EcsService, as_service

Json = dict[str, Any]

BEGIN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FAMILY = "ai-assistant-task"
OURS = "ecs-svc/2"
BEFORE, NEW, LATER = 41, 42, 43  # numbers of revisions; NEW is ours


def arn(number: int, family: str = FAMILY) -> str:
    """Of a revision of the task definition."""
    return f"arn:aws:ecs:us-east-1:123456789012:task-definition/{family}:{number}"


def listed(
    number: int = NEW,
    state: str = "IN_PROGRESS",
    *,
    status: str = "PRIMARY",
    id: str = "",
    running: int = 0,
    pending: int = 0,
    failed: int = 0,
    desired: int = 1,
    reason: str = "",
) -> Json:
    """A deployment in an answer of DescribeServices. That of NEW has the id OURS."""
    return {
        "id": id or f"ecs-svc/{number - BEFORE + 1}",
        "status": status,
        "rolloutState": state,
        "rolloutStateReason": reason,
        "taskDefinition": arn(number),
        "createdAt": BEGIN,
        "desiredCount": desired,
        "runningCount": running,
        "pendingCount": pending,
        "failedTasks": failed,
    }


def event(number: int, message: str, *, seconds: int = 1) -> Json:
    """An event of the service, so many seconds after the deployment began."""
    return {
        "id": f"event-{number}",
        "createdAt": BEGIN + timedelta(seconds=seconds),
        "message": message,
    }


def described(
    *deployments: Json, status: str = "ACTIVE", events: Sequence[Json] = (), **more: Any
) -> Json:
    """A service in an answer of DescribeServices. ECS lists the latest event first."""
    return {
        "status": status,
        "desiredCount": 1,
        "deployments": list(deployments),
        "events": list(reversed(events)),
        **more,
    }


def service(*deployments: Json, **more: Any) -> EcsService:
    answer: Any = described(*deployments, **more)
    return as_service(answer)


def started(*earlier: int) -> Started:
    """Our deployment as it began, with the revisions that ECS can roll back to."""
    return Started(OURS, arn(NEW), BEGIN, frozenset(arn(number) for number in earlier))
