"""Networks: the parts of a default VPC, and the parts that an account sees of a shared VPC."""

from typing import Any

from simulator.refusal import Refused
from simulator.service import Service, World

Json = dict[str, Any]
EVERYWHERE = "0.0.0.0/0"


class Ec2(Service):
    name = "ec2"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        self.shared: dict[str, str] = {}  # by VPC: the other account that owns it

    # --- gaps of moto ---

    def complete_defaults(self) -> None:
        """A default VPC comes with an internet gateway, and its main route table with a route to
        it ("Default VPC components", VPC User Guide). moto makes neither."""
        defaults = {"Filters": [{"Name": "is-default", "Values": ["true"]}]}
        for vpc in self.moto("DescribeVpcs", defaults)["Vpcs"]:
            there = {"Filters": [{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}]}
            if not self.moto("DescribeInternetGateways", there)["InternetGateways"]:
                gateway = self.moto("CreateInternetGateway", {})["InternetGateway"]
                named = {"InternetGatewayId": gateway["InternetGatewayId"]}
                self.moto("AttachInternetGateway", named | {"VpcId": vpc["VpcId"]})
                route = {
                    "RouteTableId": self.main_route_table(vpc["VpcId"])["RouteTableId"],
                    "DestinationCidrBlock": EVERYWHERE,
                    "GatewayId": gateway["InternetGatewayId"],
                }
                self.moto("CreateRoute", route)

    def main_route_table(self, vpc: str) -> Json:
        filters = [
            {"Name": "vpc-id", "Values": [vpc]},
            {"Name": "association.main", "Values": ["true"]},
        ]
        [found] = self.moto("DescribeRouteTables", {"Filters": filters})["RouteTables"]
        main: Json = found
        return main

    def describe_subnets(self, parameters: Json) -> Json:
        """moto's error can name an id that exists; this one names the missing id."""
        if wanted := parameters.get("SubnetIds"):
            known = {subnet["SubnetId"] for subnet in self.moto("DescribeSubnets", {})["Subnets"]}
            if missing := next((subnet for subnet in wanted if subnet not in known), ""):
                raise Refused(
                    "InvalidSubnetID.NotFound", f"The subnet ID '{missing}' does not exist"
                )
        answer = self.moto("DescribeSubnets", parameters)
        for subnet in answer["Subnets"]:
            subnet["OwnerId"] = self.shared.get(subnet["VpcId"], self.account.id)
        return answer

    # --- a shared VPC ---
    #
    # Its subnets name their owner ("Identify the owner of a shared subnet", VPC User Guide).
    # Gateways, routes and endpoints are the owner's. AWS's guide says that a participant can
    # describe them ("Participant resources"); in aws/aws-cdk#18080 it finds none. Here it finds
    # none, because that is the worse case.

    def describe_internet_gateways(self, parameters: Json) -> Json:
        self.complete_defaults()
        answer = self.moto("DescribeInternetGateways", parameters)
        answer["InternetGateways"] = [
            each
            for each in answer["InternetGateways"]
            if not {vpc["VpcId"] for vpc in each["Attachments"]} & self.shared.keys()
        ]
        return answer

    def describe_route_tables(self, parameters: Json) -> Json:
        self.complete_defaults()
        return self._own("DescribeRouteTables", "RouteTables", parameters)

    def describe_vpc_endpoints(self, parameters: Json) -> Json:
        return self._own("DescribeVpcEndpoints", "VpcEndpoints", parameters)

    def _own(self, operation: str, key: str, parameters: Json) -> Json:
        answer = self.moto(operation, parameters)
        answer[key] = [each for each in answer[key] if each["VpcId"] not in self.shared]
        return answer
