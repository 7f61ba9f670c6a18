"""Outcomes of a rollout: each is a generator that advances by one step for each DescribeServices.

Sources of the messages, in the ECS Developer Guide unless a thread is named: "Viewing Amazon ECS
service event messages", "Amazon ECS stopped tasks error messages", "How the Amazon ECS deployment
circuit breaker detects failures", "Amazon ECS service deployment state change events".
"""

from collections.abc import Callable
from dataclasses import dataclass

from simulator.ecs.deployments import Deployment, Outcome, Steps
from simulator.ecs.tasks import Task

Fail = Callable[[Task], None]


@dataclass(frozen=True)
class Serves(Outcome):
    """The tasks start, become healthy, and take over."""

    def play(self, rollout: Deployment) -> Steps:
        rollout.start_tasks()
        yield
        rollout.run_tasks()
        yield
        has_stopped_others = rollout.stop_earlier()
        rollout.begin_to_bake()
        if has_stopped_others:
            yield
        while rollout.alarms.is_baking:
            yield
        rollout.complete()


@dataclass(frozen=True)
class Hangs(Outcome):
    """The tasks stay PENDING, and none fails."""

    def play(self, rollout: Deployment) -> Steps:
        rollout.start_tasks()
        while True:
            yield


@dataclass(frozen=True)
class Crashes(Outcome):
    """The container writes to its log and exits, again and again."""

    exit_code: int = 1
    says: tuple[str, ...] = ("Traceback (most recent call last):", "RuntimeError: boom")

    def play(self, rollout: Deployment) -> Steps:
        def crash(task: Task) -> None:
            task.say(*self.says)
            reason = "Essential container in task exited"
            task.end("EssentialContainerExited", reason, exit_code=self.exit_code)

        yield from again_and_again(rollout, crash)


@dataclass(frozen=True)
class Blocked(Outcome):
    """A task is started, but its container never runs."""

    reason: str

    def play(self, rollout: Deployment) -> Steps:
        def fail(task: Task) -> None:
            rollout.event(f"was unable to place a task. Reason: {self.reason}.")
            task.end("TaskFailedToStart", self.reason)

        yield from again_and_again(rollout, fail)


@dataclass(frozen=True)
class CannotPull(Outcome):
    """The registry cannot be reached (aws/containers-roadmap#2493)."""

    def play(self, rollout: Deployment) -> Steps:
        image = rollout.container["image"]
        blocked = Blocked(
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to "
            f"resolve ref {image}: failed to do request: Head: dial tcp: i/o timeout"
        )
        yield from blocked.play(rollout)


@dataclass(frozen=True)
class Unhealthy(Outcome):
    """The container runs, but its own health check fails."""

    says: tuple[str, ...] = ("GET /health 500",)

    def play(self, rollout: Deployment) -> Steps:
        def fail(task: Task) -> None:
            task.say(*self.says)
            rollout.event(f"(task {task.id}) failed container health checks.")
            rollout.event(f"has stopped 1 running tasks: (task {task.id}).")
            reason = "Task failed container health checks"
            task.end("ServiceSchedulerInitiated", reason, exit_code=137, healthy=False)

        yield from again_and_again(rollout, fail, run=True)


@dataclass(frozen=True)
class UnhealthyTarget(Outcome):
    """The container runs, but the health check of the load balancer fails."""

    why: str = "Health checks failed with these codes: [404]"

    def play(self, rollout: Deployment) -> Steps:
        def fail(task: Task) -> None:
            port, group = rollout.target["containerPort"], rollout.target["targetGroupArn"]
            rollout.event(
                f"(task {task.id}) (port {port}) is unhealthy in (target-group {group}) "
                f"due to (reason {self.why})."
            )
            rollout.event(f"has stopped 1 running tasks: (task {task.id}).")
            reason = f"Task failed ELB health checks in (target-group {group})"
            task.end("ServiceSchedulerInitiated", reason, exit_code=0)

        yield from again_and_again(rollout, fail, run=True)


@dataclass(frozen=True)
class Flaps(Outcome):
    """Each task becomes healthy and then crashes: the circuit breaker never reaches its limit.
    ("If a task successfully starts, passes the dependent health checks, but then stops": re:Post,
    "ecs-deployment-roll-back-failure".)"""

    def play(self, rollout: Deployment) -> Steps:
        while True:
            tasks = rollout.start_tasks()
            yield
            rollout.run_tasks()
            rollout.reset_failures()
            yield
            for task in tasks:
                reason = "Essential container in task exited"
                task.end("EssentialContainerExited", reason, exit_code=1)
            rollout.failed_tasks += len(tasks)
            yield
            for task in tasks:
                task.stop()


@dataclass(frozen=True)
class NotLaunched(Outcome):
    """No task is started. An event of the service gives the reason, and ECS tries again."""

    says: str

    def play(self, rollout: Deployment) -> Steps:
        while True:
            rollout.event(self.says)
            yield


@dataclass(frozen=True)
class OutOfCapacity(Outcome):
    """Fargate has no room (sil-org/ecs-deploy#277)."""

    def play(self, rollout: Deployment) -> Steps:
        yield from NotLaunched(
            "was unable to place a task. Reason: Capacity is unavailable at this time. Please try "
            "again later or in a different availability zone."
        ).play(rollout)


@dataclass(frozen=True)
class Overtaken(Outcome):
    """Another caller rolls out another revision before this one is in steady state."""

    def play(self, rollout: Deployment) -> Steps:
        rollout.start_tasks()
        yield
        rollout.run_tasks()
        yield
        rollout.overtake()
        yield


def again_and_again(rollout: Deployment, fail: Fail, *, run: bool = False) -> Steps:
    """Tasks start, fail and are replaced until the circuit breaker ends the deployment."""
    while True:
        tasks = rollout.start_tasks()
        yield
        if run:
            rollout.run_tasks()
            yield
        for task in tasks:
            fail(task)
        rollout.failed_tasks += len(tasks)
        yield
        for task in tasks:
            task.stop()
        if rollout.is_broken:
            rolls_back = rollout.service.breaker["rollback"]
            rollout.fail("tasks failed to start", "circuit breaker", rolls_back=rolls_back)
            return
