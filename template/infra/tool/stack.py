"""The CloudFormation stack of the service, as far as a deploy and a status read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.tool.aws import Aws, AwsError

# What a deploy and the status read of the outputs of infra/stack.yml.
NEEDED_OUTPUTS = frozenset(
    {
        "AssignPublicIp",
        "ScalingResourceLabel",
        "SubnetIds",
        "TargetGroupArn",
        "TaskSecurityGroupId",
        "Url",
    }
)
DEPLOYABLE = frozenset(
    {"CREATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}
)


@dataclass(frozen=True)
class Stack:
    name: str
    status: str
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the service answers; empty as long as the stack has no such output."""
        return self.outputs.get("Url", "")

    @property
    def missing_outputs(self) -> list[str]:
        return sorted(NEEDED_OUTPUTS - self.outputs.keys())

    @property
    def load_balancer(self) -> str:
        """The dimension LoadBalancer of its metrics, such as app/NAME/ID; empty if unknown."""
        return "/".join(self.outputs.get("ScalingResourceLabel", "").split("/")[:3])


def read_stack(aws: Aws, name: str) -> Stack | None:
    """The stack, or None if it does not exist. Raises AwsError."""
    try:
        answer = aws.cloudformation.describe_stacks(StackName=name)
    except AwsError as error:
        # The only ValidationError of DescribeStacks for a valid name: the stack does not exist.
        if error.aws_code == "ValidationError":
            return None
        raise
    [stack] = answer["Stacks"]
    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for output in stack.get("Outputs", [])
        if "OutputKey" in output and "OutputValue" in output
    }
    return Stack(name, stack["StackStatus"], outputs)
