"""The deployments of a service: the tasks of one revision, as an outcome moves them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from simulator.clock import Clock
from simulator.ecs.alarm_watch import OFF, AlarmWatch
from simulator.ecs.pauses import Pauses
from simulator.ecs.service_history import ServiceHistory
from simulator.ecs.tasks import PLATFORM, Task

Json = dict[str, Any]

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
    """The part of the class Ecs, of records.py, that its services use."""

    tasks: list[Task]  # of all services
    numbers: Iterator[int]  # for ids that are used once

    @property
    def clock(self) -> Clock: ...
    def arn(self, resource: str) -> str: ...
    def describe_alarms(self, names: Sequence[str]) -> list[Json]: ...
    def log(self, task: Task, lines: tuple[str, ...]) -> None: ...
    def obstacle(self, deployment: "Deployment") -> Outcome | None: ...
    def tags_of(self, task: Task) -> Json: ...
    def added_container(self, task: Task) -> Json | None: ...
    def roll_out_another(self, cluster: str, service: str) -> None: ...


class ServiceApi(Protocol):
    """The part of its service that a deployment uses, the class RunningService."""

    ecs: EcsApi
    cluster: str
    name: str
    settings: Json
    tags: Json
    deployments: list["Deployment"]
    history: ServiceHistory

    @property
    def cluster_arn(self) -> str: ...
    @property
    def desired(self) -> int: ...
    @property
    def configuration(self) -> Json: ...
    @property
    def breaker(self) -> Json: ...
    @property
    def threshold(self) -> int: ...
    @property
    def last_completed(self) -> "Deployment | None": ...
    def event(self, message: str) -> None: ...
    def new_task(self, deployment: "Deployment") -> Task: ...
    def keep_only(self, deployment: "Deployment") -> None: ...
    def go_back(self, failed: "Deployment", back: "Deployment") -> None: ...
    def overtake(self) -> None: ...


@dataclass
class Deployment:
    """The tasks of one revision of a service, as an outcome moves them."""

    id: str
    service: ServiceApi
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
    record: Json = field(default_factory=dict)  # of the history of its service

    def __post_init__(self) -> None:
        self.reason = f"ECS deployment {self.id} in progress."
        self.updated = self.created
        ecs = self.service.ecs
        self.pauses = Pauses(ecs.clock, ecs.numbers)
        alarms = self.service.configuration.get("alarms", OFF)
        self.alarms = AlarmWatch(ecs.clock, ecs.describe_alarms, alarms)

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
        """Advance by one step, unless a hook pauses it or an alarm ends it."""
        if self.rollout_state == "IN_PROGRESS" and (self.is_ended_by_alarm() or self.is_held()):
            return
        if self.steps is None:
            obstacle = self.service.ecs.obstacle(self)
            self.steps = (obstacle or self.outcome).play(self)
        next(self.steps, None)
        self.updated = self.stamp()

    def is_ended_by_alarm(self) -> bool:
        """ECS watches the alarms from the first task that runs ("Automate rollbacks for Amazon ECS
        rolling deployments with CloudWatch alarms", AWS Containers Blog)."""
        has_run = any(task.started for task in self.tasks)
        if has_run and self.alarms.has_gone_off():
            self.fail("alarm detected", "alarm", rolls_back=self.alarms.settings["rollback"])
        self.record["alarms"] = self.alarms.described
        return self.rollout_state == "FAILED"

    def begin_to_bake(self) -> None:
        """Its tasks serve alone, but ECS lists the earlier deployment until the bake time of the
        alarms is over."""
        self.has_served = True
        self.alarms.begin_to_bake()

    def is_held(self) -> bool:
        """Whether it waits for an answer to a hook of its stage."""
        stage, hooks = self.stage, self.service.configuration.get("lifecycleHooks", [])
        is_held = self.pauses.hold(stage, hooks)
        self.record |= {"lifecycleStage": stage, "lifecycleHookDetails": self.pauses.details}
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
        self.alarms.end()
        self.record["alarms"] = self.alarms.described
        self.service.keep_only(self)
        self.event(f"(deployment {self.id}) deployment completed.")
        self.event("has reached a steady state.")
        self.service.history.end(self.record, "SUCCESSFUL")
        self.service.history.finish_rollbacks()

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

    def fail(self, why: str, method: str, *, rolls_back: bool) -> None:
        """Roll back to the most recent COMPLETED deployment, if rollback is on and one exists; else
        the failed one stays, stalled. The earlier deployment is IN_PROGRESS until it completes a
        second time, and until then ECS cannot roll back to it again: "How the Amazon ECS deployment
        circuit breaker detects failures" (ECS Developer Guide).

        In published service events it keeps its id and becomes PRIMARY, and the event of an alarm
        is worded like that of the circuit breaker. The reason that ECS gives for an alarm is not
        published: its words are invented.
        """
        self.rollout_state = "FAILED"
        self.reason = f"ECS deployment {method}: {why}."
        self.event(f"(deployment {self.id}) deployment failed: {why}.")
        back = self.service.last_completed
        if not (rolls_back and back):
            self.service.history.end(self.record, "STOPPED", self.reason)
            return
        self.event(f"rolling back to deployment {back.id}.")
        self.status, back.status, back.rollout_state = "ACTIVE", "PRIMARY", "IN_PROGRESS"
        back.reason = f"ECS deployment {method}: rolling back to deploymentId {back.id}."
        back.steps = back.come_back()
        self.service.go_back(self, back)

    def come_back(self) -> Steps:
        """ECS rolls back to this deployment, whose tasks are still running, unless the failed one
        was baking."""
        yield
        if self.start_tasks():
            yield
            self.run_tasks()
            yield
        self.complete()

    def overtake(self) -> None:
        self.service.overtake()

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
