"""The services and tasks of an account, where to find them, and what a deployment asks of ECS."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from simulator.ecs.answers import as_table, no_such_service
from simulator.ecs.deployments import Deployment, Outcome
from simulator.ecs.rollouts import Serves
from simulator.ecs.running_service import RunningService
from simulator.ecs.service_checks import ServiceChecks
from simulator.ecs.task_start_failures import Obstacles
from simulator.ecs.tasks import Task
from simulator.needs import last
from simulator.refusal import Refused
from simulator.service import Service, World

Json = dict[str, Any]


class Records(Service):
    name = "ecs"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.obstacles = Obstacles(world)
        self.checks = ServiceChecks(world, self.describe_alarms)
        self.reset()

    def reset(self) -> None:
        self.services: dict[tuple[str, str], RunningService] = {}
        self.tasks: list[Task] = []
        self.outcomes: list[Outcome] = []  # of the next deployments, in order
        self.numbers: Iterator[int] = count(1)

    # --- for deployments ---

    def obstacle(self, deployment: Deployment) -> Outcome | None:
        """The failure that keeps the tasks of a deployment from starting, before their outcome."""
        return self.obstacles.before(deployment)

    def describe_alarms(self, names: Sequence[str]) -> list[Json]:
        """The alarms of these names that exist, by its service-linked role."""
        if not names:
            return []
        asked = {"AlarmNames": list(names)}
        found: list[Json] = self.account.moto("cloudwatch", "DescribeAlarms", asked)["MetricAlarms"]
        return found

    def tags_of(self, task: Task) -> Json:
        """The tags of a new task: `propagateTags` of CreateService, ECS API Reference. Later
        changes of their source do not reach the task."""
        service = task.deployment.service
        propagated = service.settings.get("propagateTags", "NONE")
        if propagated == "SERVICE":
            return dict(service.tags)
        if propagated == "NONE":
            return {}
        asked = {"resourceArn": task.deployment.revision}
        return as_table(self.moto("ListTagsForResource", asked)["tags"])

    def added_container(self, task: Task) -> Json | None:
        """GuardDuty's agent, if it monitors the tasks of the account."""
        return self.obstacles.guardduty_agent(task.deployment.task_definition, task.id)

    def log(self, task: Task, lines: tuple[str, ...]) -> None:
        """Write the output of a container to its log, if the log driver is allowed to."""
        container = task.deployment.container
        options = container.get("logConfiguration", {}).get("options", {})
        if "awslogs-group" not in options or "awslogs-stream-prefix" not in options:
            return
        stream = {
            "logGroupName": options["awslogs-group"],
            "logStreamName": f"{options['awslogs-stream-prefix']}/{container['name']}/{task.id}",
        }
        if self.obstacles.keep_from_writing(task.deployment.task_definition, stream):
            return
        self.account.moto("logs", "CreateLogStream", stream)
        moment = int(self.clock.stamp().timestamp() * 1000)
        events = [{"timestamp": moment + n, "message": line} for n, line in enumerate(lines)]
        self.account.moto("logs", "PutLogEvents", stream | {"logEvents": events})

    def roll_out_another(self, cluster: str, service: str) -> None:
        """A deploy by another caller: another revision of the same family."""
        running = self.services[cluster, service]
        primary = running.primary
        assert primary, "an active service has a deployment"
        keys = {
            *("family", "networkMode", "requiresCompatibilities", "runtimePlatform", "cpu"),
            *("memory", "executionRoleArn", "taskRoleArn", "containerDefinitions"),
        }
        same = {key: value for key, value in primary.task_definition.items() if key in keys}
        made = self.moto("RegisterTaskDefinition", same)["taskDefinition"]["taskDefinitionArn"]
        running.roll_out(*self._revision(made), Serves())

    # --- lookups ---

    def _next_outcome(self) -> Outcome:
        return self.outcomes.pop(0) if self.outcomes else Serves()

    def _cluster(self, parameters: Json) -> str:
        name = last(parameters.get("cluster", "default"))
        found = self.moto("DescribeClusters", {"clusters": [name]})["clusters"]
        if not any(cluster["status"] == "ACTIVE" for cluster in found):
            raise Refused("ClusterNotFoundException", "Cluster not found.")
        return name

    def _providers(self, cluster: str) -> list[str]:
        """The capacity providers that are associated with a cluster."""
        [found] = self.moto("DescribeClusters", {"clusters": [cluster]})["clusters"]
        return list(found.get("capacityProviders", []))

    def _service(self, parameters: Json) -> RunningService:
        name = parameters["service"]
        # ListServiceDeployments may name the service by its ARN, which contains the cluster.
        if name.startswith("arn:") and "cluster" not in parameters:
            parameters = parameters | {"cluster": name.split("/")[1]}
        service = self.services.get((self._cluster(parameters), last(name)))
        if not service:
            raise no_such_service()
        return service

    def _service_of_arn(self, arn: str) -> RunningService | None:
        return next((each for each in self.services.values() if each.arn == arn), None)

    def _revision(self, name: str) -> tuple[str, Json]:
        """ARN and definition; without a number, the latest that is ACTIVE."""
        try:
            found = self.moto("DescribeTaskDefinition", {"taskDefinition": name})["taskDefinition"]
        except Refused as missing:
            raise Refused("ClientException", "TaskDefinition not found.") from missing
        if found["status"] != "ACTIVE":
            raise Refused("ClientException", "TaskDefinition is inactive")
        return found["taskDefinitionArn"], found
