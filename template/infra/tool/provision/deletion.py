"""Deletes the stack, and waits for the result."""

from infra.tool.errors import ExitCode, Problem
from infra.tool.provision import events
from infra.tool.provision.stack_state import StackState
from infra.tool.target import Target

NOT_DELETED = Problem(
    "stack-not-deleted",
    "the stack {stack} was not deleted ({status}): {failure}",
    "delete the resource that CloudFormation names, or what still uses it, then {again}",
    ExitCode.FAILED,
)


def delete_stack(target: Target, stack: StackState) -> None:
    """Delete the stack unless it is deleted already. Raises ToolError."""
    since = events.mark(target, stack.id)
    if since.status == "DELETE_COMPLETE":
        return
    with target.while_it_continues(f"CloudFormation continues to delete the stack {stack.name}."):
        # By its id, it cannot be a stack that another person has created under the name since.
        target.aws.cloudformation.delete_stack(StackName=stack.id)
        ending = events.follow(target, stack.id, since)
    if ending.status != "DELETE_COMPLETE":
        raise NOT_DELETED(
            stack=stack.name,
            status=ending.status,
            failure=ending.failure or events.NO_REASON,
            again=target.again,
        )
