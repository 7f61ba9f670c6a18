"""Security groups and prefix lists that something still uses cannot be deleted; moto deletes them.

Uses that block a deletion: "DeleteSecurityGroup" (EC2 API Reference), botocore's model. Wording:
hashicorp/terraform-provider-aws#1671. A prefix list that a rule names: #20991 there.
"""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simulator.refusal import Refused
from simulator.vpc import Ec2

if TYPE_CHECKING:
    from simulator.ecs.api import Ecs
    from simulator.service import World

Json = dict[str, Any]

# Inbound rules of a group, of IPv4 and of IPv6 ("Amazon VPC quotas"). A rule that names a prefix
# list counts as its maximum number of entries.
MOST_RULES = 60


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
        """A task has an interface until it is STOPPED ("Task lifecycle", ECS Developer Guide)."""
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

    # --- prefix lists ---

    def describe_managed_prefix_lists(self, parameters: Json) -> Json:
        """moto leaves out what does not exist ("Error codes for the Amazon EC2 API")."""
        answer = self.moto("DescribeManagedPrefixLists", parameters)
        found = {each["PrefixListId"] for each in answer["PrefixLists"]}
        for id in parameters.get("PrefixListIds", []):
            if id not in found:
                raise Refused(
                    "InvalidPrefixListID.NotFound", f"The prefix list ID '{id}' does not exist"
                )
        return answer

    def create_managed_prefix_list(self, parameters: Json) -> Json:
        if len(parameters.get("Entries", [])) > parameters["MaxEntries"]:
            raise Refused("InvalidParameterValue", "The number of entries exceeds the maximum.")
        return self.moto("CreateManagedPrefixList", parameters)

    def delete_managed_prefix_list(self, parameters: Json) -> Json:
        """A list that a rule names is not deleted: the failure is in its state."""
        id = parameters["PrefixListId"]
        for group in self.moto("DescribeSecurityGroups", {})["SecurityGroups"]:
            named = (each for rule in group["IpPermissions"] for each in rule["PrefixListIds"])
            if any(each["PrefixListId"] == id for each in named):
                return {"PrefixList": self._prefix_list(id) | {"State": "delete-failed"}}
        return self.moto("DeleteManagedPrefixList", parameters)

    def authorize_security_group_ingress(self, parameters: Json) -> Json:
        self._check_rules(parameters, "IpPermissions")
        return self.moto("AuthorizeSecurityGroupIngress", parameters)

    def authorize_security_group_egress(self, parameters: Json) -> Json:
        self._check_rules(parameters, "IpPermissionsEgress")
        return self.moto("AuthorizeSecurityGroupEgress", parameters)

    def _check_rules(self, parameters: Json, present: str) -> None:
        """AuthorizeSecurityGroupIngress: RulesPerSecurityGroupLimitExceeded. AWS's own lists count
        by a weight, that of S3 as one ("AWS-managed prefix list weight", VPC User Guide)."""
        asked = {"GroupIds": [parameters["GroupId"]]}
        [group] = self.moto("DescribeSecurityGroups", asked)["SecurityGroups"]
        count: Counter[str] = Counter()
        for rule in group[present] + parameters.get("IpPermissions", []):
            count["IPv4"] += len(rule.get("IpRanges", []))
            count["IPv6"] += len(rule.get("Ipv6Ranges", []))
            for each in rule.get("PrefixListIds", []):
                found = self._prefix_list(each["PrefixListId"])
                is_own = found["OwnerId"] == self.account.id
                count[found["AddressFamily"]] += found["MaxEntries"] if is_own else 1
        if any(number > MOST_RULES for number in count.values()):
            raise Refused(
                "RulesPerSecurityGroupLimitExceeded",
                "The maximum number of rules per security group has been reached.",
            )

    def _prefix_list(self, id: str) -> Json:
        asked = {"PrefixListIds": [id]}
        [found] = self.describe_managed_prefix_lists(asked)["PrefixLists"]
        prefix_list: Json = found
        return prefix_list
