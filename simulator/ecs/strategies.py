"""Deployment strategies. Only the rolling strategy is simulated.

Source of the refusals: "Troubleshooting Amazon ECS blue/green deployments" (ECS Developer Guide).
"""

from typing import Any

from simulator.refusal import Refused

Json = dict[str, Any]


def check(service: Json) -> None:
    """Raises Refused if a strategy does not fit the load balancers of a service, and
    NotImplementedError if it is not simulated."""
    strategy = service.get("deploymentConfiguration", {}).get("strategy", "ROLLING")
    targets = service.get("loadBalancers", [])
    advanced = [target for target in targets if "advancedConfiguration" in target]
    if advanced and len(advanced) < len(targets):
        raise Refused(
            "InvalidParameterException",
            "Either all or none of the provided loadBalancers must have advancedConfiguration "
            "defined",
        )
    if strategy != "ROLLING" and targets and not advanced:
        raise Refused(
            "InvalidParameterException",
            "advancedConfiguration field is required for all loadBalancers when using a "
            "non-ROLLING deployment strategy",
        )
    if strategy != "ROLLING" or advanced:
        raise NotImplementedError(f"the strategy {strategy} with {len(advanced)} alternate groups")
