"""What AWS refuses or does right, and moto does not, in the services that are moto's otherwise."""

import json
from typing import Any

from simulated_aws.refusal import Refused
from simulated_aws.service import Service

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
        """moto makes other names of them. The refusal: Rayraegah/terraform-aws-hasura#17."""
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
        return self.moto("CreateLoadBalancer", parameters)


class Logs(Service):
    name = "logs"

    def put_retention_policy(self, parameters: Json) -> Json:
        if parameters["retentionInDays"] not in RETENTIONS:
            raise Refused("InvalidParameterException", "Invalid retention value.")
        return self.moto("PutRetentionPolicy", parameters)
