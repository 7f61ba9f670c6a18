"""A change set, between its request and its execution."""

from dataclasses import dataclass, field
from datetime import datetime

from simulator.cloudformation.resources.kind import Json
from simulator.cloudformation.stack import Stack
from simulator.cloudformation.template import Stack as Plan


@dataclass
class ChangeSet:
    name: str
    id: str
    stack: Stack
    type: str
    plan: Plan
    request: Json
    made_at: datetime
    changes: list[Json] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    status: str = "CREATE_PENDING"
    reason: str = ""
    execution: str = "UNAVAILABLE"
    token: str | None = None  # of the request that it was executed with
    complaints: list[Json] = field(default_factory=list)

    @property
    def tags(self) -> list[Json]:
        """Those that the stack gets; without the member, UpdateStack keeps the present ones."""
        found: list[Json] = self.request.get("Tags", self.stack.tags)
        return found
