"""Whether a network can work, by its routes and endpoints: settings times topology."""

from typing import Any

import pytest
from infra.tool.api_model import Json
from infra.tool.provision import ranges, reachability, routes
from infra.tool.provision.grants import Grant, Grants, Kind
from infra.tool.provision.network import Choice, Network, Subnet
from infra.tool.provision.reachability import View
from infra.tool.provision.routes import Needs, Served, Way

from tests.support.targets import settings

A = Subnet("subnet-0000000a", "vpc-00000001", "us-east-1a", "123456789012")
B = Subnet("subnet-0000000b", "vpc-00000001", "us-east-1b", "123456789012")
NETWORK = Network(Choice(A.vpc, [A.id, B.id], "here"), [A, B], [])
NEEDS = Needs(["ecr.api", "ecr.dkr", "s3", "logs"])

LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}


def to(target: str, id: str, *, state: str = "active", **destination: str) -> Json:
    where = destination or {"DestinationCidrBlock": "0.0.0.0/0"}
    return {**where, target: id, "State": state}


INTERNET = to("GatewayId", "igw-1")
NAT = to("NatGatewayId", "nat-1")
TRANSIT = to("TransitGatewayId", "tgw-1")
PARTLY = to("TransitGatewayId", "tgw-1", DestinationCidrBlock="10.0.0.0/8")
S3 = to("GatewayId", "vpce-1", DestinationPrefixListId="pl-1")


def table(*routes: Json, id: str = "rtb-1", subnets: tuple[Subnet, ...] = (A, B)) -> Json:
    associations = [{"SubnetId": subnet.id, "Main": False} for subnet in subnets]
    return {"RouteTableId": id, "Associations": associations, "Routes": [LOCAL, *routes]}


def main(*routes: Json) -> Json:
    return table(*routes, id="rtb-main", subnets=()) | {"Associations": [{"Main": True}]}


def endpoint(service: str, **changes: Any) -> Json:
    kind = {"VpcEndpointType": "Interface", "PrivateDnsEnabled": True}
    if service == "s3":
        kind = {"VpcEndpointType": "Gateway", "RouteTableIds": ["rtb-1"]}
    name = f"com.amazonaws.us-east-1.{service}"
    return {"ServiceName": name, "State": "available", **kind, **changes}


EVERY_ENDPOINT = [endpoint(service) for service in NEEDS.services]


# --- routes ---


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (table(INTERNET), Way.GATEWAY),
        (table(NAT), Way.NAT),
        (table(TRANSIT), Way.OTHER),
        (table(to("NetworkInterfaceId", "eni-1", InstanceId="")), Way.PARTS),
        (table(to("NetworkInterfaceId", "eni-1")), Way.OTHER),
        (table(to("VpcPeeringConnectionId", "pcx-1")), Way.OTHER),
        (table(to("GatewayId", "vgw-1")), Way.OTHER),
        (table(to("GatewayId", "vpce-1")), Way.OTHER),
        (table(PARTLY), Way.PARTS),
        (table(PARTLY, INTERNET), Way.GATEWAY),
        (table(to("GatewayId", "igw-1", DestinationCidrBlock="192.0.2.0/24")), Way.PARTS),
        (table(to("GatewayId", "igw-1", DestinationPrefixListId="pl-2")), Way.PARTS),
        (table(), Way.NOWHERE),
        (table(S3), Way.NOWHERE),
        (table(to("GatewayId", "igw-1", state="blackhole")), Way.NOWHERE),
        (table(to("NatGatewayId", "nat-1", state="blackhole")), Way.NOWHERE),
        (
            table(to("EgressOnlyInternetGatewayId", "eigw-1", DestinationIpv6CidrBlock="::/0")),
            Way.NOWHERE,
        ),
        (table(to("GatewayId", "igw-1", DestinationIpv6CidrBlock="::/0")), Way.NOWHERE),
        (None, Way.UNSEEN),
    ],
)
def test_the_way_of_a_subnet_is_the_target_of_its_default_route(
    found: Json | None, expected: Way
) -> None:
    assert routes.way(found) is expected


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([main(INTERNET)], "rtb-main"),
        ([main(INTERNET), table(NAT)], "rtb-1"),
        ([table(NAT), main(INTERNET)], "rtb-1"),
        ([table(NAT, subnets=(B,)), main(INTERNET)], "rtb-main"),
        ([table(NAT, subnets=(B,))], None),
        ([], None),
    ],
)
def test_a_subnet_has_its_own_route_table_or_the_main_one(
    tables: list[Json], expected: str | None
) -> None:
    found = routes.table_of(A.id, tables)
    assert (found and found["RouteTableId"]) == expected


# --- endpoints ---


@pytest.mark.parametrize(
    ("service", "found", "expected"),
    [
        ("logs", [endpoint("logs")], Served.YES),
        ("logs", [endpoint("logs", State="pending")], Served.NO),
        ("logs", [endpoint("logs", PrivateDnsEnabled=False)], Served.PERHAPS),
        ("logs", [endpoint("logs", PrivateDnsEnabled=False), endpoint("logs")], Served.YES),
        ("logs", [endpoint("ecr.api")], Served.NO),
        ("logs", [endpoint("logs", ServiceName="com.amazonaws.eu-west-1.logs")], Served.NO),
        ("logs", [endpoint("logs", ServiceName="cn.com.amazonaws.us-east-1.logs")], Served.YES),
        ("s3", [endpoint("s3")], Served.YES),
        ("s3", [endpoint("s3", RouteTableIds=["rtb-2"])], Served.NO),
        ("s3", [endpoint("logs", ServiceName="com.amazonaws.us-east-1.s3")], Served.YES),
        ("api", [endpoint("ecr.api")], Served.NO),
        ("logs", [], Served.NO),
    ],
)
def test_an_endpoint_serves_a_service_by_its_name_or_the_route_table(
    service: str, found: list[Json], expected: Served
) -> None:
    assert routes.served(service, "us-east-1", found, table()) is expected


def container(image: str = "1.dkr.ecr.us-east-1.amazonaws.com/a", log: str = "awslogs") -> Json:
    return {"image": image, "logConfiguration": {"logDriver": log}}


@pytest.mark.parametrize(
    ("containers", "granted", "expected"),
    [
        ([container()], Grants(), Needs(["ecr.api", "ecr.dkr", "s3", "logs"], [])),
        ([container(log="splunk")], Grants(), Needs(["ecr.api", "ecr.dkr", "s3"], [])),
        (
            [container()],
            Grants([Grant("arn", Kind.SECRET), Grant("arn", Kind.PARAMETER)]),
            Needs(["ecr.api", "ecr.dkr", "s3", "logs", "secretsmanager", "ssm"], []),
        ),
        (
            [container(), container("public.ecr.aws/x/y:1")],
            Grants(),
            Needs(["ecr.api", "ecr.dkr", "s3", "logs"], ["public.ecr.aws/x/y:1"]),
        ),
    ],
)
def test_tasks_need_what_their_definition_names(
    containers: list[Json], granted: Grants, expected: Needs
) -> None:
    assert routes.needs({"containerDefinitions": containers}, granted) == expected


# --- settings times topology ---


def view(*routes: Json, **changes: Any) -> View:
    """Of a service with the default settings, whose subnets have these routes."""
    usual: dict[str, Any] = {
        "is_internal": False,
        "public_ip": True,
        "region": "us-east-1",
        "tables": [table(*routes)],
        "endpoints": [],
    }
    return View(NETWORK, **usual | changes)


def judged(found: View, needed: Needs = NEEDS) -> tuple[list[str], int]:
    """The codes of the certain failures, and the number of doubts."""
    errors, doubts = reachability.judge(found, needed)
    return [error.code for error in errors], len(doubts)


INTERNAL = {"is_internal": True}
PRIVATE = {"public_ip": False}
INSIDE = INTERNAL | PRIVATE
SERVED = {"endpoints": EVERY_ENDPOINT}
NO_GATEWAY: dict[str, Any] = {"gateways": []}
WITHOUT_DNS = {"endpoints": [each | {"PrivateDnsEnabled": False} for each in EVERY_ENDPOINT]}
DENIED = {"tables": None, "endpoints": None, "gateways": None}


@pytest.mark.parametrize(
    ("found", "errors", "doubts"),
    [
        # An internet-facing load balancer and its tasks in one kind of subnets.
        (view(INTERNET), [], 0),
        (view(NAT), ["network-not-public"], 2),  # each public address is of no use
        (view(), ["network-not-public", "network-no-way-out"], 0),
        (view(**NO_GATEWAY), ["network-no-gateway", "network-no-way-out"], 0),
        (view(TRANSIT), [], 1),
        (view(PARTLY), [], 3),
        (view(INTERNET, **PRIVATE), ["network-no-public-ip"], 0),
        (view(INTERNET, **PRIVATE, **SERVED), [], 0),
        (view(INTERNET, **PRIVATE, **WITHOUT_DNS), [], 2),
        # An internal one.
        (view(NAT, **INSIDE), [], 0),
        (view(NAT, **INTERNAL), [], 2),
        (view(TRANSIT, **INSIDE), [], 0),
        (view(PARTLY, **INSIDE), [], 2),
        (view(PARTLY, **INSIDE, **SERVED), [], 0),
        (view(**INSIDE), ["network-no-way-out"], 0),
        (view(**INTERNAL), ["network-no-way-out"], 0),
        (view(**INSIDE, **NO_GATEWAY), ["network-no-way-out"], 0),
        (view(S3, **INSIDE, **SERVED), [], 0),
        (view(S3, **INSIDE, **WITHOUT_DNS), [], 2),
        (view(**INSIDE, endpoints=None), [], 2),
        (view(INTERNET, **INTERNAL), [], 0),
        (view(INTERNET, **INSIDE), ["network-no-public-ip"], 0),
        # Route tables that this account cannot see.
        (view(**DENIED), [], 1),
        (view(**DENIED, **INSIDE), [], 1),
        (view(**DENIED | NO_GATEWAY), ["network-no-gateway"], 1),
        (view(**INSIDE, shared_by="999999999999"), [], 1),
        (view(shared_by="999999999999"), [], 2),
        (view(tables=[], shared_by="999999999999"), [], 1),
    ],
)
def test_a_certain_failure_is_an_error_and_an_uncertain_one_is_a_doubt(
    found: View, errors: list[str], doubts: int
) -> None:
    assert judged(found) == (errors, doubts)


def test_each_subnet_of_the_load_balancer_must_be_public() -> None:
    tables = [table(INTERNET, subnets=(A,)), table(NAT, id="rtb-2", subnets=(B,))]
    [error], _ = reachability.judge(view(tables=tables), NEEDS)
    assert error.code == "network-not-public"
    assert B.id in error.message
    assert A.id not in error.message


def test_tasks_in_subnets_of_their_own_are_judged_there() -> None:
    tables = [table(INTERNET, subnets=(A,)), table(NAT, id="rtb-2", subnets=(B,))]
    network = Network(Choice(A.vpc, [A.id], "here"), [A], [B])
    found = View(
        network, is_internal=False, public_ip=False, region="us-east-1", tables=tables, endpoints=[]
    )
    assert judged(found) == ([], 0)


@pytest.mark.parametrize(
    ("needed", "text"),
    [
        (Needs(["ecr.api", "logs", "ssm"]), "the VPC has no endpoint for ssm"),
        (Needs(["logs"], ["docker.io/x"]), "no endpoint leads to docker.io/x"),
    ],
)
def test_a_service_without_an_endpoint_is_named(needed: Needs, text: str) -> None:
    [error], _ = reachability.judge(view(S3, **INSIDE, **SERVED), needed)
    assert error.code == "network-no-way-out"
    assert text in error.message


# --- address ranges ---


@pytest.mark.parametrize(
    ("network", "count"),
    [
        ({"allowed_cidrs": []}, 0),
        ({"allowed_cidrs": ["203.0.113.0/24"]}, 0),
        ({"allowed_cidrs": ["203.0.113.0/24", "10.1.0.0/16"]}, 1),
        ({"allowed_cidrs": ["10.1.0.0/16"], "internal": True}, 0),
        ({"allowed_cidrs": ["8.0.0.0/6"]}, 0),
        ({"allowed_cidrs": ["2001:db8::/32"]}, 1),
        ({"allowed_cidrs": ["2001:db8::/32", "192.168.1.0/24"]}, 2),
    ],
)
def test_ranges_that_no_client_can_have_are_in_doubt(network: dict[str, Any], count: int) -> None:
    assert len([*ranges.doubts(settings(network=network).network)]) == count
