"""From infra/service.json to the requests of CreateService and UpdateService. Pure.

Every member of the document is sent as it is, derived by a rule of this module, or refused by name
before anything is changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.tool.api_model import Json, about_shape
from infra.tool.settings import Names, Settings
from infra.tool.stack import Stack

# Members that this module writes, by what they come from.
DERIVED = {
    "clientToken": "the revision",
    "cluster": "infra/settings.env",
    "desiredCount": "MIN_TASKS in infra/settings.env and the scaling",
    "loadBalancers": "the stack",
    "networkConfiguration": "the stack",
    "serviceName": "infra/settings.env",
    "taskDefinition": "the revision",
}
# Members that Fargate or this template has no use for.
UNSUPPORTED = {
    "placementConstraints": "Fargate places tasks by itself",
    "placementStrategy": "Fargate places tasks by itself",
    "role": "ECS uses its service-linked role",
}
# What only a new service takes. An existing one must agree with the document already.
ONLY_NEW = {"schedulingStrategy": "REPLICA", "tags": []}


def complaints(document: Json) -> Iterator[str]:
    """What is wrong with infra/service.json, whether the service exists or not."""
    for member in sorted(document.keys() & DERIVED.keys()):
        yield f"{member} comes from {DERIVED[member]}: remove it from this file"
    for member in sorted(document.keys() & UNSUPPORTED.keys()):
        yield f"{member} is not supported, because {UNSUPPORTED[member]}: remove it"
    supported = {key: value for key, value in document.items() if key not in DERIVED}
    yield from about_shape("CreateService", {**supported, "serviceName": "from the settings"})
    yield from _about_values(document)


def _about_values(document: Json) -> Iterator[str]:
    if ("launchType" in document) == ("capacityProviderStrategy" in document):
        yield 'it needs either "launchType": "FARGATE" or a capacityProviderStrategy'
    if document.get("launchType", "FARGATE") != "FARGATE":
        yield f'launchType is {document["launchType"]}: only "FARGATE" is supported'
    if document.get("schedulingStrategy", "REPLICA") != "REPLICA":
        yield 'schedulingStrategy must be "REPLICA": Fargate has no other'
    if (kind := _member(document, "deploymentController", "type") or "ECS") != "ECS":
        yield f'deploymentController.type is {kind}: only "ECS" is supported'
    if (kind := _member(document, "deploymentConfiguration", "strategy") or "ROLLING") != "ROLLING":
        yield f'deploymentConfiguration.strategy is {kind}: only "ROLLING" is supported'


def _member(document: Json, *path: str) -> Any:
    found: Any = document
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def complaints_about_update(document: Json, running: Mapping[str, Any]) -> Iterator[str]:
    """What an existing service cannot take over. `running` is an answer of DescribeServices."""
    for member, default in ONLY_NEW.items():
        if member in document and document[member] != (running.get(member) or default):
            yield (
                f"{member} of an existing service cannot be changed by a deploy: "
                f"it is {running.get(member) or default}"
            )


def container_port(task_definition: Json, names: Names) -> int:
    """The port that receives the requests of the load balancer."""
    [port] = (
        container["portMappings"][0]["containerPort"]
        for container in task_definition["containerDefinitions"]
        if container["name"] == names.container
    )
    return int(port)


def common_request(document: Json, task_definition: Json, settings: Settings, stack: Stack) -> Json:
    """What both requests share: the document, the cluster, the network and the target group."""
    outputs, names = stack.outputs, settings.names
    return document | {
        "cluster": names.cluster,
        "loadBalancers": [
            {
                "targetGroupArn": outputs["TargetGroupArn"],
                "containerName": names.container,
                "containerPort": container_port(task_definition, names),
            }
        ],
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": outputs["SubnetIds"].split(","),
                "securityGroups": [outputs["TaskSecurityGroupId"]],
                "assignPublicIp": outputs["AssignPublicIp"],
            }
        },
    }


def create_request(common: Json, task_definition: str, settings: Settings) -> Json:
    """For CreateService. The token (of at most 36 characters) makes a retry the same request."""
    return common | {
        "clientToken": task_definition.rpartition("/")[2][-36:],
        "serviceName": settings.names.service,
        "taskDefinition": task_definition,
        "desiredCount": settings.tasks.min,
    }


def update_request(
    common: Json,
    task_definition: str,
    settings: Settings,
    running: Mapping[str, Any],
    *,
    schedule_owns_count: bool,
) -> Json:
    """For UpdateService. `running` is the service in an answer of DescribeServices."""
    sent = {key: value for key, value in common.items() if key not in {"launchType", *ONLY_NEW}}
    strategy, runs_on = common.get("capacityProviderStrategy", []), providers_of(running)
    if as_shares(strategy) != as_shares(runs_on):
        # An empty list goes back to the launch type. ECS asks for force with either change.
        sent |= {"capacityProviderStrategy": strategy, "forceNewDeployment": True}
    sent |= {"service": settings.names.service, "taskDefinition": task_definition}
    return sent | desired_count(settings, running, schedule_owns_count=schedule_owns_count)


def desired_count(
    settings: Settings, running: Mapping[str, Any], *, schedule_owns_count: bool
) -> Json:
    """The minimum, if fewer tasks are wanted: a deployment of no tasks completes without proving
    anything. Otherwise the scaling decides, and a schedule may want none."""
    if running.get("desiredCount", 0) >= settings.tasks.min or schedule_owns_count:
        return {}
    return {"desiredCount": settings.tasks.min}


def providers_of(running: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The capacity provider strategy of a service; empty if it has a launch type."""
    found: Sequence[Mapping[str, Any]] = running.get("capacityProviderStrategy") or []
    return found


def as_shares(strategy: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, int]]:
    """A strategy without the differences that mean nothing: order, and zeros left out."""
    return sorted(
        (item["capacityProvider"], item.get("weight", 0), item.get("base", 0)) for item in strategy
    )
