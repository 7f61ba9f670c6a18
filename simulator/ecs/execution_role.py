"""The execution role of a task: its policies decide what ECS may read for the task."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from simulator.permissions import needs
from simulator.policies import Need
from simulator.principals import Principal
from simulator.refusal import Refused
from simulator.service import World

Json = dict[str, Any]


@dataclass(frozen=True)
class ExecutionRole:
    world: World
    name: str

    @cached_property
    def principal(self) -> Principal:
        return self.world.principals.as_role(self.name, "task")

    def denied(self, service: str, operation: str, parameters: Json) -> str:
        """Why the role may not call an operation; empty if it may."""
        return self.lacks(*needs(service, operation, parameters, self.world.account))

    def lacks(self, *required: Need) -> str:
        """Which permission is missing; empty if none is."""
        return said(lambda: self.world.principals.check(self.principal, list(required)))

    def fetched(self, service: str, operation: str, parameters: Json) -> str:
        """The error of reading a secret or a parameter as the role; empty if it can be read."""
        if no := self.denied(service, operation, parameters):
            return no
        account = self.world.account
        answer: Json = {}
        no = said(lambda: answer.update(account.moto(service, operation, parameters)))
        if missing := answer.get("InvalidParameters"):
            return f"invalid ssm parameters: {', '.join(missing)}"
        return no


def said(ask: Callable[[], object]) -> str:
    """The refusal of a call, as ECS quotes it; empty if it is allowed."""
    try:
        ask()
    except Refused as refused:
        denied = refused.code == "AccessDenied"
        code = "AccessDeniedException" if denied else refused.code
        return f"{code}: {refused.message} status code: 400"
    return ""
