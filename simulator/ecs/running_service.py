"""Running ECS services: their settings and deployments, and the answers about both."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5
from typing import Any

from simulator.ecs.deployments import CAPACITY, OF_A_DEPLOYMENT, Deployment, EcsApi, Outcome
from simulator.ecs.service_history import ServiceHistory
from simulator.ecs.tasks import PLATFORM, Task

Json = dict[str, Any]


@dataclass
class RunningService:
    """One service in one cluster."""

    ecs: EcsApi
    cluster: str
    name: str
    settings: Json  # of the create and update requests, as the API names them
    created: datetime
    status: str = "ACTIVE"
    token: str = ""  # of the request that created it; a repeated request creates nothing
    tags: Json = field(default_factory=dict)
    deployments: list[Deployment] = field(default_factory=list)  # newest first
    events: list[Json] = field(default_factory=list)  # newest first

    def __post_init__(self) -> None:
        self.history = ServiceHistory(
            self.ecs, f"{self.cluster}/{self.name}", self.arn, self.cluster_arn
        )

    # --- its description ---

    @property
    def arn(self) -> str:
        return self.ecs.arn(f"service/{self.cluster}/{self.name}")

    @property
    def cluster_arn(self) -> str:
        return self.ecs.arn(f"cluster/{self.cluster}")

    @property
    def desired(self) -> int:
        return int(self.settings.get("desiredCount", 0))

    @property
    def capacity(self) -> Json:
        """The capacity of its tasks: the one member of CAPACITY that it has."""
        return {key: self.settings[key] for key in CAPACITY if key in self.settings}

    @property
    def configuration(self) -> Json:
        usual: Json = {"maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING"}
        return usual | dict(self.settings.get("deploymentConfiguration", {}))

    @property
    def breaker(self) -> Json:
        off: Json = {"enable": False, "rollback": False}
        return off | dict(self.configuration.get("deploymentCircuitBreaker", {}))

    @property
    def threshold(self) -> int:
        return min(200, max(3, -(-self.desired // 2)))

    @property
    def primary(self) -> Deployment | None:
        return next((d for d in self.deployments if d.status == "PRIMARY"), None)

    @property
    def tasks(self) -> Iterator[Task]:
        return (task for task in self.ecs.tasks if task.deployment.service is self)

    def event(self, message: str) -> None:
        number = next(self.ecs.numbers)
        self.events.insert(
            0,
            {
                "id": str(number).rjust(8, "0") + "-5eed-4000-8000-000000000000",
                "createdAt": self.ecs.clock.stamp(),
                "message": f"(service {self.name}) {message}",
            },
        )

    # --- its steps ---

    def look(self) -> None:
        """Each request about the service advances it by one step; time passes elsewhere."""
        for task in list(self.tasks):
            going = task.status == "DEPROVISIONING" and task.deployment is not self.primary
            if going and self.status != "DRAINING":
                task.stop()
        if self.status == "DRAINING" and not any(task.is_alive for task in self.tasks):
            # Its tasks may not be STOPPED yet ("DeleteService": STOPPING or STOPPED).
            self.status = "INACTIVE"
        elif self.status == "DRAINING":
            for deployment in self.deployments:
                deployment.give_way()
            self.deployments.clear()
        elif self.primary:
            self.primary.advance()

    def roll_out(self, revision: str, task_definition: Json, outcome: Outcome) -> Deployment:
        for deployment in self.deployments:
            deployment.status = "ACTIVE"
            self.history.end(deployment.record, "STOPPED")  # by the one that overtakes it
        number = next(self.ecs.numbers)
        deployment = Deployment(
            id=f"ecs-svc/{7_000_000_000_000_000_000 + number}",
            service=self,
            revision=revision,
            task_definition=task_definition,
            outcome=outcome,
            created=self.ecs.clock.stamp(),
            settings={key: self.settings[key] for key in OF_A_DEPLOYMENT if key in self.settings},
        )
        deployment.record = self.history.begin(
            number,
            revision,
            deployment.created,
            deployment.settings,
            self.configuration,
        )
        self.deployments.insert(0, deployment)
        return deployment

    def new_task(self, deployment: Deployment) -> Task:
        name = md5(f"task {next(self.ecs.numbers)}".encode(), usedforsecurity=False).hexdigest()
        arn = self.ecs.arn(f"task/{self.cluster}/{name}")
        task = Task(arn, deployment, self.ecs.clock.stamp())
        task.tags = self.ecs.tags_of(task)
        deployment.tasks.append(task)
        self.ecs.tasks.append(task)
        return task

    def scale(self) -> None:
        """A complete deployment follows the desired count."""
        primary = self.primary
        if primary and primary.rollout_state == "COMPLETED":
            for task in primary.alive[self.desired :]:
                task.end("ServiceSchedulerInitiated", f"Scaling activity initiated by {primary.id}")
            primary.start_tasks()
            primary.run_tasks()

    def keep_only(self, deployment: Deployment) -> None:
        for other in self.deployments:
            if other is not deployment:
                other.give_way()
        self.deployments = [deployment]

    @property
    def last_completed(self) -> Deployment | None:
        return next((d for d in self.deployments if d.rollout_state == "COMPLETED"), None)

    def overtake(self) -> None:
        self.ecs.roll_out_another(self.cluster, self.name)

    def go_back(self, failed: Deployment, back: Deployment) -> None:
        self.deployments.sort(key=lambda deployment: deployment is not back)
        self.history.roll_back(failed.record, failed.reason, back.record)

    # --- as the API shows it ---

    def described(self) -> Json:
        primary = self.primary
        described = self.settings | {
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": self.cluster_arn,
            "status": self.status,
            "desiredCount": self.desired,
            "runningCount": sum(d.count("RUNNING") for d in self.deployments),
            "pendingCount": sum(d.count("PENDING") for d in self.deployments),
            "deployments": [deployment.described() for deployment in self.deployments],
            "deploymentConfiguration": self.configuration,
            "events": self.events[:100],
            "createdAt": self.created,
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
            **PLATFORM,
        }
        if primary:
            described["taskDefinition"] = primary.revision
            running = self.history.in_progress
            current = primary.record["targetServiceRevision"]["arn"]
            described["currentServiceRevisions"] = [{"arn": current}]
            if running:
                described["currentServiceDeployment"] = running[0]["serviceDeploymentArn"]
        return described
