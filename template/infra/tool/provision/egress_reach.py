"""Whether tasks with limited egress reach what ECS needs to start them.

An interface endpoint has addresses of the VPC. A gateway endpoint leads to the public addresses of
S3, which its prefix list has; any other service has public addresses, too. Those change, so public
ranges are in doubt, and only what is certain to fail is refused. DNS and the metadata of a task are
not subject to security groups ("Security groups", VPC User Guide).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from infra.tool.api_model import Json
from infra.tool.errors import Problem
from infra.tool.provision import prefix_lists, reachability
from infra.tool.provision.network import Network
from infra.tool.provision.ranges import PRIVATE
from infra.tool.provision.routes import Needs, Served, served, table_of
from infra.tool.shapes import is_prefix_list
from infra.tool.target import Target

CLOSED = Problem(
    "network-egress",
    "[security] egress_cidrs blocks tasks from {services}, which they need to start",
    "add to egress_cidrs in infra/settings.toml: the range of the VPC ({ranges}) for interface "
    "endpoints, the prefix list of S3 for its gateway endpoint, and the public addresses of "
    "everything else",
)


@dataclass(frozen=True)
class Allowed:
    """The ranges and prefix lists of egress_cidrs, and their routes."""

    ranges: Sequence[IPv4Network]
    lists: Mapping[str, str]  # by id, the name; empty if it is not known
    vpc: Sequence[IPv4Network]  # the ranges of the VPC
    region: str

    def interface(self) -> Served:
        """Whether addresses of the VPC may be reached."""
        if all(any(part.subnet_of(each) for each in self.ranges) for part in self.vpc):
            return Served.YES
        is_part = any(part.overlaps(each) for part in self.vpc for each in self.ranges)
        return Served.PERHAPS if is_part or self.other_lists else Served.NO

    def s3(self) -> Served:
        if f"com.amazonaws.{self.region}.s3" in self.lists.values():
            return Served.YES
        return self.public()

    def public(self) -> Served:
        is_public = any(not any(each.subnet_of(inner) for inner in PRIVATE) for each in self.ranges)
        return Served.PERHAPS if is_public or self.other_lists else Served.NO

    @property
    def other_lists(self) -> list[str]:
        """Those that may have any range."""
        return [id for id, name in self.lists.items() if not name.startswith("com.amazonaws.")]


def check(target: Target, network: Network, needed: Needs) -> None:
    """Raises ToolError if tasks are certain not to start; warns of what cannot be told."""
    entries = target.settings.security.egress_cidrs
    if not entries:
        return
    vpc = network.choice.vpc
    tables = reachability.visible(lambda: reachability.route_tables(target, vpc)) or []
    endpoints = reachability.visible(lambda: reachability.endpoints(target, vpc)) or []
    allowed = Allowed(
        ranges=[IPv4Network(each) for each in entries if not is_prefix_list(each)],
        lists=prefix_lists.read(target, entries),
        vpc=read_ranges(target, vpc),
        region=target.settings.service.region,
    )
    subnets = network.tasks or network.balancer
    found = [judge(allowed, needed, endpoints, table_of(each.id, tables)) for each in subnets]
    closed = dict.fromkeys(each for part, _ in found for each in part)
    unsure = dict.fromkeys(each for _, part in found for each in part)
    if closed:
        ranges = ", ".join(map(str, allowed.vpc))
        raise CLOSED(services=", ".join(closed), ranges=ranges)
    if unsure:
        target.runtime.console.warn(
            f"network: could not check whether [security] egress_cidrs lets tasks reach "
            f"{', '.join(unsure)}. If it does not, the next deploy fails and is rolled back"
        )


def read_ranges(target: Target, vpc: str) -> list[IPv4Network]:
    [found] = target.aws.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    blocks = [each["CidrBlock"] for each in found.get("CidrBlockAssociationSet", [])]
    return [IPv4Network(each) for each in blocks or [found["CidrBlock"]]]


# --- pure ---


def judge(
    allowed: Allowed, needed: Needs, endpoints: Sequence[Json], table: Json | None
) -> tuple[list[str], list[str]]:
    """Services that tasks do not reach, and those of which that is not certain."""
    ways = dict(ways_to(allowed, needed, endpoints, table))
    closed = [name for name, way in ways.items() if way is Served.NO]
    return closed, [name for name, way in ways.items() if way is Served.PERHAPS]


def ways_to(
    allowed: Allowed, needed: Needs, endpoints: Sequence[Json], table: Json | None
) -> Iterator[tuple[str, Served]]:
    interfaces = [each for each in endpoints if each["VpcEndpointType"] != "Gateway"]
    for service in needed.services:
        by_interface = served(service, allowed.region, interfaces, table or {})
        if by_interface is Served.YES:
            yield service, allowed.interface()
        elif by_interface is Served.PERHAPS:
            ways = {allowed.interface(), allowed.public()}
            yield service, Served.NO if ways == {Served.NO} else Served.PERHAPS
        else:
            yield service, allowed.s3() if service == "s3" else allowed.public()
    for image in needed.images:
        yield image, allowed.public()
