"""The network of the load balancer and of the tasks: of the settings, the stack, or the default."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.tool.errors import Problem
from infra.tool.provision.parameters import listed
from infra.tool.settings import Settings
from infra.tool.target import COMMAND, Target

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef

HALF = Problem(
    "network-half",
    "only one of [network] vpc and subnets in infra/settings.toml has a value",
    'set both, for example vpc = "vpc-0a1b2c3d" and '
    'subnets = ["subnet-0a1b2c3d", "subnet-4e5f6a7b"]',
)
OTHER_VPC = Problem(
    "network-moved",
    "the load balancer of this service is in {had}, and cannot be moved to {wanted}",
    'set [network] vpc = "{had}" in infra/settings.toml, or delete everything first: {destroy}',
)
NO_DEFAULT = Problem(
    "network-no-default",
    "{region} has no default VPC in this account",
    "set [network] vpc and subnets in infra/settings.toml, or create one: "
    "aws ec2 create-default-vpc --region {region}",
)
NO_DEFAULT_SUBNETS = Problem(
    "network-no-subnets",
    "the default VPC {vpc} has no default subnets",
    'set [network] vpc = "{vpc}" and its subnets in infra/settings.toml',
)
OTHER_SCHEME = Problem(
    "network-scheme",
    "the load balancer of this service is {had}, which AWS cannot change, but [network] internal "
    "= {wanted} in infra/settings.toml needs the other scheme",
    "set [network] internal = {kept}, or delete everything first: {destroy}",
)
WRONG = Problem(
    "network-wrong",
    "{complaints}",
    "choose others in infra/settings.toml: [network] vpc and subnets, [tasks] subnets",
)
# Of the default VPC: each zone costs a public address of the load balancer, and two are the least.
MOST_ZONES = 3


@dataclass(frozen=True)
class Subnet:
    id: str
    vpc: str
    zone: str
    owner: str = ""  # an account: another one if the VPC is shared

    def __str__(self) -> str:
        return f"{self.id} ({self.zone})"


@dataclass(frozen=True)
class Choice:
    """The VPC and the subnets of the load balancer."""

    vpc: str
    subnets: Sequence[str]
    source: str  # in words


@dataclass(frozen=True)
class Network:
    choice: Choice
    balancer: Sequence[Subnet]
    tasks: Sequence[Subnet]  # none: those of the load balancer


def read(target: Target, had: Mapping[str, str]) -> Network:
    """The network, after checking it. `had` are the parameters of the stack. Raises ToolError."""
    settings, ec2 = target.settings, target.aws.ec2
    require_scheme(settings, had)
    choice = chosen(settings, had) or default(target)
    ids = {*choice.subnets, *settings.tasks.subnets}
    found = {
        each["SubnetId"]: Subnet(
            each["SubnetId"], each["VpcId"], each["AvailabilityZone"], each["OwnerId"]
        )
        for page in ec2.get_paginator("describe_subnets").paginate(SubnetIds=sorted(ids))
        for each in page["Subnets"]
    }
    network = Network(
        choice,
        [found[id] for id in choice.subnets],
        [found[id] for id in settings.tasks.subnets],
    )
    if wrong := [*complaints(network)]:
        raise WRONG(complaints="; ".join(wrong))
    return network


def require_scheme(settings: Settings, had: Mapping[str, str]) -> None:
    """Raises ToolError if the stack has a load balancer of the other scheme."""
    wanted = settings.network
    scheme = had.get("LoadBalancerScheme", wanted.scheme)
    if scheme != wanted.scheme:
        raise OTHER_SCHEME(
            had=scheme,
            wanted=toml(wanted.internal),
            kept=toml(not wanted.internal),
            destroy=f"{COMMAND} destroy",
        )


def toml(value: bool) -> str:
    return "true" if value else "false"


def chosen(settings: Settings, had: Mapping[str, str]) -> Choice | None:
    """By the settings, or as the stack has it. Raises ToolError."""
    wanted = settings.network
    if bool(wanted.vpc) != bool(wanted.subnets):
        raise HALF()
    if not wanted.vpc:
        if "VpcId" not in had:
            return None
        return Choice(had["VpcId"], listed(had["SubnetIds"]), "as it is")
    if had.get("VpcId", wanted.vpc) != wanted.vpc:
        raise OTHER_VPC(had=had["VpcId"], wanted=wanted.vpc, destroy=f"{COMMAND} destroy")
    return Choice(wanted.vpc, wanted.subnets, "as infra/settings.toml says")


def default(target: Target) -> Choice:
    """The default VPC, and its default subnets in the first zones. Raises ToolError."""
    ec2, region = target.aws.ec2, target.settings.service.region
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not vpcs:
        raise NO_DEFAULT(region=region)
    vpc = vpcs[0]["VpcId"]
    filters: list[FilterTypeDef] = [
        {"Name": "vpc-id", "Values": [vpc]},
        {"Name": "default-for-az", "Values": ["true"]},
    ]
    subnets = [
        (each["AvailabilityZone"], each["SubnetId"])
        for page in ec2.get_paginator("describe_subnets").paginate(Filters=filters)
        for each in page["Subnets"]
    ]
    if not subnets:
        raise NO_DEFAULT_SUBNETS(vpc=vpc)
    return Choice(vpc, [id for _, id in sorted(subnets)][:MOST_ZONES], "the default one")


# --- decisions, pure ---


def complaints(network: Network) -> Iterator[str]:
    """A load balancer takes one subnet of each zone, in two zones or more, and sends no requests
    to any other zone."""
    vpc = network.choice.vpc
    for subnet in {*network.balancer, *network.tasks}:
        if subnet.vpc != vpc:
            yield f"the subnet {subnet.id} is not of {vpc}"
    by_zone: dict[str, list[str]] = {}
    for subnet in network.balancer:
        by_zone.setdefault(subnet.zone, []).append(subnet.id)
    for zone, ids in by_zone.items():
        if len(ids) > 1:
            yield (
                f"the load balancer takes one subnet of each zone, but {', '.join(ids)} are all of "
                f"{zone}"
            )
    if len(by_zone) < 2:
        yield (
            f"the load balancer needs subnets in two zones or more, but those of {vpc} are in "
            f"{len(by_zone)}"
        )
    for subnet in network.tasks:
        if subnet.zone not in by_zone:
            yield (
                f"[tasks] subnets names {subnet}, but the load balancer is not in that zone: tasks "
                "there get no requests"
            )


def in_zones(subnets: Iterable[Subnet]) -> str:
    return ", ".join(map(str, sorted(subnets, key=lambda subnet: subnet.zone)))


def describe(network: Network, settings: Settings) -> Iterator[tuple[str, str]]:
    """Facts about it."""
    choice = network.choice
    yield "network", f"{choice.vpc} ({choice.source}): {in_zones(network.balancer)}"
    allowed = ", ".join(settings.network.allowed_cidrs) or "everywhere"
    yield "scheme", f"{settings.network.scheme}, open to {allowed}"
    where = in_zones(network.tasks) or "the same subnets"
    has = "with" if settings.tasks.public_ip else "without"
    yield "tasks", f"{has} public addresses, in {where}"
