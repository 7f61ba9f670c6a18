"""The resource types of infra/stack.yml: the calls that create, change and delete them.

Sources: "Return values" and the update behaviour in CloudFormation's resource reference; cfn-lint's
schemas of the types say which properties replace a resource and which name it. A property without
an effect, or a type that is missing here, is an error.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

Json = dict[str, Any]
# The client of a service, with the credentials of the caller that creates the stack.
Aws = Callable[[str], Any]


class NotSimulated(NotImplementedError):
    """A feature of CloudFormation that the simulator lacks."""


class Failed(Exception):
    """The reason why a resource could not be created, changed or deleted."""


@dataclass
class Wanted:
    """The wanted and the present properties of a resource; each must be used."""

    properties: Mapping[str, Any]
    before: Mapping[str, Any] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    @property
    def changed(self) -> set[str]:
        """Names of the properties that differ. The defaults of properties are not known here."""
        names = self.properties.keys() | self.before.keys()
        return {name for name in names if self.properties.get(name) != self.before.get(name)}

    def take(self, *names: str) -> Json:
        """The wanted ones among these properties."""
        self.taken |= set(names)
        return {name: self.properties[name] for name in names if name in self.properties}

    def take_all(self) -> Json:
        return self.take(*(self.properties.keys() | self.before.keys()))

    def take_new(self, *names: str) -> Json:
        """The ones to change. A property cannot be removed by leaving it out."""
        new = {name for name in names if name in self.changed - self.taken}
        if gone := new - self.properties.keys():
            raise NotSimulated(f"the default of {', '.join(sorted(gone))}")
        return self.take(*new)

    def done(self, kind: str) -> None:
        if left := self.changed - self.taken:
            raise NotSimulated(f"{', '.join(sorted(left))} of {kind}")


def lower(value: Any) -> Any:
    """`ScanOnPush` in the spelling of most APIs: `scanOnPush`."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: lower(member) for key, member in value.items()}
    return [lower(item) for item in value] if isinstance(value, list) else value


class Kind:
    """A type of resource. Ref returns the id that `make` returns."""

    type: str
    gone: tuple[str, ...] = ()  # error codes for a missing one

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def make(self, name: str, wanted: Wanted) -> str:
        """Create it, under `name` if it has no other name. `adjust` sets the other properties."""
        raise NotImplementedError

    def adjust(self, id: str, wanted: Wanted) -> None:
        """Change the properties that differ and can be changed in place."""

    def waits_for(self, id: str) -> str:
        """The condition that a new resource still waits for, as an event names it; empty if it is
        ready. Raises Failed if it will not be."""
        del id
        return ""

    def attributes(self, id: str) -> Json:
        """The value of GetAtt."""
        del id
        return {}

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def look(self, id: str) -> bool:
        """Whether one with that name exists. Only for types with names."""
        raise NotImplementedError

    # --- for CloudFormation ---

    @property
    def schema(self) -> Json:
        return schema(self.type)

    @property
    def replacing(self) -> set[str]:
        """The properties that cannot be changed in place."""
        return {path.split("/")[2] for path in self.schema.get("createOnlyProperties", [])}

    @property
    def naming(self) -> list[str]:
        """The properties that name it; none if AWS chooses its id."""
        names = [path.split("/")[2] for path in self.schema["primaryIdentifier"]]
        made_up = {path.split("/")[2] for path in self.schema.get("readOnlyProperties", [])}
        return [] if set(names) & made_up else names

    def create(self, name: str, wanted: Wanted) -> str:
        with failing():
            if self.there(wanted.properties):
                raise Failed(handler(self.conflict(wanted.properties), "AlreadyExists"))
            id = self.make(name, wanted)
            self.adjust(id, wanted)
        wanted.done(self.type)
        return id

    def update(self, id: str, wanted: Wanted) -> None:
        with failing():
            self.adjust(id, wanted)
        wanted.done(self.type)

    def remove(self, id: str, properties: Mapping[str, Any]) -> None:
        """Delete it. A missing resource is not an error (the contract of delete handlers)."""
        with failing(self.gone):
            self.delete(id, properties)

    def there(self, properties: Mapping[str, Any]) -> str | None:
        """The id of one with the same name."""
        if not self.naming or any(key not in properties for key in self.naming):
            return None
        id = "|".join(properties[key] for key in self.naming)
        try:
            return id if self.look(id) else None
        except ClientError as error:
            if error.response["Error"]["Code"] in self.gone:
                return None
            raise

    def conflict(self, properties: Mapping[str, Any]) -> str:
        """Words: aws-cloudformation/rain#744."""
        id = "|".join(properties[key] for key in self.naming)
        return f"Resource of type '{self.type}' with identifier '{id}' already exists."


def handler(message: str, code: str) -> str:
    """The reason in an event of a resource."""
    return f'Resource handler returned message: "{message}" (HandlerErrorCode: {code})'


@contextmanager
def failing(gone: Sequence[str] = ()) -> Iterator[None]:
    """Turn a refusal of AWS into the reason of an event, except those with the given codes."""
    try:
        yield
    except ClientError as error:
        refusal = error.response["Error"]
        if refusal["Code"] not in gone:
            said = f"{refusal['Message']} (Error Code: {refusal['Code']})"
            is_denied = refusal["Code"].startswith("AccessDenied")
            code = "AccessDenied" if is_denied else "GeneralServiceException"
            raise Failed(handler(said, code)) from error
    except ParamValidationError as error:
        raise Failed(handler(" ".join(str(error).split()), "InvalidRequest")) from error


@cache
def schema(kind: str) -> Json:
    """A schema from cfn-lint's data, without the seconds that its import takes."""
    found = find_spec("cfnlint")
    assert found is not None
    assert found.origin is not None
    data = Path(found.origin).parent / "data" / "schemas"
    types = json.loads((data / "providers" / "us-east-1.json").read_text(encoding="utf-8"))
    name = types[kind]
    schema: Json = json.loads((data / "resources" / f"{name}.json").read_text(encoding="utf-8"))
    return schema


class Repository(Kind):
    type = "AWS::ECR::Repository"
    gone = ("RepositoryNotFoundException",)

    def make(self, name: str, wanted: Wanted) -> str:
        name = wanted.take("RepositoryName").get("RepositoryName", name.lower())
        more = lower(wanted.take("EncryptionConfiguration"))
        self.aws("ecr").create_repository(repositoryName=name, **more)
        return name

    def adjust(self, id: str, wanted: Wanted) -> None:
        ecr = self.aws("ecr")
        for change in lower([wanted.take_new("ImageTagMutability")]):
            if change:
                ecr.put_image_tag_mutability(repositoryName=id, **change)
        for change in lower([wanted.take_new("ImageScanningConfiguration")]):
            if change:
                ecr.put_image_scanning_configuration(repositoryName=id, **change)

    def attributes(self, id: str) -> Json:
        [found] = self.aws("ecr").describe_repositories(repositoryNames=[id])["repositories"]
        return {"Arn": found["repositoryArn"]}

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("ecr").delete_repository(repositoryName=id)

    def look(self, id: str) -> bool:
        return bool(self.attributes(id))


class LogGroup(Kind):
    type = "AWS::Logs::LogGroup"
    gone = ("ResourceNotFoundException",)

    def make(self, name: str, wanted: Wanted) -> str:
        name = wanted.take("LogGroupName").get("LogGroupName", name)
        key = wanted.take("KmsKeyId")
        self.aws("logs").create_log_group(logGroupName=name, **lower(key))
        return name

    def adjust(self, id: str, wanted: Wanted) -> None:
        if days := wanted.take_new("RetentionInDays"):
            self.aws("logs").put_retention_policy(logGroupName=id, **lower(days))
        if "KmsKeyId" in wanted.changed - wanted.taken:
            if key := wanted.take("KmsKeyId"):
                self.aws("logs").associate_kms_key(logGroupName=id, **lower(key))
            else:
                self.aws("logs").disassociate_kms_key(logGroupName=id)

    def attributes(self, id: str) -> Json:
        [found] = self.find(id)
        return {"Arn": found["arn"]}

    def find(self, id: str) -> list[Json]:
        groups = self.aws("logs").describe_log_groups(logGroupNamePrefix=id)["logGroups"]
        return [group for group in groups if group["logGroupName"] == id]

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("logs").delete_log_group(logGroupName=id)

    def look(self, id: str) -> bool:
        return self.find(id) != []


class Cluster(Kind):
    type = "AWS::ECS::Cluster"
    gone = ("ClusterNotFoundException",)

    def make(self, name: str, wanted: Wanted) -> str:
        name = wanted.take("ClusterName").get("ClusterName", name)
        self.aws("ecs").create_cluster(clusterName=name)
        return name

    def settings(self, id: str, wanted: Wanted) -> None:
        """Whether an update that leaves the settings out resets them is not documented."""
        for settings in wanted.take_new("ClusterSettings").values():
            self.aws("ecs").update_cluster_settings(cluster=id, settings=lower(settings))

    def adjust(self, id: str, wanted: Wanted) -> None:
        """One call sets both members; [] is no default strategy (PutClusterCapacityProviders)."""
        self.settings(id, wanted)
        if "CapacityProviders" in wanted.changed:
            providers = wanted.take("CapacityProviders").get("CapacityProviders", [])
            self.aws("ecs").put_cluster_capacity_providers(
                cluster=id, capacityProviders=providers, defaultCapacityProviderStrategy=[]
            )

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("ecs").delete_cluster(cluster=id)

    def look(self, id: str) -> bool:
        found = self.aws("ecs").describe_clusters(clusters=[id])["clusters"]
        return any(cluster["status"] == "ACTIVE" for cluster in found)


class Role(Kind):
    type = "AWS::IAM::Role"
    gone = ("NoSuchEntity", "NoSuchEntityException")

    def make(self, name: str, wanted: Wanted) -> str:
        name = wanted.take("RoleName").get("RoleName", name)
        trust = json.dumps(wanted.take("AssumeRolePolicyDocument")["AssumeRolePolicyDocument"])
        more = wanted.take("PermissionsBoundary", "Path")
        self.aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust, **more)
        return name

    def adjust(self, id: str, wanted: Wanted) -> None:
        for trust in wanted.take_new("AssumeRolePolicyDocument").values():
            self.aws("iam").update_assume_role_policy(RoleName=id, PolicyDocument=json.dumps(trust))
        if "PermissionsBoundary" in wanted.changed - wanted.taken:
            if boundary := wanted.take("PermissionsBoundary"):
                self.aws("iam").put_role_permissions_boundary(RoleName=id, **boundary)
            else:
                self.aws("iam").delete_role_permissions_boundary(RoleName=id)

    def attributes(self, id: str) -> Json:
        return {"Arn": self.aws("iam").get_role(RoleName=id)["Role"]["Arn"]}

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("iam").delete_role(RoleName=id)

    def look(self, id: str) -> bool:
        return bool(self.attributes(id))


class RolePolicy(Kind):
    type = "AWS::IAM::RolePolicy"
    gone = ("NoSuchEntity", "NoSuchEntityException")

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        names = wanted.take("PolicyName", "RoleName")
        return f"{names['PolicyName']}|{names['RoleName']}"

    def adjust(self, id: str, wanted: Wanted) -> None:
        policy, role = id.split("|")
        for document in wanted.take_new("PolicyDocument").values():
            self.aws("iam").put_role_policy(
                RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document)
            )

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        policy, role = id.split("|")
        self.aws("iam").delete_role_policy(RoleName=role, PolicyName=policy)

    def look(self, id: str) -> bool:
        policy, role = id.split("|")
        return bool(self.aws("iam").get_role_policy(RoleName=role, PolicyName=policy))


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


class SecurityGroupIngress(Kind):
    type = "AWS::EC2::SecurityGroupIngress"
    gone = ("InvalidGroup.NotFound", "InvalidSecurityGroupRuleId.NotFound")

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        rule = wanted.take_all()
        made = self.aws("ec2").authorize_security_group_ingress(
            GroupId=rule.pop("GroupId"), IpPermissions=[permission(rule)]
        )
        [found] = made["SecurityGroupRules"]
        return str(found["SecurityGroupRuleId"])

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        self.aws("ec2").revoke_security_group_ingress(
            GroupId=properties["GroupId"], SecurityGroupRuleIds=[id]
        )


class SecurityGroupEgress(Kind):
    type = "AWS::EC2::SecurityGroupEgress"
    gone = ("InvalidGroup.NotFound", "InvalidSecurityGroupRuleId.NotFound")

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        rule = wanted.take_all()
        made = self.aws("ec2").authorize_security_group_egress(
            GroupId=rule.pop("GroupId"), IpPermissions=[permission(rule)]
        )
        [found] = made["SecurityGroupRules"]
        return str(found["SecurityGroupRuleId"])

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        self.aws("ec2").revoke_security_group_egress(
            GroupId=properties["GroupId"], SecurityGroupRuleIds=[id]
        )


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


class LoadBalancer(Kind):
    type = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    gone = ("LoadBalancerNotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        given = {"Name": name[:32]}
        given |= wanted.take("Name", "Type", "Scheme", "Subnets", "SecurityGroups")
        [made] = self.aws("elbv2").create_load_balancer(**given)["LoadBalancers"]
        return str(made["LoadBalancerArn"])

    def adjust(self, id: str, wanted: Wanted) -> None:
        elb = self.aws("elbv2")
        if subnets := wanted.take_new("Subnets"):
            elb.set_subnets(LoadBalancerArn=id, **subnets)
        if groups := wanted.take_new("SecurityGroups"):
            elb.set_security_groups(LoadBalancerArn=id, **groups)
        for attributes in wanted.take_new("LoadBalancerAttributes").values():
            elb.modify_load_balancer_attributes(LoadBalancerArn=id, Attributes=attributes)

    def attributes(self, id: str) -> Json:
        [found] = self.aws("elbv2").describe_load_balancers(LoadBalancerArns=[id])["LoadBalancers"]
        return {
            "CanonicalHostedZoneID": found["CanonicalHostedZoneId"],
            "DNSName": found["DNSName"],
            "LoadBalancerFullName": id.split(":loadbalancer/")[1],
        }

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("elbv2").delete_load_balancer(LoadBalancerArn=id)


class WebAclAssociation(Kind):
    """Its delete takes away whatever web ACL the load balancer has by then: no source says that the
    one in its properties is asked for, and a test must fear the worse."""

    type = "AWS::WAFv2::WebACLAssociation"
    gone = ("WAFNonexistentItemException",)

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        given = wanted.take("ResourceArn", "WebACLArn")
        self.aws("wafv2").associate_web_acl(**given)
        return f"{given['ResourceArn']}|{given['WebACLArn']}"

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del id
        self.aws("wafv2").disassociate_web_acl(ResourceArn=properties["ResourceArn"])

    def look(self, id: str) -> bool:
        balancer, acl = id.split("|")
        if not balancer.startswith("arn:"):  # it is not known yet
            return False
        found = self.aws("wafv2").get_web_acl_for_resource(ResourceArn=balancer)
        return bool(found.get("WebACL", {}).get("ARN") == acl)


class TargetGroup(Kind):
    type = "AWS::ElasticLoadBalancingV2::TargetGroup"
    gone = ("TargetGroupNotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        given = {"Name": name[:32]}
        given |= wanted.take(*(wanted.properties.keys() - {"TargetGroupAttributes"}))
        [made] = self.aws("elbv2").create_target_group(**given)["TargetGroups"]
        return str(made["TargetGroupArn"])

    def adjust(self, id: str, wanted: Wanted) -> None:
        elb = self.aws("elbv2")
        for attributes in wanted.take_new("TargetGroupAttributes").values():
            elb.modify_target_group_attributes(TargetGroupArn=id, Attributes=attributes)
        if check := wanted.take_new(*(wanted.changed - self.replacing)):
            elb.modify_target_group(TargetGroupArn=id, **check)

    def attributes(self, id: str) -> Json:
        return {"TargetGroupFullName": id.split(":")[-1]}

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("elbv2").delete_target_group(TargetGroupArn=id)


class Listener(Kind):
    type = "AWS::ElasticLoadBalancingV2::Listener"
    gone = ("ListenerNotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        given = wanted.take(*(wanted.properties.keys() - {"ListenerAttributes"}))
        [made] = self.aws("elbv2").create_listener(**given)["Listeners"]
        return str(made["ListenerArn"])

    def adjust(self, id: str, wanted: Wanted) -> None:
        """Whether an update that leaves an attribute out resets it is not documented."""
        for attributes in wanted.take_new("ListenerAttributes").values():
            self.aws("elbv2").modify_listener_attributes(ListenerArn=id, Attributes=attributes)
        if change := wanted.take_new(*(wanted.changed - self.replacing)):
            self.aws("elbv2").modify_listener(ListenerArn=id, **change)

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("elbv2").delete_listener(ListenerArn=id)


class ListenerRule(Kind):
    type = "AWS::ElasticLoadBalancingV2::ListenerRule"
    gone = ("RuleNotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        given = wanted.take_all()
        given["Priority"] = int(given["Priority"])
        [made] = self.aws("elbv2").create_rule(**given)["Rules"]
        return str(made["RuleArn"])

    def adjust(self, id: str, wanted: Wanted) -> None:
        if change := wanted.take_new("Actions", "Conditions"):
            self.aws("elbv2").modify_rule(RuleArn=id, **change)

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("elbv2").delete_rule(RuleArn=id)


class Alarm(Kind):
    type = "AWS::CloudWatch::Alarm"
    gone = ("ResourceNotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        return str(wanted.properties.get("AlarmName", name))

    def adjust(self, id: str, wanted: Wanted) -> None:
        if wanted.changed:
            self.aws("cloudwatch").put_metric_alarm(**{"AlarmName": id} | wanted.take_all())

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("cloudwatch").delete_alarms(AlarmNames=[id])

    def look(self, id: str) -> bool:
        return bool(self.aws("cloudwatch").describe_alarms(AlarmNames=[id])["MetricAlarms"])


class Rule(Kind):
    type = "AWS::Events::Rule"
    gone = ("ResourceNotFoundException",)

    def make(self, name: str, wanted: Wanted) -> str:
        del wanted
        return name

    def adjust(self, id: str, wanted: Wanted) -> None:
        events = self.aws("events")
        if wanted.changed - {"Targets"}:
            rule = wanted.take("Description", "EventPattern")
            rule["EventPattern"] = json.dumps(rule["EventPattern"])
            events.put_rule(Name=id, **rule)
        before = [target["Id"] for target in wanted.before.get("Targets", [])]
        for targets in wanted.take_new("Targets").values():
            if old := set(before) - {target["Id"] for target in targets}:
                events.remove_targets(Rule=id, Ids=sorted(old))
            events.put_targets(Rule=id, Targets=targets)

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        events = self.aws("events")
        events.remove_targets(Rule=id, Ids=[target["Id"] for target in properties["Targets"]])
        events.delete_rule(Name=id)


KINDS: dict[str, type[Kind]] = {kind.type: kind for kind in Kind.__subclasses__()}
