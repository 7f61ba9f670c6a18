"""A resource of a template, and the account that it is for."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Place:
    partition: str
    region: str
    account: str

    def arn(self, service: str, rest: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{rest}"

    def role(self, name: str) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"


@dataclass(frozen=True)
class Resource:
    name: str
    type: str
    properties: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)
