"""ECS: services, their deployments and tasks are ours; clusters and task definitions are moto's.

moto has one deployment that never ends and no tasks of a service, and accepts task definitions that
Fargate would not run. Refusals and their wording are from the ECS API Reference and Developer
Guide, unless another source is named.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from simulator import quotas
from simulator.ecs import capacity
from simulator.ecs.deployments import CAPACITY, Deployment, Outcome
from simulator.ecs.fargate import complaint
from simulator.ecs.rollouts import Serves
from simulator.ecs.running_service import RunningService
from simulator.ecs.service_checks import ServiceChecks, invalid
from simulator.ecs.task_start_failures import Obstacles
from simulator.ecs.tasks import Task
from simulator.permissions import last
from simulator.refusal import Refused
from simulator.service import Service, World

Json = dict[str, Any]

# A change of these members starts a deployment; of others it does not (UpdateService).
ROLLED_OUT = {
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
}
# Parameters of a request that are not settings of the service.
SAID_ONCE = {"clientToken", "cluster", "forceNewDeployment", "service", "serviceName", "tags"}


def no_such_service() -> Refused:
    return Refused("ServiceNotFoundException", "Service not found.")


class Ecs(Service):
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

    # --- services ---

    def create_service(self, parameters: Json) -> Json:
        cluster = self._cluster(parameters)
        name = parameters["serviceName"]
        there = self.services.get((cluster, name))
        token = parameters.get("clientToken", "")
        if there and there.status == "ACTIVE":
            if token and token == there.token:
                return {"service": there.described()}
            raise invalid("Creation of service was not idempotent.")
        if there and there.status == "DRAINING":
            raise invalid("Unable to Start a service that is still Draining.")
        revision, task_definition = self._revision(parameters["taskDefinition"])
        quotas.check_tags(parameters)
        self.checks.check_settings(parameters, task_definition)
        runs_on = capacity.of_new_service(parameters, self._providers(cluster))
        self.checks.check_service_role()
        shadow = {"cluster": cluster, "serviceName": name, "desiredCount": 0}
        # moto's Application Auto Scaling looks for the service in moto's ECS.
        self.moto("CreateService", shadow | {"taskDefinition": revision})
        settings = {key: value for key, value in parameters.items() if key not in SAID_ONCE}
        settings = without_capacity(settings) | runs_on
        service = RunningService(self, cluster, name, settings, self.clock.stamp(), token=token)
        service.tags = as_table(parameters.get("tags", []))
        self.services[cluster, name] = service
        service.roll_out(revision, task_definition, self._next_outcome())
        return {"service": service.described()}

    def update_service(self, parameters: Json) -> Json:
        service = self._service(parameters)
        if service.status != "ACTIVE":
            raise Refused("ServiceNotActiveException", "Service was not ACTIVE.")
        primary = service.primary
        assert primary, "an active service has a deployment"
        wanted = parameters.get("taskDefinition") or primary.revision
        revision, task_definition = self._revision(wanted)
        changes = {key: value for key, value in parameters.items() if key not in SAID_ONCE}
        if "deploymentConfiguration" in changes:
            # Members that a request leaves out stay: aws/copilot-cli#4565, about alarms.
            present = service.settings.get("deploymentConfiguration", {})
            changes["deploymentConfiguration"] = present | changes["deploymentConfiguration"]
        self.checks.check_settings(service.settings | changes, task_definition)
        runs_on = capacity.of_changed_service(
            service.capacity, parameters, self._providers(service.cluster)
        )
        is_new = revision != primary.revision or any(
            service.settings.get(key) != changes[key] for key in ROLLED_OUT & changes.keys()
        )
        service.settings = without_capacity(service.settings | changes) | runs_on
        if is_new or parameters.get("forceNewDeployment"):
            service.roll_out(revision, task_definition, self._next_outcome())
        else:
            service.scale()
        return {"service": service.described()}

    def delete_service(self, parameters: Json) -> Json:
        service = self._service(parameters)
        if service.status == "INACTIVE":
            raise no_such_service()
        if service.desired and not parameters.get("force"):
            raise invalid("The service cannot be stopped while it is scaled above 0.")
        service.settings["desiredCount"] = 0
        service.status = "DRAINING"
        where = {"cluster": service.cluster, "service": service.name}
        self.moto("DeleteService", where | {"force": True})
        return {"service": service.described()}

    def describe_services(self, parameters: Json) -> Json:
        cluster = self._cluster(parameters)
        found, missing = [], []
        for name in parameters["services"]:
            service = self.services.get((cluster, last(name)))
            if service:
                service.look()
                tags = as_list(service.tags) if "TAGS" in parameters.get("include", []) else []
                found.append(service.described() | ({"tags": tags} if tags else {}))
            else:
                arn = self.arn(f"service/{cluster}/{last(name)}")
                missing.append({"arn": arn, "reason": "MISSING"})
        return {"services": found, "failures": missing}

    def tag_resource(self, parameters: Json) -> Json:
        service = self._service_of_arn(parameters["resourceArn"])
        if service is None:
            return self.moto("TagResource", parameters)
        tags = service.tags | as_table(parameters["tags"])
        quotas.check_tags({"tags": as_list(tags)})
        service.tags = tags
        return {}

    def untag_resource(self, parameters: Json) -> Json:
        service = self._service_of_arn(parameters["resourceArn"])
        if service is None:
            return self.moto("UntagResource", parameters)
        gone = parameters["tagKeys"]
        service.tags = {key: value for key, value in service.tags.items() if key not in gone}
        return {}

    def _service_of_arn(self, arn: str) -> RunningService | None:
        return next((each for each in self.services.values() if each.arn == arn), None)

    def list_services(self, parameters: Json) -> Json:
        cluster = self._cluster(parameters)
        here = (service for service in self.services.values() if service.cluster == cluster)
        return {"serviceArns": [service.arn for service in here if service.status == "ACTIVE"]}

    def delete_cluster(self, parameters: Json) -> Json:
        cluster = self._cluster(parameters)
        here = [service for service in self.services.values() if service.cluster == cluster]
        if any(service.status != "INACTIVE" for service in here):
            raise Refused(
                "ClusterContainsServicesException",
                "The Cluster cannot be deleted while Services are active.",
            )
        if any(task.status != "STOPPED" for service in here for task in service.tasks):
            raise Refused(
                "ClusterContainsTasksException",
                "The Cluster cannot be deleted while Tasks are active.",
            )
        return self.moto("DeleteCluster", parameters)

    # --- their tasks ---

    def list_tasks(self, parameters: Json) -> Json:
        cluster = self._cluster(parameters)
        stopped = parameters.get("desiredStatus", "RUNNING") == "STOPPED"
        found = [
            task
            for task in self.tasks
            if task.deployment.service.cluster == cluster and task.is_alive != stopped
        ]
        filters: dict[str, Callable[[Task], str]] = {
            "family": lambda task: last(task.deployment.revision).split(":")[0],
            "serviceName": lambda task: task.deployment.service.name,
            "startedBy": lambda task: task.deployment.id,
        }
        if (
            "serviceName" in parameters
            and (cluster, parameters["serviceName"]) not in self.services
        ):
            raise no_such_service()
        for name, of in filters.items():
            if name in parameters:
                found = [task for task in found if of(task) == last(parameters[name])]
        return {"taskArns": [task.arn for task in reversed(found)]}

    def describe_tasks(self, parameters: Json) -> Json:
        known = {task.id: task for task in self.tasks}
        names = [last(name) for name in parameters["tasks"]]
        with_tags = "TAGS" in parameters.get("include", [])
        return {
            "tasks": [
                known[name].described() | ({"tags": as_list(known[name].tags)} if with_tags else {})
                for name in names
                if name in known
            ],
            "failures": [
                {"arn": self.arn(f"task/{self._cluster(parameters)}/{name}"), "reason": "MISSING"}
                for name in names
                if name not in known
            ],
        }

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

    # --- the history of deployments ---

    def list_service_deployments(self, parameters: Json) -> Json:
        """Newest first. AWS lists 90 days; the simulation lists all."""
        service = self._service(parameters)
        wanted = parameters.get("status")
        brief = (
            "serviceDeploymentArn",
            "serviceArn",
            "clusterArn",
            "startedAt",
            "createdAt",
            "finishedAt",
            "status",
            "statusReason",
        )
        found = [
            {key: record[key] for key in brief if key in record}
            | {"targetServiceRevisionArn": record["targetServiceRevision"]["arn"]}
            for record in service.history
            if not wanted or record["status"] in wanted
        ]
        return page(parameters, "serviceDeployments", found, size=20)

    def describe_service_deployments(self, parameters: Json) -> Json:
        known = {
            record["serviceDeploymentArn"]: record
            for service in self.services.values()
            for record in service.history
        }
        return found_and_missing(parameters["serviceDeploymentArns"], known, "serviceDeployments")

    def continue_service_deployment(self, parameters: Json) -> Json:
        arn = parameters["serviceDeploymentArn"]
        for service in self.services.values():
            for deployment in service.deployments:
                if deployment.record["serviceDeploymentArn"] == arn:
                    action = parameters.get("action", "CONTINUE")
                    deployment.pauses.answer(parameters["hookId"], action)
                    return {"serviceDeploymentArn": arn}
        raise Refused("ServiceDeploymentNotFoundException", "Service deployment not found.")

    def describe_service_revisions(self, parameters: Json) -> Json:
        known = {
            arn: revision
            for service in self.services.values()
            for arn, revision in service.history.revisions.items()
        }
        return found_and_missing(parameters["serviceRevisionArns"], known, "serviceRevisions")

    def update_cluster_settings(self, parameters: Json) -> Json:
        """moto has only the operation that does more, UpdateCluster."""
        return self.moto("UpdateCluster", parameters)

    # --- capacity providers of clusters ---

    def put_cluster_capacity_providers(self, parameters: Json) -> Json:
        """A provider that tasks use cannot be removed (PutClusterCapacityProviders, API Reference).
        The words of the refusal are invented."""
        cluster = self._cluster(parameters)
        used = {
            item["capacityProvider"]
            for task in self.tasks
            if task.is_alive and task.deployment.service.cluster == cluster
            for item in task.deployment.settings.get("capacityProviderStrategy", [])
        }
        if left := sorted(used - {*parameters["capacityProviders"]}):
            raise Refused(
                "ResourceInUseException", f"The capacity providers {left} are in use by tasks."
            )
        return self.moto("PutClusterCapacityProviders", parameters)

    # --- task definitions ---

    def register_task_definition(self, parameters: Json) -> Json:
        quotas.check_task_definition(parameters)
        if why := complaint(parameters):
            raise Refused("ClientException", why)
        return self.moto("RegisterTaskDefinition", parameters)

    def list_task_definitions(self, parameters: Json) -> Json:
        """moto does not sort, and its pages are of the unsorted list."""
        paging = {"maxResults", "nextToken", "sort"}
        asked = {key: value for key, value in parameters.items() if key not in paging}
        found: list[str] = self.moto("ListTaskDefinitions", asked)["taskDefinitionArns"]
        found.sort(
            key=lambda arn: (last(arn).split(":")[0], int(arn.rsplit(":", 1)[1])),
            reverse=parameters.get("sort") == "DESC",
        )
        return page(parameters, "taskDefinitionArns", found, size=100)

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

    def _revision(self, name: str) -> tuple[str, Json]:
        """ARN and definition; without a number, the latest that is ACTIVE."""
        try:
            found = self.moto("DescribeTaskDefinition", {"taskDefinition": name})["taskDefinition"]
        except Refused as missing:
            raise Refused("ClientException", "TaskDefinition not found.") from missing
        if found["status"] != "ACTIVE":
            raise Refused("ClientException", "TaskDefinition is inactive")
        return found["taskDefinitionArn"], found


def as_table(tags: Sequence[Json]) -> Json:
    return {tag["key"]: tag.get("value", "") for tag in tags}


def as_list(tags: Json) -> list[Json]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def without_capacity(settings: Json) -> Json:
    return {key: value for key, value in settings.items() if key not in CAPACITY}


def page(parameters: Json, key: str, found: Sequence[Any], *, size: int) -> Json:
    """One page of a List operation, of `size` unless `maxResults` is given."""
    first = int(parameters.get("nextToken", "0"))
    end = first + int(parameters.get("maxResults", size))
    answer: Json = {key: found[first:end]}
    if end < len(found):
        answer["nextToken"] = str(end)
    return answer


def found_and_missing(asked: list[str], known: dict[str, Json], key: str) -> Json:
    """The answer of a Describe operation: those that exist, and a failure for each other."""
    return {
        key: [known[arn] for arn in asked if arn in known],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known],
    }
