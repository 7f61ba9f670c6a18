"""Whether a task reaches the services that ECS calls before a container runs.

"Connect Amazon ECS applications to the internet" and "Amazon ECR interface VPC endpoints" (ECS and
ECR guides), "Route priority" (VPC User Guide).
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from simulator.vpc import EVERYWHERE, Ec2

Json = dict[str, Any]


def services_out_of_reach(ec2: Ec2, network: Json, services: list[str]) -> Iterator[str]:
    """The services, for example "ecr.api", that a task cannot reach from each of its subnets."""
    ec2.complete_defaults()
    is_public = network.get("assignPublicIp") == "ENABLED"
    allowed = [*ranges_of_groups(ec2, network.get("securityGroups", []))]
    subnets = ec2.moto("DescribeSubnets", {"SubnetIds": network["subnets"]})["Subnets"]
    vpcs = sorted({subnet["VpcId"] for subnet in subnets})
    tables = ec2.moto("DescribeRouteTables", {"Filters": [{"Name": "vpc-id", "Values": vpcs}]})
    for subnet in subnets:
        table = route_table(tables["RouteTables"], subnet)
        there = {"Filters": [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]}
        endpoints = ec2.moto("DescribeVpcEndpoints", there)["VpcEndpoints"]
        for service in services:
            serving = [each for each in endpoints if serves(each, service, table)]
            has_way = bool(serving) or leads_out(table, is_public=is_public)
            address = address_of(ec2, service, serving)
            if not (has_way and any(address in each for each in allowed)):
                yield service


def ranges_of_groups(ec2: Ec2, groups: list[str]) -> Iterator[Any]:
    """The ranges that the outbound rules of security groups allow, for any port."""
    if not groups:
        yield ip_network(EVERYWHERE)
        return
    for group in ec2.moto("DescribeSecurityGroups", {"GroupIds": groups})["SecurityGroups"]:
        for rule in group["IpPermissionsEgress"]:
            yield from (ip_network(each["CidrIp"]) for each in rule["IpRanges"])
            for each in rule.get("PrefixListIds", []):
                asked = {"PrefixListId": each["PrefixListId"]}
                entries = ec2.moto("GetManagedPrefixListEntries", asked)["Entries"]
                yield from (ip_network(entry["Cidr"]) for entry in entries)


# An address of S3 in the prefix list that moto has of AWS, and one of any other service: they stand
# for the many that AWS lists in ip-ranges.json.
OF_S3, OF_OTHERS = ip_address("52.216.0.1"), ip_address("52.94.0.1")


def address_of(ec2: Ec2, service: str, endpoints: list[Json]) -> Any:
    """Where a task asks a service: an interface endpoint has an address of the VPC ("Access an AWS
    service using an interface VPC endpoint", PrivateLink guide)."""
    for endpoint in endpoints:
        if endpoint["VpcEndpointType"] == "Interface":
            asked = {"VpcIds": [endpoint["VpcId"]]}
            [vpc] = ec2.moto("DescribeVpcs", asked)["Vpcs"]
            return ip_network(vpc["CidrBlock"])[10]
    return OF_S3 if service == "s3" else OF_OTHERS


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
