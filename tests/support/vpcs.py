"""VPCs of the simulated account, by the routes of their subnets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.simulation import SimulatedAws

ENDPOINTS = ("ecr.api", "ecr.dkr", "logs")


@dataclass(frozen=True)
class Vpc:
    """A VPC with two subnets, in two zones, and a route table of their own."""

    ec2: Any
    id: str
    subnets: Sequence[str]
    table: str

    def route(self, destination: str = "0.0.0.0/0", **to: str) -> None:
        self.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock=destination, **to)

    def with_gateway(self) -> str:
        """An internet gateway, without a route to it."""
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.id)
        return str(gateway)

    def made_public(self) -> "Vpc":
        self.route(GatewayId=self.with_gateway())
        return self

    def with_nat(self) -> "Vpc":
        made = self.ec2.create_nat_gateway(SubnetId=self.subnets[0], ConnectivityType="private")
        self.route(NatGatewayId=made["NatGateway"]["NatGatewayId"])
        return self

    def with_endpoints(self, *services: str, private_dns: bool = True) -> "Vpc":
        """Interface endpoints, and the gateway endpoint of S3."""
        for service in services or ENDPOINTS:
            self.ec2.create_vpc_endpoint(
                VpcId=self.id,
                ServiceName=f"com.amazonaws.us-east-1.{service}",
                VpcEndpointType="Interface",
                SubnetIds=self.subnets,
                PrivateDnsEnabled=private_dns,
            )
        self.ec2.create_vpc_endpoint(
            VpcId=self.id,
            ServiceName="com.amazonaws.us-east-1.s3",
            VpcEndpointType="Gateway",
            RouteTableIds=[self.table],
        )
        return self


def create_vpc(aws: SimulatedAws) -> Vpc:
    """Create a VPC without a route in or out."""
    ec2 = aws.client("ec2")
    id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=id, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{z}")[
            "Subnet"
        ]["SubnetId"]
        for n, z in enumerate("ab")
    ]
    table = ec2.create_route_table(VpcId=id)["RouteTable"]["RouteTableId"]
    for subnet in subnets:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return Vpc(ec2, id, subnets, table)


def default_vpc(aws: SimulatedAws) -> Vpc:
    """The default VPC, whose subnets are public by its main route table."""
    ec2 = aws.client("ec2")
    filters = [{"Name": "is-default", "Values": ["true"]}]
    [vpc] = [each["VpcId"] for each in ec2.describe_vpcs(Filters=filters)["Vpcs"]]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    subnets = [each["SubnetId"] for each in ec2.describe_subnets(Filters=of_vpc)["Subnets"]]
    [table] = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
    return Vpc(ec2, vpc, subnets, table["RouteTableId"])


def add_private_subnet(aws: SimulatedAws, vpc: str, zone: str) -> str:
    """Add a subnet to the default VPC, behind a NAT gateway."""
    ec2 = aws.client("ec2")
    block = {"VpcId": vpc, "CidrBlock": "172.31.240.0/24", "AvailabilityZone": zone}
    subnet = str(ec2.create_subnet(**block)["Subnet"]["SubnetId"])
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    Vpc(ec2, vpc, [subnet], table).with_nat()
    return subnet
