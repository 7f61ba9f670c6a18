"""Security groups and prefix lists."""

from collections.abc import Mapping
from typing import Any

from simulator.cloudformation.resources.kind import Failed, Json, Kind, Wanted, handler


def permission(rule: Mapping[str, Any]) -> Json:
    """A rule of a security group as EC2 takes it."""
    rule = dict(rule)
    text = {"Description": rule.pop("Description")} if "Description" in rule else {}
    for key, ranges, name in (
        ("CidrIp", "IpRanges", "CidrIp"),
        ("SourcePrefixListId", "PrefixListIds", "PrefixListId"),
        ("DestinationPrefixListId", "PrefixListIds", "PrefixListId"),
    ):
        if key in rule:
            rule[ranges] = [{name: rule.pop(key)} | text]
    for key in "SourceSecurityGroupId", "DestinationSecurityGroupId":
        if key in rule:
            rule["UserIdGroupPairs"] = [{"GroupId": rule.pop(key)} | text]
    return rule


EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


class SecurityGroup(Kind):
    type = "AWS::EC2::SecurityGroup"
    gone = ("InvalidGroup.NotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        given = wanted.take("GroupDescription", "VpcId")
        ec2 = self.aws("ec2")
        made = ec2.create_security_group(
            GroupName=name, Description=given["GroupDescription"], VpcId=given["VpcId"]
        )
        id = str(made["GroupId"])
        if "SecurityGroupEgress" in wanted.properties:  # the rule that EC2 adds to a new group
            ec2.revoke_security_group_egress(GroupId=id, IpPermissions=[EVERYTHING])
        return id

    def adjust(self, id: str, wanted: Wanted) -> None:
        ec2 = self.aws("ec2")
        for key, revoke, authorize in (
            (
                "SecurityGroupIngress",
                ec2.revoke_security_group_ingress,
                ec2.authorize_security_group_ingress,
            ),
            (
                "SecurityGroupEgress",
                ec2.revoke_security_group_egress,
                ec2.authorize_security_group_egress,
            ),
        ):
            before = wanted.before.get(key, [])
            after = wanted.take(key).get(key, [])
            if old := [permission(rule) for rule in before if rule not in after]:
                revoke(GroupId=id, IpPermissions=old)
            if new := [permission(rule) for rule in after if rule not in before]:
                authorize(GroupId=id, IpPermissions=new)

    def attributes(self, id: str) -> Json:
        return {"GroupId": id}

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("ec2").delete_security_group(GroupId=id)


class GroupRule(Kind):
    """A rule of a security group that is a resource of its own."""

    direction: str  # in the names of EC2's operations
    gone = ("InvalidGroup.NotFound", "InvalidSecurityGroupRuleId.NotFound")

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        rule = wanted.take_all()
        authorize = getattr(self.aws("ec2"), f"authorize_security_group_{self.direction}")
        made = authorize(GroupId=rule.pop("GroupId"), IpPermissions=[permission(rule)])
        [found] = made["SecurityGroupRules"]
        return str(found["SecurityGroupRuleId"])

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        revoke = getattr(self.aws("ec2"), f"revoke_security_group_{self.direction}")
        revoke(GroupId=properties["GroupId"], SecurityGroupRuleIds=[id])


class SecurityGroupIngress(GroupRule):
    type = "AWS::EC2::SecurityGroupIngress"
    direction = "ingress"


class SecurityGroupEgress(GroupRule):
    type = "AWS::EC2::SecurityGroupEgress"
    direction = "egress"


class PrefixList(Kind):
    type = "AWS::EC2::PrefixList"
    gone = ("InvalidPrefixListID.NotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        given = wanted.take("PrefixListName", "AddressFamily", "MaxEntries", "Entries")
        made = self.aws("ec2").create_managed_prefix_list(**given)
        return str(made["PrefixList"]["PrefixListId"])

    def adjust(self, id: str, wanted: Wanted) -> None:
        for after in wanted.take_new("Entries").values():
            before = wanted.before["Entries"]
            ec2 = self.aws("ec2")
            [found] = ec2.describe_managed_prefix_lists(PrefixListIds=[id])["PrefixLists"]
            ec2.modify_managed_prefix_list(
                PrefixListId=id,
                PrefixListName=found["PrefixListName"],
                CurrentVersion=found["Version"],
                AddEntries=[each for each in after if each not in before],
                RemoveEntries=[each for each in before if each not in after],
            )

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        gone = self.aws("ec2").delete_managed_prefix_list(PrefixListId=id)["PrefixList"]
        if gone["State"] == "delete-failed":
            raise Failed(handler(f"{id} is in use (DependencyViolation)", "NotStabilized"))
