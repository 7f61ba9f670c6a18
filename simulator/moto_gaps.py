"""Corrections of moto, in the services that are otherwise moto's: refusals and answers of AWS."""

import json
import math
import re
from typing import Any
from urllib.parse import unquote

from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends

from simulator import boundaries, quotas, resource_policies
from simulator.refusal import Refused
from simulator.service import Service, World
from simulator.vpc import Ec2

Json = dict[str, Any]

# "AWS services that work with IAM", and each service's page on its service-linked role.
SERVICE_LINKED_ROLES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "ecs.application-autoscaling.amazonaws.com": (
        "AWSServiceRoleForApplicationAutoScaling_ECSService"
    ),
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
}

# PutRetentionPolicy, CloudWatch Logs API Reference.
RETENTIONS = {
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
}


class Iam(Service):
    name = "iam"

    def create_service_linked_role(self, parameters: Json) -> Json:
        """moto gives these roles other names. The refusal: Rayraegah/terraform-aws-hasura#17."""
        principal = parameters["AWSServiceName"]
        name = SERVICE_LINKED_ROLES.get(principal)
        if not name:
            raise NotImplementedError(f"the service-linked role of {principal}")
        trust = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = {"RoleName": name, "Path": f"/aws-service-role/{principal}/"}
        try:
            return self.moto("CreateRole", role | {"AssumeRolePolicyDocument": policy})
        except Refused as taken:
            raise Refused(
                "InvalidInput",
                f"Service role name {name} has been taken in this account, please try a different "
                "suffix.",
            ) from taken

    def create_role(self, parameters: Json) -> Json:
        quotas.check_trust(parameters["AssumeRolePolicyDocument"])
        boundary, path = parameters.get("PermissionsBoundary", ""), parameters.get("Path", "/")
        boundaries.check(self.world, "iam:CreateRole", parameters["RoleName"], path, boundary)
        if boundary:
            boundaries.require_policy(self.world, boundary)
        return self.moto("CreateRole", parameters)

    def put_role_permissions_boundary(self, parameters: Json) -> Json:
        wanted = parameters["PermissionsBoundary"]
        self._check_role("iam:PutRolePermissionsBoundary", parameters["RoleName"], wanted)
        boundaries.require_policy(self.world, wanted)
        return self.moto("PutRolePermissionsBoundary", parameters)

    def delete_role_permissions_boundary(self, parameters: Json) -> Json:
        self._check_role("iam:DeleteRolePermissionsBoundary", parameters["RoleName"])
        return self.moto("DeleteRolePermissionsBoundary", parameters)

    def _check_role(self, action: str, name: str, wanted: str = "") -> None:
        """By service control policies: with the boundary that is asked for, or that it has."""
        role = self.moto("GetRole", {"RoleName": name})["Role"]
        has = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
        boundaries.check(self.world, action, name, role["Path"], wanted or has)

    def update_assume_role_policy(self, parameters: Json) -> Json:
        quotas.check_trust(parameters["PolicyDocument"])
        return self.moto("UpdateAssumeRolePolicy", parameters)

    def put_role_policy(self, parameters: Json) -> Json:
        self._check_role("iam:PutRolePolicy", parameters["RoleName"])
        return self._put_inline("Role", parameters)

    def put_group_policy(self, parameters: Json) -> Json:
        return self._put_inline("Group", parameters)

    def put_user_policy(self, parameters: Json) -> Json:
        return self._put_inline("User", parameters)

    def _put_inline(self, kind: str, parameters: Json) -> Json:
        who = {f"{kind}Name": parameters[f"{kind}Name"]}
        policies = {
            name: unquote(
                self.moto(f"Get{kind}Policy", who | {"PolicyName": name})["PolicyDocument"]
            )
            for name in self.moto(f"List{kind}Policies", who)["PolicyNames"]
        }
        policies[parameters["PolicyName"]] = parameters["PolicyDocument"]
        quotas.check_inline(kind.lower(), parameters[f"{kind}Name"], policies)
        return self.moto(f"Put{kind}Policy", parameters)

    def simulate_custom_policy(self, parameters: Json) -> Json:
        """The decision of policies and boundary (SimulateCustomPolicy, IAM API Reference)."""
        only = {
            *("PolicyInputList", "PermissionsBoundaryPolicyInputList"),
            *("ActionNames", "ResourceArns", "Marker", "MaxItems"),
        }
        if unknown := parameters.keys() - only:
            raise NotImplementedError(f"{sorted(unknown)} of SimulateCustomPolicy")
        return {"EvaluationResults": boundaries.simulated(parameters), "IsTruncated": False}

    def get_group(self, parameters: Json) -> Json:
        """moto answers with all users at once; IAM with 100 (GetGroup, API Reference)."""
        answer = self.moto("GetGroup", {"GroupName": parameters["GroupName"]})
        users, first = answer["Users"], int(parameters.get("Marker", "0"))
        end = first + parameters.get("MaxItems", 100)
        more = {"IsTruncated": True, "Marker": str(end)} if end < len(users) else {}
        return {"Group": answer["Group"], "Users": users[first:end], "IsTruncated": False} | more

    def add_client_id_to_open_id_connect_provider(self, parameters: Json) -> Json:
        """moto lacks this operation; AWS does nothing if the audience exists already."""
        backend = iam_backends[self.account.id][self.account.partition]
        arn, audience = parameters["OpenIDConnectProviderArn"], parameters["ClientID"]
        known = backend.get_open_id_connect_provider(arn).client_id_list
        if audience not in known:
            known.append(audience)
        return {}


TARGET = ("ServiceNamespace", "ResourceId", "ScalableDimension")


# The three forms of "Schedule" (PutScheduledAction). Of a cron expression the number of fields is
# checked ("Schedule recurring scaling actions", Application Auto Scaling User Guide).
SCHEDULE = re.compile(
    r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)"
    r"|rate\([1-9]\d* (minute|hour|day)s?\)"
    r"|cron\([^() ]+( [^() ]+){5}\)"
)


def check_bounds(bounds: Json) -> None:
    if bounds.get("MinCapacity", 0) > bounds.get("MaxCapacity", math.inf):
        raise Refused(
            "ValidationException", "Maximum capacity cannot be less than minimum capacity"
        )


class Scaling(Service):
    """Error codes of Application Auto Scaling's model; moto uses one code for all of them."""

    name = "application-autoscaling"

    def deregister_scalable_target(self, parameters: Json) -> Json:
        """Its policies, their alarms and its scheduled actions are deleted too (API Reference)."""
        answer = self._or_not_found("DeregisterScalableTarget", parameters)
        for action in self._scheduled_actions(parameters):
            self.moto("DeleteScheduledAction", parameters | {"ScheduledActionName": action})
        for policy in self._policies(parameters):
            self.moto("DeleteScalingPolicy", parameters | {"PolicyName": policy})
        return answer

    def _policies(self, target: Json) -> list[str]:
        found = self.moto("DescribeScalingPolicies", target)["ScalingPolicies"]
        return [policy["PolicyName"] for policy in found]

    def delete_scaling_policy(self, parameters: Json) -> Json:
        return self._or_not_found("DeleteScalingPolicy", parameters)

    def put_scaling_policy(self, parameters: Json) -> Json:
        self._check_registered(parameters)
        target = {key: parameters[key] for key in TARGET}
        if parameters["PolicyName"] in self._policies(target):
            # moto would create more alarms and keep the earlier ones.
            self.moto("DeleteScalingPolicy", target | {"PolicyName": parameters["PolicyName"]})
        return self.moto("PutScalingPolicy", parameters)

    def put_scheduled_action(self, parameters: Json) -> Json:
        """Refusals: "PutScheduledAction" and "ScalableTargetAction" of the API Reference. The model
        requires only names, but a first request needs a schedule and an action."""
        self._check_registered(parameters)
        is_new = parameters["ScheduledActionName"] not in self._scheduled_actions(parameters)
        if is_new and not {"Schedule", "ScalableTargetAction"} <= parameters.keys():
            raise Refused("ValidationException", "A schedule and an action must be specified")
        if "Schedule" in parameters and not SCHEDULE.fullmatch(parameters["Schedule"]):
            raise Refused("ValidationException", f"Invalid schedule: {parameters['Schedule']}")
        check_bounds(parameters.get("ScalableTargetAction", {}))
        return self.moto("PutScheduledAction", parameters)

    def delete_scheduled_action(self, parameters: Json) -> Json:
        name = parameters["ScheduledActionName"]
        if name not in self._scheduled_actions(parameters):
            raise Refused("ObjectNotFoundException", f"No scheduled action found: {name}")
        return self.moto("DeleteScheduledAction", parameters)

    def _scheduled_actions(self, parameters: Json) -> list[str]:
        target = {key: parameters[key] for key in TARGET}
        found = self.moto("DescribeScheduledActions", target)["ScheduledActions"]
        return [action["ScheduledActionName"] for action in found]

    def _check_registered(self, parameters: Json) -> None:
        where = {key: parameters[key] for key in ("ServiceNamespace", "ScalableDimension")}
        asked = where | {"ResourceIds": [parameters["ResourceId"]]}
        if not self.moto("DescribeScalableTargets", asked)["ScalableTargets"]:
            raise Refused(
                "ObjectNotFoundException",
                f"No scalable target registered for service namespace: "
                f"{parameters['ServiceNamespace']}, resource ID: {parameters['ResourceId']}, "
                f"scalable dimension: {parameters['ScalableDimension']}",
            )

    def register_scalable_target(self, parameters: Json) -> Json:
        check_bounds(parameters)
        return self.moto("RegisterScalableTarget", parameters)

    def describe_scalable_targets(self, parameters: Json) -> Json:
        """Each target has a role; by default the service-linked one.

        API Reference, "ScalableTarget"; User Guide, "Service-linked roles".
        """
        answer = self.moto("DescribeScalableTargets", parameters)
        principal = "ecs.application-autoscaling.amazonaws.com"
        role = f"role/aws-service-role/{principal}/{SERVICE_LINKED_ROLES[principal]}"
        own = self.account.arn("iam", role, region="")
        for target in answer["ScalableTargets"]:
            target.setdefault("RoleARN", own)
        return answer

    def _or_not_found(self, operation: str, parameters: Json) -> Json:
        try:
            return self.moto(operation, parameters)
        except Refused as refused:
            if not refused.message.startswith("No scal"):
                raise
            raise Refused("ObjectNotFoundException", refused.message) from refused


class LoadBalancing(Service):
    name = "elbv2"

    def create_load_balancer(self, parameters: Json) -> Json:
        """aws-cloudformation/cfn-lint#638, coldbrewcloud/coldbrew-cli#44."""
        asked = {"SubnetIds": parameters.get("Subnets", [])}
        subnets = self.account.moto("ec2", "DescribeSubnets", asked)["Subnets"]
        zones = {subnet["AvailabilityZone"] for subnet in subnets}
        if len(asked["SubnetIds"]) < 2:
            raise Refused(
                "ValidationError",
                "At least two subnets in two different Availability Zones must be specified",
            )
        if len(zones) < len(subnets):
            raise Refused(
                "InvalidConfigurationRequest",
                "A load balancer cannot be attached to multiple subnets in the same Availability "
                "Zone",
            )
        if parameters.get("Scheme", "internet-facing") == "internet-facing":
            self._check_way_in(subnets[0]["VpcId"])
        made = self.moto("CreateLoadBalancer", parameters)
        if parameters.get("Scheme") == "internal":
            self._name_as_internal(made["LoadBalancers"][0])
        return made

    def _name_as_internal(self, balancer: Json) -> None:
        """Its DNS name begins with "internal-" (boto/boto#2295, awslabs/kubeflow-manifests#732)."""
        backend = elbv2_backends[self.account.id][self.account.region]
        kept = backend.load_balancers[balancer["LoadBalancerArn"]]
        kept.dns_name = balancer["DNSName"] = f"internal-{kept.dns_name}"

    def _check_way_in(self, vpc: str) -> None:
        """openshift/installer#1110."""
        asked = {"Filters": [{"Name": "attachment.vpc-id", "Values": [vpc]}]}
        if not Ec2(self.world).describe_internet_gateways(asked)["InternetGateways"]:
            raise Refused("InvalidSubnet", f"VPC {vpc} has no internet gateway")

    def modify_load_balancer_attributes(self, parameters: Json) -> Json:
        """Elastic Load Balancing writes a test file into the bucket of access logs, which must be
        in its region and encrypt with keys of S3 ("Enable access logs for your Application Load
        Balancer"); refusal: kubernetes-sigs/aws-load-balancer-controller#1956."""
        wanted = {each["Key"]: each["Value"] for each in parameters["Attributes"]}
        if wanted.get("access_logs.s3.enabled") == "true":
            bucket = wanted["access_logs.s3.bucket"]
            key = f"AWSLogs/{self.account.id}/ELBAccessLogTestFile"
            if not resource_policies.takes_access_logs(self.account, bucket, key):
                raise Refused(
                    "InvalidConfigurationRequest",
                    f"Access Denied for bucket: {bucket}. Please check S3bucket permission",
                )
        return self.moto("ModifyLoadBalancerAttributes", parameters)

    def describe_tags(self, parameters: Json) -> Json:
        """The model wants a tag in every list of tags."""
        answer = self.moto("DescribeTags", parameters)
        for each in answer["TagDescriptions"]:
            if not each["Tags"]:
                del each["Tags"]
        return answer

    def delete_load_balancer(self, parameters: Json) -> Json:
        """DeleteLoadBalancer: OperationNotPermitted; hashicorp/terraform-provider-aws#1559."""
        arn = {"LoadBalancerArn": parameters["LoadBalancerArn"]}
        try:
            found = self.moto("DescribeLoadBalancerAttributes", arn)["Attributes"]
        except Refused:
            found = []  # "If the load balancer does not exist [...] the call succeeds"
        if {"Key": "deletion_protection.enabled", "Value": "true"} in found:
            raise Refused(
                "OperationNotPermitted",
                f"Load balancer '{parameters['LoadBalancerArn']}' cannot be deleted because "
                "deletion protection is enabled",
            )
        return self.moto("DeleteLoadBalancer", parameters)


class Logs(Service):
    """moto lacks deletion protection (PutLogGroupDeletionProtection, API Reference)."""

    name = "logs"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        self.protected: set[str] = set()  # names of log groups
        self.keys: dict[str, str] = {}  # by the names of log groups

    def put_log_group_deletion_protection(self, parameters: Json) -> Json:
        group = {parameters["logGroupIdentifier"]}
        is_on = parameters["deletionProtectionEnabled"]
        self.protected = self.protected | group if is_on else self.protected - group
        return {}

    def describe_log_groups(self, parameters: Json) -> Json:
        answer = self.moto("DescribeLogGroups", parameters)
        for group in answer["logGroups"]:
            group["deletionProtectionEnabled"] = group["logGroupName"] in self.protected
            if key := self.keys.get(group["logGroupName"]):
                group["kmsKeyId"] = key
        return answer

    def create_log_group(self, parameters: Json) -> Json:
        given = dict(parameters)
        name, key = given["logGroupName"], given.pop("kmsKeyId", "")
        if key:
            self._check_key(name, key)
        answer = self.moto("CreateLogGroup", given)
        self.keys |= {name: key} if key else {}
        return answer

    def associate_kms_key(self, parameters: Json) -> Json:
        """moto lacks both operations."""
        name, key = parameters["logGroupName"], parameters["kmsKeyId"]
        self._check_key(name, key)
        self.keys[name] = key
        return {}

    def disassociate_kms_key(self, parameters: Json) -> Json:
        self.keys.pop(parameters["logGroupName"], None)
        return {}

    def _check_key(self, name: str, key: str) -> None:
        """ "Encrypt log data in CloudWatch Logs using AWS KMS" (CloudWatch Logs User Guide);
        hashicorp/terraform-provider-aws#29282. A key that is not enabled: "AssociateKmsKey" (API
        Reference); the text is ours."""
        group = self.arn(f"log-group:{name}")
        if not resource_policies.key_is_enabled(self.account, key):
            raise Refused(
                "InvalidParameterException",
                f"The specified KMS key does not exist or is not enabled: {key}",
            )
        service = f"logs.{self.account.region}.amazonaws.com"
        context = {"kms:EncryptionContext:aws:logs:arn": group}
        if not resource_policies.key_lets_in(self.account, key, service, context):
            raise Refused(
                "AccessDeniedException",
                "The specified KMS key does not exist or is not allowed to be used with Arn "
                f"'{group}'",
            )

    def delete_log_group(self, parameters: Json) -> Json:
        """The error code is in the model of this operation; its words are invented."""
        if parameters["logGroupName"] in self.protected:
            raise Refused("ValidationException", "Deletion protection is enabled on the log group.")
        self.keys.pop(parameters["logGroupName"], None)
        return self.moto("DeleteLogGroup", parameters)

    def put_retention_policy(self, parameters: Json) -> Json:
        if parameters["retentionInDays"] not in RETENTIONS:
            raise Refused("InvalidParameterException", "Invalid retention value.")
        return self.moto("PutRetentionPolicy", parameters)


class Waf(Service):
    name = "wafv2"

    def associate_web_acl(self, parameters: Json) -> Json:
        """A load balancer has one web ACL: another one takes its place (AssociateWebACL, API
        Reference; pulumi/pulumi-aws#4782). moto keeps both."""
        found = {"Scope": "REGIONAL"}
        acls = {each["ARN"] for each in self.moto("ListWebACLs", found)["WebACLs"]}
        if parameters["WebACLArn"] not in acls:
            text = "AWS WAF couldn't perform the operation because your resource doesn't exist."
            raise Refused("WAFNonexistentItemException", text)
        self.moto("DisassociateWebACL", {"ResourceArn": parameters["ResourceArn"]})
        return self.moto("AssociateWebACL", parameters)
