"""Whether a task reaches the services that ECS calls before a container runs.

"Connect Amazon ECS applications to the internet" and "Amazon ECR interface VPC endpoints" (ECS and
ECR guides), "Route priority" (VPC User Guide).
"""

from collections.abc import Iterator
from typing import Any

from simulator.vpc import EVERYWHERE, Ec2

Json = dict[str, Any]


def services_out_of_reach(ec2: Ec2, network: Json, services: list[str]) -> Iterator[str]:
    """The services, for example "ecr.api", that a task cannot reach from each of its subnets."""
    ec2.complete_defaults()
    is_public = network.get("assignPublicIp") == "ENABLED"
    subnets = ec2.moto("DescribeSubnets", {"SubnetIds": network["subnets"]})["Subnets"]
    vpcs = sorted({subnet["VpcId"] for subnet in subnets})
    tables = ec2.moto("DescribeRouteTables", {"Filters": [{"Name": "vpc-id", "Values": vpcs}]})
    for subnet in subnets:
        table = route_table(tables["RouteTables"], subnet)
        if leads_out(table, is_public=is_public):
            continue
        there = {"Filters": [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]}
        endpoints = ec2.moto("DescribeVpcEndpoints", there)["VpcEndpoints"]
        for service in services:
            if not any(serves(each, service, table) for each in endpoints):
                yield service


def route_table(tables: list[Json], subnet: Json) -> Json:
    """The route table of a subnet, or the main one of the VPC if it has none."""
    main: Json = {}
    for table in (table for table in tables if table["VpcId"] == subnet["VpcId"]):
        for association in table["Associations"]:
            if association.get("SubnetId") == subnet["SubnetId"]:
                return table
            main = table if association["Main"] else main
    return main


def leads_out(table: Json, *, is_public: bool) -> bool:
    """An internet gateway needs a public address; other targets of a route do not."""
    for route in table["Routes"]:
        if route.get("DestinationCidrBlock") == EVERYWHERE and route["State"] == "active":
            return is_public or not route.get("GatewayId", "").startswith("igw-")
    return False


def serves(endpoint: Json, service: str, table: Json) -> bool:
    if not endpoint["ServiceName"].endswith(f".{service}") or endpoint["State"] != "available":
        return False
    if endpoint["VpcEndpointType"] == "Gateway":
        return table["RouteTableId"] in endpoint["RouteTableIds"]
    return bool(endpoint["PrivateDnsEnabled"])
