"""The capacity of a service's tasks: a launch type, or a strategy of capacity providers.

Sources: botocore's model of the ECS API, "CreateService", "UpdateService" and
"CapacityProviderStrategyItem"; for each refusal, the thread that quotes it.
"""

from collections.abc import Sequence
from typing import Any

from simulator.refusal import Refused

Json = dict[str, Any]

MOST_PROVIDERS = 20
FARGATE = {"launchType": "FARGATE"}


def invalid(message: str) -> Refused:
    return Refused("InvalidParameterException", message)


def of_new_service(parameters: Json, associated: Sequence[str]) -> Json:
    """The members of a new service that define its capacity. Raises Refused.

    `associated` are the providers of the cluster.
    """
    strategy = parameters.get("capacityProviderStrategy", [])
    if strategy and "launchType" in parameters:  # terraform-linters/tflint-ruleset-aws#349
        raise invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove "
            "one and try again."
        )
    if strategy:
        return {"capacityProviderStrategy": checked(strategy, associated)}
    if parameters.get("launchType") != "FARGATE":
        raise NotImplementedError("a service on EC2, or on its cluster's default strategy")
    return FARGATE


def of_changed_service(present: Json, parameters: Json, associated: Sequence[str]) -> Json:
    """The members after an UpdateService; `present` are those before it. Raises Refused.

    An empty list restores the launch type (aws/containers-roadmap#838), which an update cannot
    name otherwise.
    """
    if "capacityProviderStrategy" not in parameters:
        return present
    strategy = checked(parameters["capacityProviderStrategy"], associated)
    changed = {"capacityProviderStrategy": strategy} if strategy else FARGATE
    if changed != present and not parameters.get("forceNewDeployment"):  # pipe-cd/pipecd#6385
        raise invalid(
            "When switching from launch type to capacity provider strategy on an existing service, "
            "or making a change to a capacity provider strategy on a service that is already using "
            "one, you must force a new deployment."
        )
    return changed


def checked(strategy: Sequence[Json], associated: Sequence[str]) -> list[Json]:
    """A strategy with its defaults, sorted. Raises Refused."""
    names = [item["capacityProvider"] for item in strategy]
    if set(names) - set(associated):  # dask/dask-cloudprovider#328
        raise invalid(
            "The specified capacity provider strategy cannot contain a capacity provider that is "
            "not associated with the cluster. Associate the capacity provider with the cluster or "
            "specify a valid capacity provider and try again."
        )
    complete = [{"weight": 0, "base": 0} | item for item in strategy]
    # The model has these three rules; the words of ECS are unknown.
    if strategy and not any(item["weight"] for item in complete):
        raise invalid("At least one capacity provider must have a weight greater than zero.")
    if sum(item["base"] > 0 for item in complete) > 1:
        raise invalid("Only one capacity provider can have a base.")
    if len(strategy) > MOST_PROVIDERS:
        raise invalid(f"A strategy can contain {MOST_PROVIDERS} capacity providers.")
    return sorted(complete, key=lambda item: str(item["capacityProvider"]))
