"""Deletes the ECS service, and waits until the last of its tasks has stopped.

ECS calls a service INACTIVE while its last tasks are still being stopped. Until then each of them
holds the cluster and a security group, so that the stack cannot be deleted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from infra.tool.aws_errors import AwsError, tolerating
from infra.tool.errors import ExitCode, Problem
from infra.tool.lookup import read_service
from infra.tool.patience import Patience
from infra.tool.progress import Progress, View, progress
from infra.tool.target import Target
from infra.tool.text import counted

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import TaskTypeDef

TIMED_OUT = Problem(
    "service-timeout",
    "the service {service} is not deleted after {seconds} s ([deploy] timeout_seconds): {phase}",
    "to keep waiting and then delete the rest, {again}",
    ExitCode.UNKNOWN,
)
NO_ANSWER = Problem(
    "service-unanswered",
    "ECS did not answer three times in a row: {text}",
    "to keep waiting and then delete the rest, {again}",
    ExitCode.UNKNOWN,
)

AT_ONCE = 100  # tasks in a call of DescribeTasks, its limit


def delete_service(target: Target) -> None:
    """Delete the service and its scaling, if they exist. Raises ToolError."""
    aws, names = target.aws, target.settings.names
    with tolerating("ObjectNotFoundException"):
        aws.scaling.deregister_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=f"service/{names.cluster}/{names.service}",
            ScalableDimension="ecs:service:DesiredCount",
        )
    gone = ("ClusterNotFoundException", "ServiceNotActiveException", "ServiceNotFoundException")
    with target.while_it_continues(f"ECS continues to stop the service {names.service}."):
        with tolerating(*gone):
            aws.ecs.delete_service(cluster=names.cluster, service=names.service, force=True)
        with progress(target.runtime.console) as shown:
            Wait(target, shown).run()


@dataclass
class Wait:
    target: Target
    shown: Progress
    ended: set[str] = field(default_factory=set)  # tasks that need no further look

    def run(self) -> None:
        """Look every few seconds until the service and its tasks are gone."""
        names, settings = self.target.settings.names, self.target.settings.deploy
        patience = Patience(unanswered=NO_ANSWER, again=self.target.again)
        clock = self.target.runtime.clock
        began, phase = clock.now(), "waiting for ECS"
        while True:
            seconds = round((clock.now() - began).total_seconds())
            try:
                phase = self.look()
                patience.answered()
            except AwsError as error:
                self.shown.warn(patience.failed(error))
            if not phase:
                return
            if seconds >= settings.timeout_seconds:
                raise TIMED_OUT(
                    service=names.service, seconds=seconds, phase=phase, again=self.target.again
                )
            self.shown.show(View(names.service, seconds, phase))
            clock.sleep(settings.poll_seconds)

    def look(self) -> str:
        """The services and tasks that are left, in words; empty if none is. Raises AwsError."""
        with tolerating("ClusterNotFoundException"):
            service = read_service(self.target.aws, self.target.settings.names)
            if service:
                tasks = service.running + service.pending
                return f"waiting for {counted(tasks, 'task') if tasks else 'the service'} to end"
            if left := self.tasks_left():
                return f"waiting for {counted(left, 'task')} to end"
        return ""

    def tasks_left(self) -> int:
        """How many tasks of the service have not stopped. Tasks of others are left out: they may
        run for ever."""
        arns = [*listed(self.target, "RUNNING"), *listed(self.target, "STOPPED")]
        group, left = f"service:{self.target.settings.names.service}", 0
        for task in described(self.target, [arn for arn in arns if arn not in self.ended]):
            if task.get("group") != group or task.get("lastStatus") == "STOPPED":
                self.ended.add(task["taskArn"])
            else:
                left += 1
        return left


def listed(target: Target, desired: Literal["RUNNING", "STOPPED"]) -> list[str]:
    """The tasks of the cluster, by the status that ECS wants for them. Raises AwsError."""
    pages = target.aws.ecs.get_paginator("list_tasks").paginate(
        cluster=target.settings.names.cluster, desiredStatus=desired
    )
    return [arn for page in pages for arn in page["taskArns"]]


def described(target: Target, arns: Sequence[str]) -> Iterator["TaskTypeDef"]:
    """Those of the tasks that ECS still has. Raises AwsError."""
    for start in range(0, len(arns), AT_ONCE):
        yield from target.aws.ecs.describe_tasks(
            cluster=target.settings.names.cluster, tasks=arns[start : start + AT_ONCE]
        )["tasks"]
