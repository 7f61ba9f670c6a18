"""One deployment of the service: its identity and its outcome. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from infra.tool.ecs_service import Deployment, EcsService, Event
from infra.tool.text import last_part


@dataclass(frozen=True)
class Started:
    """A deployment when it began, or when a command began to watch it."""

    id: str
    task_definition: str  # ARN
    created: datetime
    earlier: frozenset[str]  # ARNs of the revisions that ECS can roll back to

    @property
    def revision(self) -> str:
        """FAMILY:N."""
        return last_part(self.task_definition)


def started(service: EcsService) -> Started:
    """The deployment that a service has, or is changing to."""
    primary = service.primary
    assert primary is not None, "an active service has a PRIMARY deployment"
    others = (each for each in service.deployments if each.id != primary.id)
    return Started(
        id=primary.id,
        task_definition=primary.task_definition,
        created=primary.created,
        earlier=frozenset(each.task_definition for each in others),
    )


class Verdict(Enum):
    """The state or the outcome of a deployment."""

    IN_PROGRESS = "in progress"
    STEADY = "in steady state"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    OVERTAKEN = "overtaken"
    OVERTAKEN_AFTER_STEADY = "overtaken after it was in steady state"
    DELETED = "its service is being deleted"


def verdict(before: Started, now: EcsService | None) -> Verdict:
    """The verdict on a deployment, from the service as it is now; None if the service is gone.

    ECS itself replaces a deployment only if it failed. So if another one is PRIMARY and ours has
    not failed, a person or another command started it.
    """
    if now is None or now.status != "ACTIVE":
        return Verdict.DELETED
    ours, primary = now.deployment(before.id), now.primary
    if ours and ours.status == "PRIMARY":
        ends = {"COMPLETED": Verdict.STEADY, "FAILED": Verdict.FAILED}
        return ends.get(ours.state, Verdict.IN_PROGRESS)
    if ours and ours.state == "COMPLETED":
        return Verdict.OVERTAKEN_AFTER_STEADY
    if primary is None:
        return Verdict.IN_PROGRESS
    went_back = primary.task_definition in before.earlier and (not ours or ours.state == "FAILED")
    if went_back or "rolling back" in primary.reason:
        return Verdict.ROLLED_BACK
    return Verdict.OVERTAKEN


def phase(before: Started, now: EcsService) -> str:
    """The step that the deployment waits for, in words."""
    ours = now.deployment(before.id)
    if ours is None:
        return "ECS does not list the deployment"
    counts = f"{ours.running} of {ours.desired} tasks running"
    if ours.pending:
        counts += f", {ours.pending} starting"
    if ours.failed:
        counts += f", {ours.failed} failed"
    if ours.status != "PRIMARY" or ours.state != "IN_PROGRESS":
        return f"{counts}, {ours.state}"
    if is_baking(before, now):
        return f"{counts}, baking: ECS waits whether an alarm goes off"
    return f"{counts}, waiting for {awaited(ours, now)}"


def is_baking(before: Started, now: EcsService) -> bool:
    """Whether the new tasks serve alone, and ECS completes the deployment after the bake time of
    its alarms. A first deployment has no earlier tasks by whose end this shows."""
    ours = now.deployment(before.id)
    if ours is None or (ours.status, ours.state) != ("PRIMARY", "IN_PROGRESS"):
        return False
    others = sum(each.running + each.pending for each in now.deployments if each.id != ours.id)
    is_alone = 0 < ours.desired <= ours.running and not ours.pending and not others
    return now.has_alarms and bool(before.earlier) and is_alone


def awaited(ours: Deployment, now: EcsService) -> str:
    """The reason why a deployment is still in progress."""
    if ours.running < ours.desired:
        return "tasks to start"
    leaving = sum(each.running + each.pending for each in now.deployments if each.id != ours.id)
    if leaving:
        return f"them to become healthy, then for {leaving} earlier to stop"
    return "them to become healthy"


def events_since(before: Started, now: EcsService) -> Sequence[Event]:
    """The events of the service since the deployment began, oldest first."""
    return [event for event in reversed(now.events) if event.time >= before.created]
