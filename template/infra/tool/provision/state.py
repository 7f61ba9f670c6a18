"""Read the state of the CloudFormation stack."""

from infra.tool.lookup import describe_stack
from infra.tool.provision.stack_state import NEVER_CAME_UP, StackState
from infra.tool.target import Target


def read(target: Target, name: str = "") -> StackState | None:
    """The stack of the settings, or of a name or id; None if it does not exist. Raises AwsError."""
    found = describe_stack(target.aws, name or target.settings.names.stack)
    if found is None:
        return None
    status = found["StackStatus"]
    came_up = not status.startswith(NEVER_CAME_UP)
    return StackState(
        id=found.get("StackId", ""),
        name=found["StackName"],
        status=status,
        parameters={
            each["ParameterKey"]: each["ParameterValue"]
            for each in found.get("Parameters", [])
            if came_up and "ParameterKey" in each and "ParameterValue" in each
        },
        is_protected=found.get("EnableTerminationProtection", False),
        outputs={
            each["OutputKey"]: each["OutputValue"]
            for each in found.get("Outputs", [])
            if "OutputKey" in each and "OutputValue" in each
        },
        tags={each["Key"]: each["Value"] for each in found.get("Tags", [])},
    )
