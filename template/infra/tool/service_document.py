"""Checks of infra/service.json, for a new service and for an existing one. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.tool import quotas
from infra.tool.api_model import Json, about_shape, members

# Members that a deploy derives (service_request.py), by what they come from.
DERIVED = {
    "clientToken": "the revision",
    "cluster": "infra/settings.toml",
    "desiredCount": "[tasks] min in infra/settings.toml and the scaling",
    "forceNewDeployment": "a change of launchType or capacityProviderStrategy",
    "loadBalancers": "the stack",
    "networkConfiguration": "the stack",
    "service": "infra/settings.toml",
    "serviceName": "infra/settings.toml",
    "taskDefinition": "the revision",
}
# Members that Fargate or this template has no use for.
UNSUPPORTED = {
    "placementConstraints": "Fargate places tasks by itself",
    "placementStrategy": "Fargate places tasks by itself",
    "role": "ECS uses its service-linked role",
}
# Members that only a new service takes. An existing one must agree with the document already.
ONLY_NEW: dict[str, Any] = {"schedulingStrategy": "REPLICA"}
# Members that UpdateService does not take, and a deploy changes by calls of their own.
BY_OTHER_CALLS = frozenset({"launchType", "tags"})
PROVIDERS = {"FARGATE", "FARGATE_SPOT"}
# The defaults of members that a request for a new service omits, unless 0, false or empty:
# "CreateService" and "DeploymentConfiguration" of the ECS API Reference.
DEFAULTS: dict[str, Any] = {
    "deploymentController": {"type": "ECS"},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "propagateTags": "NONE",
    "strategy": "ROLLING",
}
# Members of UpdateService that need not be named for a value to go: derived or refused ones, the
# two below by rules of their own, and platformVersion, which is the latest if it is left out.
MAY_BE_LEFT_OUT = {
    *DERIVED,
    *UNSUPPORTED,
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "platformVersion",
}


def complaints(document: Json) -> Iterator[str]:
    """Complaints about infra/service.json, whether the service exists or not."""
    for member in sorted(document.keys() & DERIVED.keys()):
        yield f"{member} comes from {DERIVED[member]}: remove it from this file"
    for member in sorted(document.keys() & UNSUPPORTED.keys()):
        yield f"{member} is not supported, because {UNSUPPORTED[member]}: remove it"
    supported = {key: value for key, value in document.items() if key not in DERIVED}
    wrong = about_shape("CreateService", {**supported, "serviceName": "from the settings"})
    yield from wrong or [
        *about_capacity(supported),
        *about_deployments(supported),
        *quotas.TAGS.complaint("it", len(supported.get("tags", []))),
    ]


def about_capacity(document: Json) -> Iterator[str]:
    """Complaints about the capacity. The strategy follows "CapacityProviderStrategyItem" of the
    ECS API Reference."""
    if ("launchType" in document) == ("capacityProviderStrategy" in document):
        yield 'it needs either "launchType": "FARGATE" or a capacityProviderStrategy'
    if document.get("launchType", "FARGATE") != "FARGATE":
        yield f'launchType is {document["launchType"]}: only "FARGATE" is supported'
    if "capacityProviderStrategy" not in document:
        return
    shares = as_shares(document["capacityProviderStrategy"])
    names = [name for name, _, _ in shares]
    if others := sorted(set(names) - PROVIDERS):
        yield (
            f"capacityProviderStrategy names {', '.join(others)}: "
            'only "FARGATE" and "FARGATE_SPOT" are supported'
        )
    if len(set(names)) < len(names):
        yield "capacityProviderStrategy names a provider twice"
    if not any(weight for _, weight, _ in shares):
        yield "capacityProviderStrategy needs a provider with a weight above 0"
    if sum(base > 0 for _, _, base in shares) > 1:
        yield "capacityProviderStrategy has a base for two providers: only one may have it"


def about_deployments(document: Json) -> Iterator[str]:
    """Complaints about members that a rolling deployment on Fargate does not support."""
    if document.get("schedulingStrategy", "REPLICA") != "REPLICA":
        yield 'schedulingStrategy must be "REPLICA": Fargate has no other'
    if (kind := document.get("deploymentController", {}).get("type", "ECS")) != "ECS":
        yield f'deploymentController.type is {kind}: only "ECS" is supported'
    configuration = document.get("deploymentConfiguration", {})
    if (kind := configuration.get("strategy", "ROLLING")) != "ROLLING":
        yield f'deploymentConfiguration.strategy is {kind}: only "ROLLING" is supported'
    for member in sorted({"canaryConfiguration", "linearConfiguration"} & configuration.keys()):
        yield f'deploymentConfiguration.{member} goes with another strategy than "ROLLING"'
    least = configuration.get("minimumHealthyPercent", DEFAULTS["minimumHealthyPercent"])
    if has_no_room(document) and least >= 100:
        yield "deploymentConfiguration allows neither more tasks nor fewer: no task can be replaced"
    if has_no_room(document) and document.get("availabilityZoneRebalancing") == "ENABLED":
        yield "availabilityZoneRebalancing needs a deploymentConfiguration.maximumPercent above 100"


def has_no_room(document: Json) -> bool:
    """Whether a deployment stops tasks before it starts others."""
    configuration = document.get("deploymentConfiguration", {})
    return bool(configuration.get("maximumPercent", DEFAULTS["maximumPercent"]) <= 100)


def complaints_about_update(document: Json, running: Mapping[str, Any]) -> Iterator[str]:
    """Members that an existing service cannot change. `running`: an answer of DescribeServices."""
    for member in sorted(document.keys() - members("UpdateService") - BY_OTHER_CALLS):
        found = running.get(member) or ONLY_NEW.get(member)
        if document[member] != found:
            yield f"{member} of an existing service cannot be changed by a deploy: it is {found}"
    rebalancing = "DISABLED" if has_no_room(document) else "ENABLED"
    defaults = DEFAULTS | {"availabilityZoneRebalancing": rebalancing}
    for path, value in sorted(left_out(document, running).items()):
        if not (is_off(value) or value == defaults.get(path.rpartition(".")[2])):
            yield (
                f"{path} of the service is {value}, and an update keeps what this file does not "
                "name: write the value that you want"
            )


def left_out(document: Json, running: Mapping[str, Any]) -> dict[str, Any]:
    """Members that the document could name and does not, by path, with the service's value.
    Some of it is only in the answer's latest deployment."""
    primary: Mapping[str, Any] = next(
        (each for each in running.get("deployments", []) if each.get("status") == "PRIMARY"), {}
    )
    present = {**primary, **running}
    absent = members("UpdateService") - MAY_BE_LEFT_OUT - document.keys()
    found = {member: present[member] for member in absent & present.keys()}
    named = document.get("deploymentConfiguration", {})
    configuration = running.get("deploymentConfiguration", {})
    return found | {
        f"deploymentConfiguration.{member}": value
        for member, value in configuration.items()
        if member not in named
    }


def is_off(value: Any) -> bool:
    """Whether a value is 0, false or empty, or a structure that says that it is not enabled."""
    if isinstance(value, Mapping) and {"enable", "enabled"} & value.keys():
        return not (value.get("enable") or value.get("enabled"))
    return not value


def as_shares(strategy: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, int]]:
    """A strategy without the differences that mean nothing: order, and zeros left out."""
    return sorted(
        (item["capacityProvider"], item.get("weight", 0), item.get("base", 0)) for item in strategy
    )
