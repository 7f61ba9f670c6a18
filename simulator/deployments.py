"""Running ECS services: their deployments, their tasks, and the answers about both."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5
from typing import Any, Protocol

from simulator.clock import Clock
from simulator.pauses import Pauses

Json = dict[str, Any]

PLATFORM = {"platformVersion": "1.4.0", "platformFamily": "Linux"}
CAPACITY = ("capacityProviderStrategy", "launchType")  # a service has one of them
# Members of a service in its deployments ("Deployment" and "ServiceRevision", ECS API Reference).
OF_A_DEPLOYMENT = (
    *CAPACITY,
    "networkConfiguration",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)

Steps = Iterator[None]


class Outcome:
    """The fate of the tasks of one deployment: rollouts.py has the kinds."""

    def play(self, rollout: "Deployment") -> Steps:
        """Advance the rollout. One DescribeServices sees the state at each `yield`."""
        raise NotImplementedError


class EcsApi(Protocol):
    """The part of the class Ecs, of ecs.py, that its services use."""

    tasks: list["Task"]  # of all services
    numbers: Iterator[int]  # for ids that are used once

    @property
    def clock(self) -> Clock: ...
    def arn(self, resource: str) -> str: ...
    def log(self, task: "Task", lines: tuple[str, ...]) -> None: ...
    def obstacle(self, deployment: "Deployment") -> Outcome | None: ...
    def tags_of(self, task: "Task") -> Json: ...
    def added_container(self, task: "Task") -> Json | None: ...
    def roll_out_another(self, service: "RunningService") -> None: ...


@dataclass
class Task:
    """One task. If a container of it fails, it is the first one."""

    arn: str
    deployment: "Deployment"
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


@dataclass
class Deployment:
    """The tasks of one revision of a service, as an outcome moves them."""

    id: str
    service: "RunningService"
    revision: str  # the ARN of its task definition
    task_definition: Json
    outcome: Outcome
    created: datetime
    settings: Json  # of the service at its start, as the API names them
    status: str = "PRIMARY"  # or ACTIVE; a deployment that ended is not listed
    rollout_state: str = "IN_PROGRESS"
    reason: str = ""
    has_served: bool = False
    failed_tasks: int = 0
    tasks: list[Task] = field(default_factory=list)
    steps: Steps | None = None
    history: Json = field(default_factory=dict)  # as ListServiceDeployments knows it

    def __post_init__(self) -> None:
        self.reason = f"ECS deployment {self.id} in progress."
        self.updated = self.created
        self.pauses = Pauses(self.service.ecs.clock, self.service.ecs.numbers)

    # --- its task definition and tasks ---

    def stamp(self) -> datetime:
        return self.service.ecs.clock.stamp()

    @property
    def container(self) -> Json:
        """The container behind the load balancer; the first one if there is none."""
        containers: list[Json] = self.task_definition["containerDefinitions"]
        asked = [c for c in containers if self.target.get("containerName") == c["name"]]
        return (asked or containers)[0]

    @property
    def target(self) -> Json:
        targets: list[Json] = self.service.settings.get("loadBalancers", [])
        return targets[0] if targets else {}

    def event(self, message: str) -> None:
        self.service.event(message)

    @property
    def alive(self) -> list[Task]:
        return [task for task in self.tasks if task.is_alive]

    def count(self, status: str) -> int:
        return sum(task.status == status for task in self.alive)

    # --- its steps ---

    def advance(self) -> None:
        """Advance by one step, unless a hook pauses it."""
        if self.rollout_state == "IN_PROGRESS" and self.is_held():
            return
        if self.steps is None:
            obstacle = self.service.ecs.obstacle(self)
            self.steps = (obstacle or self.outcome).play(self)
        next(self.steps, None)
        self.updated = self.stamp()

    def is_held(self) -> bool:
        """Whether it waits for an answer to a hook of its stage."""
        stage, hooks = self.stage, self.service.configuration.get("lifecycleHooks", [])
        is_held = self.pauses.hold(stage, hooks)
        self.history |= {"lifecycleStage": stage, "lifecycleHookDetails": self.pauses.details}
        return is_held

    @property
    def stage(self) -> str:
        if self.steps is None:
            return "PRE_SCALE_UP"
        is_up = self.count("RUNNING") >= self.service.desired
        return "POST_SCALE_UP" if is_up else "SCALE_UP"

    def start_tasks(self) -> list[Task]:
        """Start the missing tasks. They are PENDING immediately."""
        lacking = self.service.desired - len(self.alive)
        started = [self.service.new_task(self) for _ in range(lacking)]
        for task in started:
            task.status = "PENDING"
        if started:
            names = " ".join(f"(task {task.id})" for task in started)
            self.event(f"has started {len(started)} tasks: {names}.")
        return started

    def run_tasks(self) -> None:
        starting = [task for task in self.alive if task.status != "RUNNING"]
        for task in starting:
            task.run()
        if starting and self.target:
            group = self.target["targetGroupArn"]
            self.event(f"registered {len(starting)} targets in (target-group {group})")

    def stop_earlier(self) -> bool:
        """Whether there was anything to stop."""
        gone = [earlier.give_way() for earlier in self.service.deployments if earlier is not self]
        return any(gone)

    def give_way(self) -> bool:
        alive = self.alive
        for task in alive:
            reason = f"Scaling activity initiated by (deployment {self.id})"
            task.end("ServiceSchedulerInitiated", reason, exit_code=0)
        if alive:
            names = " ".join(f"(task {task.id})" for task in alive)
            self.event(f"has stopped {len(alive)} running tasks: {names}.")
        if alive and self.target:
            group = self.target["targetGroupArn"]
            self.event(f"deregistered {len(alive)} targets in (target-group {group})")
        return bool(alive)

    def complete(self) -> None:
        """It is complete: the other deployments end and leave the list."""
        self.rollout_state, self.has_served = "COMPLETED", True
        self.reason = f"ECS deployment {self.id} completed."
        self.service.keep_only(self)
        self.event(f"(deployment {self.id}) deployment completed.")
        self.event("has reached a steady state.")
        self.service.finished(self)

    def reset_failures(self) -> None:
        """A task is healthy, and the circuit breaker starts to count again: its default,
        `resetOnHealthyTask` of "DeploymentCircuitBreaker" (API Reference)."""
        self.failed_tasks = 0

    @property
    def is_broken(self) -> bool:
        """Whether the number of failures has reached the threshold of the circuit breaker.

        At least 3, at most 200, else half of the desired count: its default, BOUNDED_PERCENT of 50
        ("How the Amazon ECS deployment circuit breaker detects failures", ECS Developer Guide).
        """
        return self.service.breaker["enable"] and self.failed_tasks >= self.service.threshold

    def fail(self) -> None:
        """Roll back to the most recent COMPLETED deployment, if rollback is on and one exists; else
        the failed one stays, stalled. The earlier deployment is IN_PROGRESS until it completes a
        second time, and until then ECS cannot roll back to it again: "How the Amazon ECS deployment
        circuit breaker detects failures" (ECS Developer Guide).

        In published service events it keeps its id and becomes PRIMARY.
        """
        self.rollout_state = "FAILED"
        self.reason = "ECS deployment circuit breaker: tasks failed to start."
        self.event(f"(deployment {self.id}) deployment failed: tasks failed to start.")
        back = self.service.last_completed
        if not (self.service.breaker["rollback"] and back):
            self.service.failed(self)
            return
        self.event(f"rolling back to deployment {back.id}.")
        self.status, back.status, back.rollout_state = "ACTIVE", "PRIMARY", "IN_PROGRESS"
        back.reason = f"ECS deployment circuit breaker: rolling back to deploymentId {back.id}."
        back.steps = back.come_back()
        self.service.go_back(self, back)

    def come_back(self) -> Steps:
        """ECS rolls back to this deployment, whose tasks are still running."""
        yield
        self.complete()

    def overtake(self) -> None:
        self.service.ecs.roll_out_another(self.service)

    def described(self) -> Json:
        service = self.service
        return {
            "id": self.id,
            "status": self.status,
            "taskDefinition": self.revision,
            "desiredCount": service.desired if self.status == "PRIMARY" else len(self.alive),
            "pendingCount": self.count("PENDING"),
            "runningCount": self.count("RUNNING"),
            "failedTasks": self.failed_tasks,
            "createdAt": self.created,
            "updatedAt": self.updated,
            "rolloutState": self.rollout_state,
            "rolloutStateReason": self.reason,
            **PLATFORM,
            **self.settings,
        }


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
    history: list[Json] = field(default_factory=list)  # service deployments, newest first
    revisions: dict[str, Json] = field(default_factory=dict)  # service revisions by ARN

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
            self.is_stopped(deployment)
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
        self._begin_history(deployment, number)
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

    # --- its history: "View service history using Amazon ECS service deployments" ---

    def _begin_history(self, deployment: Deployment, number: int) -> None:
        where = f"{self.cluster}/{self.name}"
        revision = self.ecs.arn(f"service-revision/{where}/{4_000_000_000_000_000_000 + number}")
        sources = [
            {"arn": done["targetServiceRevision"]["arn"]}
            for done in self.history[:1]
            if done["status"] == "SUCCESSFUL"
        ]
        self.revisions[revision] = {
            "serviceRevisionArn": revision,
            "serviceArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinition": deployment.revision,
            "createdAt": deployment.created,
            **PLATFORM,
            **deployment.settings,
        }
        deployment.history = {
            "serviceDeploymentArn": self.ecs.arn(f"service-deployment/{where}/{number:021}"),
            "serviceArn": self.arn,
            "clusterArn": self.cluster_arn,
            "status": "IN_PROGRESS",
            "createdAt": deployment.created,
            "startedAt": deployment.created,
            "updatedAt": deployment.created,
            "sourceServiceRevisions": sources,
            "targetServiceRevision": {"arn": revision},
            "deploymentConfiguration": self.configuration,
        }
        self.history.insert(0, deployment.history)

    def _end_history(self, record: Json, status: str, reason: str = "") -> None:
        moment = self.ecs.clock.stamp()
        record |= {"status": status, "updatedAt": moment, "finishedAt": moment}
        if reason:
            record["statusReason"] = reason

    def finished(self, deployment: Deployment) -> None:
        if deployment.history["status"] == "IN_PROGRESS":
            self._end_history(deployment.history, "SUCCESSFUL")
        for record in self.history:
            if record["status"] == "ROLLBACK_IN_PROGRESS":
                self._end_history(record, "ROLLBACK_SUCCESSFUL", record["rollback"]["reason"])

    def failed(self, deployment: Deployment) -> None:
        self._end_history(deployment.history, "STOPPED", deployment.reason)

    def go_back(self, failed: Deployment, back: Deployment) -> None:
        self.deployments.sort(key=lambda deployment: deployment is not back)
        failed.history |= {
            "status": "ROLLBACK_IN_PROGRESS",
            "statusReason": failed.reason,
            "rollback": {
                "reason": failed.reason,
                "startedAt": self.ecs.clock.stamp(),
                "serviceRevisionArn": back.history["targetServiceRevision"]["arn"],
            },
        }

    def is_stopped(self, deployment: Deployment) -> None:
        """End the deployment in progress, because another one overtakes it."""
        if deployment.history["status"] == "IN_PROGRESS":
            self._end_history(deployment.history, "STOPPED")

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
            running = [d for d in self.history if d["status"].endswith("IN_PROGRESS")]
            current = primary.history["targetServiceRevision"]["arn"]
            described["currentServiceRevisions"] = [{"arn": current}]
            if running:
                described["currentServiceDeployment"] = running[0]["serviceDeploymentArn"]
        return described
