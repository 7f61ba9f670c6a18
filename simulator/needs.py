"""The permissions that an operation needs: functions of its parameters, for permissions.py."""

from collections.abc import Callable
from typing import Any

from simulator.account import Account
from simulator.policies import Need

Json = dict[str, Any]
Needs = Callable[[Json, Account], list[Need]]


def nothing(_: Json, __: Account) -> list[Need]:
    return []


def anything(action: str) -> Needs:
    """The need of an action without a resource type."""
    return lambda _, __: [Need(action)]


def last(name: str) -> str:
    """The last part of an ARN; a plain name is returned as it is."""
    return name.rsplit("/", 1)[-1]
