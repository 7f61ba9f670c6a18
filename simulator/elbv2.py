"""Elastic Load Balancing: refusals and answers of AWS. The rest is moto's."""

from typing import Any

from moto.elbv2.models import elbv2_backends

from simulator import resource_policies
from simulator.refusal import Refused
from simulator.service import Service
from simulator.vpc import Ec2

Json = dict[str, Any]


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
