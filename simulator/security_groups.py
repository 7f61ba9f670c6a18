"""Security groups that something still uses cannot be deleted; moto deletes them.

What holds one: "DeleteSecurityGroup" (EC2 API Reference) and botocore's model of it. Wording:
hashicorp/terraform-provider-aws#1671.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simulator.moto_gaps import Ec2
from simulator.refusal import Refused

if TYPE_CHECKING:
    from simulator.ecs import Ecs
    from simulator.service import World

Json = dict[str, Any]


class Ec2WithTasks(Ec2):
    """EC2 with the network interfaces of tasks and load balancers."""

    def __init__(self, world: "World", ecs: "Ecs") -> None:
        super().__init__(world)
        self.ecs = ecs

    def delete_security_group(self, parameters: Json) -> Json:
        group = parameters["GroupId"]
        if group in set(self._groups_of_interfaces()) | set(self._groups_of_rules(group)):
            raise Refused("DependencyViolation", f"resource {group} has a dependent object")
        return self.moto("DeleteSecurityGroup", parameters)

    def _groups_of_interfaces(self) -> Iterator[str]:
        """A task has its interface until it is STOPPED ("Task lifecycle", ECS Developer Guide)."""
        for task in self.ecs.tasks:
            network = task.deployment.settings.get("networkConfiguration", {})
            if task.status != "STOPPED":
                yield from network.get("awsvpcConfiguration", {}).get("securityGroups", [])
        for balancer in self.account.moto("elbv2", "DescribeLoadBalancers")["LoadBalancers"]:
            yield from balancer.get("SecurityGroups", [])

    def _groups_of_rules(self, group: str) -> Iterator[str]:
        """The groups that rules of other groups name."""
        for other in self.moto("DescribeSecurityGroups", {})["SecurityGroups"]:
            if other["GroupId"] != group:
                for rule in other["IpPermissions"] + other["IpPermissionsEgress"]:
                    yield from (pair["GroupId"] for pair in rule.get("UserIdGroupPairs", []))
