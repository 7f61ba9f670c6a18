"""The CloudFormation stack of the service, as far as a deploy and a status read it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# The outputs of infra/stack.yml that a deploy and the status read.
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
# States in which resources and outputs are final. While an update cleans up, it may wait for a
# deploy to release what it replaced.
DEPLOYABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "IMPORT_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    }
)


@dataclass(frozen=True)
class Stack:
    name: str
    status: str
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The URL of the service; empty as long as the stack has no such output."""
        return self.outputs.get("Url", "")

    @property
    def load_balancer_domain(self) -> str:
        """The load balancer's own name; empty for a stack without this output."""
        return self.outputs.get("LoadBalancerDomain", "")

    @property
    def dashboard(self) -> str:
        """The name of its dashboard in CloudWatch; empty if it has none."""
        return self.outputs.get("DashboardName", "")

    @property
    def missing_outputs(self) -> list[str]:
        return sorted(NEEDED_OUTPUTS - self.outputs.keys())

    @property
    def load_balancer(self) -> str:
        """The dimension LoadBalancer of its metrics, such as app/NAME/ID; empty if unknown."""
        return "/".join(self.outputs.get("ScalingResourceLabel", "").split("/")[:3])
