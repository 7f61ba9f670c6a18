"""The tasks of a service, as DescribeTasks tells of them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

Json = dict[str, Any]

PLATFORM = {"platformVersion": "1.4.0", "platformFamily": "Linux"}


class ContainerApi(Protocol):
    """The part of ECS that a task uses."""

    def log(self, task: "Task", lines: tuple[str, ...]) -> None: ...
    def added_container(self, task: "Task") -> Json | None: ...


class TaskService(Protocol):
    """The part of its service that a task uses."""

    @property
    def cluster(self) -> str: ...
    @property
    def cluster_arn(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> Json: ...
    @property
    def tags(self) -> Json: ...
    @property
    def ecs(self) -> ContainerApi: ...


class TaskDeployment(Protocol):
    """The part of its deployment that a task uses."""

    @property
    def id(self) -> str: ...
    @property
    def service(self) -> TaskService: ...
    @property
    def revision(self) -> str: ...
    @property
    def task_definition(self) -> Json: ...
    @property
    def container(self) -> Json: ...
    @property
    def settings(self) -> Json: ...
    def stamp(self) -> datetime: ...


@dataclass
class Task:
    """One task. If a container of it fails, it is the first one."""

    arn: str
    deployment: TaskDeployment
    created: datetime
    status: str = "PROVISIONING"  # its lastStatus
    stop_code: str = ""
    reason: str = ""
    exit_code: int | None = None
    health: str = "UNKNOWN"
    started: datetime | None = None
    stopping: datetime | None = None
    stopped: datetime | None = None
    tags: Json = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def is_alive(self) -> bool:
        return self.stopping is None

    def run(self) -> None:
        self.status, self.health = "RUNNING", "HEALTHY"
        self.started = self.deployment.stamp()

    def say(self, *lines: str) -> None:
        """Write to the log, if the task definition and its roles allow it."""
        self.deployment.service.ecs.log(self, lines)

    def end(
        self, code: str, reason: str, *, exit_code: int | None = None, healthy: bool = True
    ) -> None:
        """The container has ended, and the task will stop."""
        self.stop_code, self.reason, self.exit_code = code, reason, exit_code
        if not healthy:
            self.health = "UNHEALTHY"
        self.stopping = self.deployment.stamp()
        self.status = "DEPROVISIONING"

    def stop(self) -> None:
        self.status, self.stopped = "STOPPED", self.deployment.stamp()

    def described(self) -> Json:
        deployment = self.deployment
        container = {
            "containerArn": self.arn.replace(":task/", ":container/") + "/1",
            "taskArn": self.arn,
            "name": deployment.container["name"],
            "image": deployment.container["image"],
            "lastStatus": "STOPPED" if self.stopping else self.status,
            "healthStatus": self.health,
        }
        if self.exit_code is not None:
            container["exitCode"] = self.exit_code
        elif self.stop_code == "TaskFailedToStart":
            container["reason"] = self.reason
        agent = deployment.service.ecs.added_container(self)
        described: Json = {
            "taskArn": self.arn,
            "clusterArn": deployment.service.cluster_arn,
            "taskDefinitionArn": deployment.revision,
            "group": f"service:{deployment.service.name}",
            "startedBy": deployment.id,
            "launchType": "FARGATE",
            "desiredStatus": "RUNNING" if self.is_alive else "STOPPED",
            "lastStatus": self.status,
            "healthStatus": self.health,
            "createdAt": self.created,
            "containers": [container, agent] if agent else [container],
            **PLATFORM,
        }
        moments = {
            "startedAt": self.started,
            "stoppingAt": self.stopping,
            "stoppedAt": self.stopped,
        }
        described |= {name: moment for name, moment in moments.items() if moment}
        if self.stop_code:
            described |= {"stopCode": self.stop_code, "stoppedReason": self.reason}
        return described
