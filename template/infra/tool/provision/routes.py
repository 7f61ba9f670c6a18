"""The routes of a subnet, and the AWS services that its VPC endpoints reach. Pure.

Sources: "Route priority" and "Enable internet access for a VPC using an internet gateway" (VPC User
Guide), "Amazon ECR interface VPC endpoints" (ECR User Guide).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from infra.tool.api_model import Json
from infra.tool.provision.grants import Grants, Kind

EVERYWHERE = "0.0.0.0/0"


class Way(Enum):
    """The target of the route by which a subnet reaches the internet."""

    GATEWAY = "an internet gateway"  # for public addresses only
    NAT = "a NAT gateway"
    OTHER = "something else"  # such as a transit gateway or a firewall: it may lead anywhere
    PARTS = "no default route"  # but routes to some addresses outside of the VPC
    NOWHERE = "nowhere"
    UNSEEN = "not visible"  # its route table


def table_of(subnet: str, tables: Iterable[Json]) -> Json | None:
    """The route table of a subnet, or else the main one of the VPC; None if neither is here."""
    main = None
    for table in tables:
        for association in table["Associations"]:
            if association.get("SubnetId") == subnet:
                return table
            if association.get("Main"):
                main = table
    return main


def way(table: Json | None) -> Way:
    if table is None:
        return Way.UNSEEN
    routes = [route for route in table["Routes"] if leaves_the_vpc(route)]
    for route in routes:
        if route.get("DestinationCidrBlock") == EVERYWHERE:
            return way_of(route)
    return Way.PARTS if routes else Way.NOWHERE


def leaves_the_vpc(route: Json) -> bool:
    """Whether a route for IPv4 works and has a target outside of the VPC. The route of a gateway
    endpoint leads to one service, by that service's prefix list."""
    gateway = route.get("GatewayId", "")
    is_endpoint = gateway.startswith("vpce-") and "DestinationPrefixListId" in route
    is_ipv6 = "DestinationIpv6CidrBlock" in route
    return not (is_ipv6 or is_endpoint or gateway == "local" or route.get("State") == "blackhole")


def way_of(route: Json) -> Way:
    if route.get("GatewayId", "").startswith("igw-"):
        return Way.GATEWAY
    return Way.NAT if route.get("NatGatewayId") else Way.OTHER


# --- endpoints ---


@dataclass(frozen=True)
class Needs:
    """The services that ECS calls for a task before its containers run."""

    services: Sequence[str]  # as the names of VPC endpoints end, such as "ecr.api"
    images: Sequence[str] = ()  # of registries that have no endpoint


def needs(task_definition: Json, granted: Grants) -> Needs:
    """The services that a task must reach to start; its execution role may read `granted`."""
    containers = task_definition["containerDefinitions"]
    others = [each["image"] for each in containers if ".dkr.ecr." not in each["image"]]
    services = ["ecr.api", "ecr.dkr", "s3"]  # the layers of an image are in S3
    drivers = {each.get("logConfiguration", {}).get("logDriver") for each in containers}
    services += ["logs"] if "awslogs" in drivers else []
    kinds = {grant.kind for grant in granted}
    services += ["secretsmanager"] if Kind.SECRET in kinds else []
    services += ["ssm"] if Kind.PARAMETER in kinds else []
    return Needs(services, others)


class Served(Enum):
    YES = "yes"
    PERHAPS = "perhaps"  # its name may lead to the endpoint by a private hosted zone
    NO = "no"


def served(service: str, region: str, endpoints: Iterable[Json], table: Json) -> Served:
    """Whether endpoints of the VPC serve tasks in the subnets of a route table."""
    found = Served.NO
    for endpoint in endpoints:
        is_ready = endpoint["State"].lower() == "available"
        if not (is_ready and endpoint["ServiceName"].endswith(f".{region}.{service}")):
            continue
        if endpoint["VpcEndpointType"] == "Gateway":
            if table["RouteTableId"] in endpoint.get("RouteTableIds", []):
                return Served.YES
        elif endpoint.get("PrivateDnsEnabled"):
            return Served.YES
        else:
            found = Served.PERHAPS
    return found


def missing(
    needed: Needs, region: str, endpoints: Sequence[Json], table: Json, least: Served
) -> Iterator[str]:
    """Services that no endpoint serves at least as well as `least`, in words."""
    enough = {Served.YES, least}
    without = [
        service
        for service in needed.services
        if served(service, region, endpoints, table) not in enough
    ]
    if without:
        yield f"the VPC has no endpoint for {', '.join(without)}"
    if needed.images:
        yield f"no endpoint leads to {', '.join(needed.images)}"
