"""The operations on tasks and task definitions."""

from collections.abc import Callable
from typing import Any

from simulator import quotas
from simulator.ecs.answers import as_list, no_such_service, page
from simulator.ecs.fargate import complaint
from simulator.ecs.records import Records
from simulator.ecs.tasks import Task
from simulator.needs import last
from simulator.refusal import Refused

Json = dict[str, Any]


class TaskRequests(Records):
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
