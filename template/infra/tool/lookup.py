"""Look up the service and its stack in AWS."""

from typing import TYPE_CHECKING

from infra.tool.aws import Aws
from infra.tool.aws_errors import AwsError
from infra.tool.ecs_service import EcsService, as_service
from infra.tool.service_names import Names
from infra.tool.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef


def read_service(aws: Aws, names: Names) -> EcsService | None:
    """The service, or None if it does not exist. Raises AwsError, also without a cluster."""
    answer = aws.ecs.describe_services(
        cluster=names.cluster, services=[names.service], include=["TAGS"]
    )
    found = [service for service in answer["services"] if service.get("status") != "INACTIVE"]
    return as_service(found[0]) if found else None


def read_stack(aws: Aws, name: str) -> Stack | None:
    """The stack, or None if it does not exist. Raises AwsError."""
    found = describe_stack(aws, name)
    if found is None:
        return None
    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for output in found.get("Outputs", [])
        if "OutputKey" in output and "OutputValue" in output
    }
    return Stack(name, found["StackStatus"], outputs)


def describe_stack(aws: Aws, name: str) -> "StackTypeDef | None":
    """CloudFormation's description of a stack by its name or id; None if it does not exist.

    Raises AwsError.
    """
    try:
        answer = aws.cloudformation.describe_stacks(StackName=name)
    except AwsError as error:
        # The only ValidationError of DescribeStacks for a valid name: the stack does not exist.
        if error.aws_code == "ValidationError":
            return None
        raise
    [found] = answer["Stacks"]
    return found
