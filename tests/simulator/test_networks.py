"""VPCs: what an account sees of them, who reaches a load balancer, and where tasks get out."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator.cloudformation.resource import Place
from simulator.cloudformation.template import Stack
from simulator.cloudformation.template_text import BadTemplate
from simulator.fixtures import Ground
from simulator.vpc import Ec2
from tests.support.vpcs import Vpc, create_vpc

OFFICE = "198.51.100.0/24"  # from where the tests ask
OWNER = "999999999999"


def ec2(ground: Ground) -> Any:
    return ground.aws.client("ec2")


def test_the_default_vpc_has_a_route_to_its_internet_gateway(ground: Ground) -> None:
    [main] = ec2(ground).describe_route_tables()["RouteTables"]
    [gateway] = ec2(ground).describe_internet_gateways()["InternetGateways"]
    routes = {each["DestinationCidrBlock"]: each["GatewayId"] for each in main["Routes"]}
    assert routes["0.0.0.0/0"] == gateway["InternetGatewayId"]
    assert len(ec2(ground).describe_internet_gateways()["InternetGateways"]) == 1


def test_of_a_shared_vpc_only_subnets_and_their_owner_are_visible(ground: Ground) -> None:
    vpc = create_vpc(ground.aws).made_public().with_endpoints()
    services = ground.aws.services["ec2"]
    assert isinstance(services, Ec2)
    services.shared[vpc.id] = OWNER
    subnets = ec2(ground).describe_subnets(SubnetIds=vpc.subnets)["Subnets"]
    assert {each["OwnerId"] for each in subnets} == {OWNER}
    of_vpc = [{"Name": "vpc-id", "Values": [vpc.id]}]
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc.id]}]
    assert ec2(ground).describe_route_tables(Filters=of_vpc)["RouteTables"] == []
    assert ec2(ground).describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"] == []
    assert ec2(ground).describe_internet_gateways(Filters=attached)["InternetGateways"] == []
    ground.aws.client("elbv2").create_load_balancer(Name="shared", Subnets=vpc.subnets)


# --- load balancers ---


def create_listener(ground: Ground, balancer: Any) -> None:
    ground.aws.client("elbv2").create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": ground.target_group}],
    )


def test_an_internal_load_balancer_answers_only_inside_its_vpc(ground: Ground) -> None:
    balancing = ground.aws.client("elbv2")
    [made] = balancing.create_load_balancer(
        Name="inside", Subnets=ground.subnets, Scheme="internal"
    )["LoadBalancers"]
    create_listener(ground, made)
    [found] = balancing.describe_load_balancers(Names=["inside"])["LoadBalancers"]
    assert found["DNSName"] == made["DNSName"]
    assert found["DNSName"].startswith("internal-inside-")
    ground.serving()
    with pytest.raises(TimeoutError):
        ground.aws.fetch(f"http://{made['DNSName']}/health")
    ground.aws.load_balancer.asked_from = "10.0.0.9"
    assert ground.aws.fetch(f"http://{made['DNSName']}/health").status == 200


def prefix_list(ground: Ground, *entries: str, most: int = 20, family: str = "IPv4") -> str:
    made = ec2(ground).create_managed_prefix_list(
        PrefixListName="office",
        AddressFamily=family,
        MaxEntries=most,
        Entries=[{"Cidr": entry} for entry in entries],
    )
    return str(made["PrefixList"]["PrefixListId"])


def allow(ground: Ground, group: str, list_id: str, port: int) -> None:
    rule = {
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        "PrefixListIds": [{"PrefixListId": list_id}],
    }
    ec2(ground).authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])


def create_group(ground: Ground) -> str:
    made = ec2(ground).create_security_group(GroupName="alb", Description="a", VpcId=ground.vpc)
    return str(made["GroupId"])


@pytest.mark.parametrize(("entry", "gets_in"), [(OFFICE, True), ("203.0.113.0/24", False)])
def test_a_rule_with_a_prefix_list_admits_its_entries(
    ground: Ground, entry: str, gets_in: bool
) -> None:
    group = create_group(ground)
    allow(ground, group, prefix_list(ground, "192.0.2.0/24", entry), 80)
    balancing = ground.aws.client("elbv2")
    [balancer] = balancing.describe_load_balancers()["LoadBalancers"]
    balancing.set_security_groups(
        LoadBalancerArn=balancer["LoadBalancerArn"], SecurityGroups=[group]
    )
    if gets_in:
        assert ground.aws.fetch(f"http://{ground.host}/health").status == 503
    else:
        with pytest.raises(TimeoutError):
            ground.aws.fetch(f"http://{ground.host}/health")


def test_a_prefix_list_that_a_rule_names_is_not_deleted(ground: Ground) -> None:
    list_id = prefix_list(ground, OFFICE)
    group = create_group(ground)
    allow(ground, group, list_id, 80)
    answer = ec2(ground).delete_managed_prefix_list(PrefixListId=list_id)
    assert answer["PrefixList"]["State"] == "delete-failed"
    [kept] = ec2(ground).describe_managed_prefix_lists(PrefixListIds=[list_id])["PrefixLists"]
    assert kept["PrefixListId"] == list_id
    ec2(ground).delete_security_group(GroupId=group)
    answer = ec2(ground).delete_managed_prefix_list(PrefixListId=list_id)
    assert answer["PrefixList"]["State"] == "delete-complete"


def test_a_prefix_list_counts_as_its_maximum_of_entries(ground: Ground) -> None:
    """A group has at most 60 rules of IPv4, and 60 of IPv6."""
    group, list_id = create_group(ground), prefix_list(ground, OFFICE, most=25)
    allow(ground, group, list_id, 80)
    allow(ground, group, list_id, 443)
    allow(ground, group, prefix_list(ground, "2001:db8::/32", most=25, family="IPv6"), 80)
    with pytest.raises(ClientError, match="RulesPerSecurityGroupLimitExceeded"):
        allow(ground, group, list_id, 8080)
    with pytest.raises(ClientError, match="exceeds the maximum"):
        prefix_list(ground, OFFICE, "192.0.2.0/24", most=1)


# --- tasks ---


def start(ground: Ground, vpc: Vpc, *, public_ip: bool, **container: Any) -> str:
    """Why a task does not start; empty if it does."""
    network = {
        "subnets": vpc.subnets,
        "assignPublicIp": "ENABLED" if public_ip else "DISABLED",
    }
    ground.create_service(
        ground.register(**container), networkConfiguration={"awsvpcConfiguration": network}
    )
    ground.watch(4)
    return "".join({str(each["stoppedReason"]) for each in ground.stopped_tasks()})


@pytest.mark.parametrize(
    ("make", "public_ip", "reason"),
    [
        (lambda vpc: vpc, True, "unable to retrieve ecr registry auth"),
        (lambda vpc: vpc, False, "unable to retrieve ecr registry auth"),
        (Vpc.made_public, True, ""),
        (Vpc.made_public, False, "unable to retrieve ecr registry auth"),
        (Vpc.with_nat, True, ""),
        (Vpc.with_nat, False, ""),
        (Vpc.with_endpoints, False, ""),
        (Vpc.with_endpoints, True, ""),
        (lambda vpc: vpc.with_endpoints("ecr.api", "ecr.dkr"), False, "logs"),
        (lambda vpc: vpc.with_endpoints("ecr.api", "logs"), False, "CannotPullContainerError"),
        (
            lambda vpc: vpc.with_endpoints(private_dns=False),
            False,
            "unable to retrieve ecr registry auth",
        ),
    ],
)
def test_a_task_needs_a_route_or_endpoints_to_start(
    ground: Ground, make: Any, public_ip: bool, reason: str
) -> None:
    found = start(ground, make(create_vpc(ground.aws)), public_ip=public_ip)
    assert reason in found
    assert bool(found) == bool(reason)


def test_a_secret_needs_the_endpoint_of_its_service(ground: Ground) -> None:
    vpc = create_vpc(ground.aws).with_endpoints()
    secrets = [{"name": "KEY", "valueFrom": "key"}]
    assert "ssm" in start(ground, vpc, public_ip=False, secrets=secrets)


# --- templates ---


def evaluated(value: Any, *, given: str = "a,b") -> Any:
    template = {
        "Parameters": {"List": {"Type": "String"}},
        "Conditions": {
            "First": {"Fn::Equals": [{"Ref": "List"}, "a,b"]},
            "Both": {"Fn::And": [{"Condition": "First"}, {"Fn::Not": [{"Condition": "Other"}]}]},
            "Other": {"Fn::Equals": [{"Ref": "List"}, "c"]},
        },
        "Resources": {},
        "Outputs": {},
    }
    return Stack(template, {"List": given}, Place("aws", "us-east-1", "1")).value(value)


def test_a_condition_may_refer_to_others_that_come_later() -> None:
    value = {"Fn::If": ["Both", "yes", "no"]}
    assert (evaluated(value), evaluated(value, given="c")) == ("yes", "no")


@pytest.mark.parametrize(("index", "expected"), [(0, "a"), ("1", "b")])
def test_an_item_of_a_list_is_selected(index: int | str, expected: str) -> None:
    assert evaluated({"Fn::Select": [index, {"Fn::Split": [",", {"Ref": "List"}]}]}) == expected


def test_an_item_that_a_list_does_not_have_is_refused() -> None:
    with pytest.raises(BadTemplate, match="cannot select nonexistent value at index 2"):
        evaluated({"Fn::Select": [2, {"Fn::Split": [",", {"Ref": "List"}]}]})
