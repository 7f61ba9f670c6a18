"""The base of the simulated services."""

from dataclasses import dataclass, field
from typing import Any

from simulator.account import Account
from simulator.principals import Principal, Principals

Json = dict[str, Any]


@dataclass
class World:
    """The parts of the simulation that a service uses."""

    account: Account
    principals: Principals
    caller: Principal  # of the present request
    whole: frozenset[str] = frozenset({"cloudformation", "sts"})  # without moto
    shared: set[str] = field(default_factory=set)  # ECR repositories elsewhere that may be pulled
    guardduty: str = ""  # the account that hosts its agent, if it monitors the tasks here
    service_control_policies: list[Json] = field(default_factory=list)  # boundaries.py asks them

    def reset(self) -> None:
        self.shared.clear()
        self.service_control_policies.clear()
        self.guardduty = ""


class Service:
    """A service of AWS: its methods are operations; moto answers the others."""

    name: str

    def __init__(self, world: World) -> None:
        self.world = world
        self.account = world.account
        self.clock = world.account.clock

    def moto(self, operation: str, parameters: Json) -> Json:
        """moto's own answer, for an operation that only adds checks or corrections."""
        return self.account.moto(self.name, operation, parameters)

    def arn(self, rest: str) -> str:
        return self.account.arn(self.name, rest)

    def reset(self) -> None:
        """Delete the state that is not in moto."""
