"""Whether the load balancer can be reached, and the tasks can pull their image and start.

A network that is certain to fail is refused. If this account cannot see enough, it is a warning.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from infra.tool.api_model import Json
from infra.tool.aws_errors import AwsError, Kind
from infra.tool.errors import Problem, ToolError
from infra.tool.provision import ranges
from infra.tool.provision.network import Network, Subnet, in_zones
from infra.tool.provision.routes import Needs, Served, Way, missing, table_of, way
from infra.tool.target import Target

NO_GATEWAY = Problem(
    "network-no-gateway",
    "{vpc} has no internet gateway, which an internet-facing load balancer needs",
    "set [network] internal = true in infra/settings.toml, or attach one: aws ec2 "
    "attach-internet-gateway --region {region} --vpc-id {vpc} --internet-gateway-id ID",
)
NOT_PUBLIC = Problem(
    "network-not-public",
    "the load balancer is internet-facing, but {subnets} have no route 0.0.0.0/0 to an internet "
    "gateway",
    "choose public subnets with [network] subnets in infra/settings.toml, or set [network] "
    "internal = true",
)
NO_PUBLIC_IP = Problem(
    "network-no-public-ip",
    "tasks without a public address cannot start in {subnets}: the default route leads to an "
    "internet gateway, which works only for public addresses, and {why}",
    "set [tasks] public_ip = true in infra/settings.toml",
)
NO_WAY_OUT = Problem(
    "network-no-way-out",
    "tasks cannot start in {subnets}: no route leads out of {vpc}, and {why}",
    "create the missing VPC endpoints, or a route 0.0.0.0/0 to a NAT gateway, or choose other "
    "subnets with [tasks] subnets in infra/settings.toml",
)


@dataclass(frozen=True)
class View:
    """A network, as this account sees it."""

    network: Network
    is_internal: bool
    public_ip: bool  # of the tasks
    region: str
    tables: Sequence[Json] | None  # of routes; None: it may not see them
    shared_by: str = ""  # another account, which owns the VPC: then this one may see only a part
    endpoints: Sequence[Json] | None = None  # None: it may not see them, or does not need them
    gateways: Sequence[Json] | None = None  # likewise

    def table(self, subnet: Subnet) -> Json | None:
        return table_of(subnet.id, self.tables or [])

    def way(self, subnet: Subnet) -> Way:
        return way(self.table(subnet))

    @property
    def tasks(self) -> Sequence[Subnet]:
        return self.network.tasks or self.network.balancer

    def needs_endpoints(self, subnet: Subnet) -> bool:
        """Whether tasks in a subnet do not get out by its default route."""
        found = self.way(subnet)
        return found in (Way.PARTS, Way.NOWHERE) or (found is Way.GATEWAY and not self.public_ip)


def check(target: Target, network: Network, needed: Needs) -> None:
    """Raises ToolError if the network is certain not to work; warns of what cannot be told."""
    errors, doubts = judge(read(target, network), needed)
    if errors:
        raise errors[0]
    for doubt in [*ranges.doubts(target.settings.network), *doubts]:
        target.runtime.console.warn(f"network: {doubt}")


def read(target: Target, network: Network) -> View:
    """Routes, and what else matters if they do not answer it. Raises AwsError."""
    settings, vpc = target.settings, network.choice.vpc
    owner = network.balancer[0].owner
    view = View(
        network,
        is_internal=settings.network.internal,
        public_ip=settings.tasks.public_ip,
        region=settings.service.region,
        shared_by=owner if owner != settings.service.account else "",
        tables=visible(lambda: route_tables(target, vpc)),
    )
    if any(view.needs_endpoints(subnet) for subnet in view.tasks):
        view = replace(view, endpoints=visible(lambda: endpoints(target, vpc)))
    is_public = {*map(view.way, network.balancer)} == {Way.GATEWAY}
    if not (view.is_internal or view.shared_by or is_public):
        view = replace(view, gateways=visible(lambda: gateways(target, vpc)))
    return view


def visible(ask: Callable[[], Sequence[Json]]) -> Sequence[Json] | None:
    """None if AWS denies it: an administrator of the service need not be one of the network."""
    try:
        return ask()
    except AwsError as error:
        if error.kind is not Kind.DENIED:
            raise
        return None


def route_tables(target: Target, vpc: str) -> Sequence[Json]:
    pages: Any = target.aws.ec2.get_paginator("describe_route_tables")
    asked = [{"Name": "vpc-id", "Values": [vpc]}]
    return [table for page in pages.paginate(Filters=asked) for table in page["RouteTables"]]


def endpoints(target: Target, vpc: str) -> Sequence[Json]:
    pages: Any = target.aws.ec2.get_paginator("describe_vpc_endpoints")
    asked = [{"Name": "vpc-id", "Values": [vpc]}]
    return [endpoint for page in pages.paginate(Filters=asked) for endpoint in page["VpcEndpoints"]]


def gateways(target: Target, vpc: str) -> Sequence[Json]:
    """The internet gateway of the VPC, if it has one."""
    pages: Any = target.aws.ec2.get_paginator("describe_internet_gateways")
    asked = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    return [each for page in pages.paginate(Filters=asked) for each in page["InternetGateways"]]


# --- decisions, pure ---


def judge(view: View, needed: Needs) -> tuple[list[ToolError], list[str]]:
    """Certain failures, and doubts. In a shared VPC no failure is certain."""
    errors = [*load_balancer_errors(view), *task_errors(view, needed)]
    doubts = [*hidden(view), *load_balancer_doubts(view), *task_doubts(view, needed)]
    if not view.shared_by:
        return errors, doubts
    owner = f"{view.network.choice.vpc} is shared by account {view.shared_by}"
    doubts += [f"{owner}, so this is in doubt: {error.message}" for error in errors]
    return [], doubts


def hidden(view: View) -> Iterator[str]:
    subnets = {*view.network.balancer, *view.tasks}
    if unseen := [subnet for subnet in subnets if view.way(subnet) is Way.UNSEEN]:
        yield (
            f"this account cannot see the routes of {in_zones(unseen)}, so it is not checked "
            "whether the load balancer can be reached and the tasks can start there"
        )


def load_balancer_errors(view: View) -> Iterator[ToolError]:
    if view.is_internal:
        return
    if view.gateways == []:
        yield NO_GATEWAY(vpc=view.network.choice.vpc, region=view.region)
    elif closed := [
        subnet for subnet in view.network.balancer if view.way(subnet) in (Way.NAT, Way.NOWHERE)
    ]:
        yield NOT_PUBLIC(subnets=in_zones(closed))


def load_balancer_doubts(view: View) -> Iterator[str]:
    balancer = [] if view.is_internal else view.network.balancer
    if unsure := [each for each in balancer if view.way(each) in (Way.OTHER, Way.PARTS)]:
        yield (
            f"the load balancer in {in_zones(unsure)} can be reached from the internet only if its "
            "answers get back there: no route 0.0.0.0/0 leads to an internet gateway"
        )


def task_errors(view: View, needed: Needs) -> Iterator[ToolError]:
    for why, subnets in not_starting(view, needed, Way.GATEWAY).items():
        yield NO_PUBLIC_IP(subnets=in_zones(subnets), why=why)
    for why, subnets in not_starting(view, needed, Way.NOWHERE).items():
        yield NO_WAY_OUT(subnets=in_zones(subnets), vpc=view.network.choice.vpc, why=why)


def not_starting(view: View, needed: Needs, of: Way) -> dict[str, list[Subnet]]:
    """Subnets of a kind in which tasks do not reach what they need, by the reason."""
    found: dict[str, list[Subnet]] = {}
    for subnet in view.tasks:
        if view.way(subnet) is of and (why := unserved(view, subnet, needed, Served.PERHAPS)):
            found.setdefault(why, []).append(subnet)
    return found


def task_doubts(view: View, needed: Needs) -> Iterator[str]:
    for subnet in view.tasks:
        if view.way(subnet) is Way.NAT and view.public_ip:
            yield (
                f"tasks in {subnet} have public addresses that are charged but not used, because "
                "their route leads to a NAT gateway: set [tasks] public_ip = false"
            )
        if not view.needs_endpoints(subnet):
            continue
        if view.endpoints is None:
            yield f"tasks in {subnet} need VPC endpoints, which this account cannot see"
            continue
        is_certain = view.way(subnet) is not Way.PARTS and unserved(
            view, subnet, needed, Served.PERHAPS
        )
        why = unserved(view, subnet, needed, Served.YES)
        if why and not is_certain:
            yield f"tasks in {subnet} may not start: {why}, unless other routes or names lead there"


def unserved(view: View, subnet: Subnet, needed: Needs, least: Served) -> str:
    """Services that tasks without a route do not reach, in words; empty if endpoints serve all,
    or cannot be seen."""
    table = view.table(subnet)
    if table is None or view.endpoints is None or not view.needs_endpoints(subnet):
        return ""
    return "; ".join(missing(needed, view.region, view.endpoints, table, least))
