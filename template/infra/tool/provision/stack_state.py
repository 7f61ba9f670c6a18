"""The state of the CloudFormation stack, and the parameters that it was last given. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# In these states the stack was never created completely: CloudFormation can only delete it, or, if
# it is only planned (REVIEW_IN_PROGRESS), create it.
NEVER_CAME_UP = ("REVIEW_", "ROLLBACK_", "CREATE_FAILED")


@dataclass(frozen=True)
class StackState:
    id: str  # ARN: it finds the stack after its deletion, too
    name: str
    status: str
    parameters: Mapping[str, str] = field(default_factory=dict)  # empty if it never came up
    is_protected: bool = False  # whether CloudFormation refuses to delete it
    tags: Mapping[str, str] = field(default_factory=dict)  # as the last change set gave them
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_only_planned(self) -> bool:
        """Whether a change set has brought it into being, and none was executed."""
        return self.status == "REVIEW_IN_PROGRESS"

    @property
    def creation_failed(self) -> bool:
        """Whether CloudFormation can only delete it."""
        never_came_up = self.status.startswith(NEVER_CAME_UP)
        return never_came_up and not (self.is_changing or self.is_only_planned)

    @property
    def is_changing(self) -> bool:
        """Whether an operation is in progress, so that no other can begin."""
        return self.status.endswith("_IN_PROGRESS") and not self.is_only_planned
