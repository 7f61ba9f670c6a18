"""The tasks of a deployment that stopped, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.tool.aws import Aws
from infra.tool.service_names import Names
from infra.tool.text import last_part, one_line

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ContainerTypeDef, TaskTypeDef

MOST_AT_ONCE = 100  # tasks that DescribeTasks takes
ENDED = frozenset({"DEPROVISIONING", "STOPPED"})  # states in which exit codes are known


@dataclass(frozen=True)
class StoppedTask:
    id: str
    stopped: datetime
    reason: str  # with the exit code or reason of each container
    log_stream_suffix: str  # CONTAINER/TASK of the service's own container, if it ran; else empty


def as_stopped_task(task: "TaskTypeDef", container: str) -> StoppedTask:
    """`container` is the name of the service's own."""
    id = last_part(task["taskArn"])
    containers = task.get("containers", [])
    ran = any(each.get("name") == container and "exitCode" in each for each in containers)
    parts = [f"{task.get('stopCode', 'stopped')}: {task.get('stoppedReason', 'no reason given')}"]
    parts += [f"{each.get('name', '')}: {end_of_container(each)}" for each in containers]
    return StoppedTask(
        id=id,
        stopped=task.get("stoppedAt", datetime.max.replace(tzinfo=UTC)),
        reason=one_line("; ".join(parts)),
        log_stream_suffix=f"{container}/{id}" if ran else "",
    )


def end_of_container(container: "ContainerTypeDef") -> str:
    found = []
    if "exitCode" in container:
        found.append(f"exit code {container['exitCode']}")
    if reason := container.get("reason"):
        found.append(reason)
    if container.get("healthStatus") == "UNHEALTHY":
        found.append("unhealthy")
    return ", ".join(found) or "no exit code"


@dataclass
class TaskWatcher:
    """Finds the tasks of one deployment as they stop, each once."""

    aws: Aws
    names: Names
    deployment: str  # id, which ECS notes as startedBy
    found: list[StoppedTask] = field(default_factory=list)
    _settled: set[str] = field(default_factory=set)  # ARNs that need not be described again

    def news(self, *, at_the_end: bool = False) -> Sequence[StoppedTask]:
        """The tasks that have ended since the last call. At the end, those that are still stopping
        count too, though their exit codes may not be known. Raises AwsError."""
        ended = []
        for task in list(self._describe_unsettled()):  # all, before any counts as settled
            ours = task.get("startedBy") == self.deployment
            if ours and task.get("lastStatus") not in ENDED and not at_the_end:
                continue
            self._settled.add(task["taskArn"])
            if ours:
                ended.append(as_stopped_task(task, self.names.container))
        ended.sort(key=lambda task: task.stopped)
        self.found += ended
        return ended

    def _describe_unsettled(self) -> Iterator["TaskTypeDef"]:
        pages = self.aws.ecs.get_paginator("list_tasks").paginate(
            cluster=self.names.cluster, serviceName=self.names.service, desiredStatus="STOPPED"
        )
        arns = [arn for page in pages for arn in page["taskArns"] if arn not in self._settled]
        for start in range(0, len(arns), MOST_AT_ONCE):
            some = arns[start : start + MOST_AT_ONCE]
            yield from self.aws.ecs.describe_tasks(cluster=self.names.cluster, tasks=some)["tasks"]
