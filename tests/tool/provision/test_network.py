"""The network of the load balancer and the tasks, and the networks that are refused."""

from typing import Any

import pytest
from infra.tool.errors import ToolError
from infra.tool.provision import network
from infra.tool.provision.network import Choice, Network, Subnet

from tests.support.checkout import Checkout
from tests.support.targets import settings
from tests.support.vpcs import add_private_subnet, create_vpc

A, B, C, D = (
    Subnet(f"subnet-0000000{letter}", "vpc-00000001", f"us-east-1{letter}") for letter in "abcd"
)
ELSEWHERE = Subnet("subnet-00000009", "vpc-00000009", "us-east-1b")
TWIN = Subnet("subnet-00000007", A.vpc, A.zone)
HAD = {"VpcId": A.vpc, "SubnetIds": f"{A.id},{B.id}"}


def of(*balancer: Subnet, tasks: tuple[Subnet, ...] = ()) -> Network:
    return Network(Choice(A.vpc, [subnet.id for subnet in balancer], "here"), balancer, tasks)


# --- decisions ---


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (of(A), "two zones or more, but those of vpc-00000001 are in 1"),
        (of(A, TWIN, B), f"one subnet of each zone, but {A.id}, {TWIN.id} are all of us-east-1a"),
        (of(A, ELSEWHERE), f"the subnet {ELSEWHERE.id} is not of {A.vpc}"),
        (of(A, B, tasks=(A, D)), f"[tasks] subnets names {D.id} (us-east-1d), but the load"),
        (of(A, B, tasks=(ELSEWHERE,)), f"the subnet {ELSEWHERE.id} is not of {A.vpc}"),
    ],
)
def test_a_network_that_cannot_work_is_refused(found: Network, complaint: str) -> None:
    [wrong] = network.complaints(found)
    assert complaint in wrong


@pytest.mark.parametrize("found", [of(A, B), of(A, B, C), of(A, B, tasks=(TWIN,))])
def test_a_network_that_works_is_accepted(found: Network) -> None:
    assert [*network.complaints(found)] == []


@pytest.mark.parametrize(
    ("wanted", "had", "expected"),
    [
        ({}, {}, None),
        ({}, HAD, Choice(A.vpc, [A.id, B.id], "as it is")),
        (
            {"vpc": A.vpc, "subnets": [B.id, C.id]},
            HAD,
            Choice(A.vpc, [B.id, C.id], "as infra/settings.toml says"),
        ),
        (
            {"vpc": A.vpc, "subnets": [B.id, C.id]},
            {},
            Choice(A.vpc, [B.id, C.id], "as infra/settings.toml says"),
        ),
    ],
)
def test_the_settings_take_precedence_over_the_network_of_the_stack(
    wanted: dict[str, Any], had: dict[str, str], expected: Choice | None
) -> None:
    assert network.chosen(settings(network=wanted), had) == expected


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"vpc": A.vpc}, "network-half"),
        ({"subnets": [A.id, B.id]}, "network-half"),
        ({"vpc": ELSEWHERE.vpc, "subnets": [A.id, B.id]}, "network-moved"),
    ],
)
def test_half_a_network_and_another_vpc_are_refused(wanted: dict[str, Any], code: str) -> None:
    with pytest.raises(ToolError) as error:
        network.chosen(settings(network=wanted), HAD)
    assert error.value.code == code


# --- the command ---


def zones(checkout: Checkout) -> dict[str, str]:
    """A default subnet of each zone, by its letter."""
    found = checkout.aws.client("ec2").describe_subnets()["Subnets"]
    default = [each for each in found if each["DefaultForAz"]]
    return {each["AvailabilityZone"][-1]: each["SubnetId"] for each in default}


def vpc(checkout: Checkout) -> str:
    return str(checkout.aws.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"])


def choose(checkout: Checkout, letters: str) -> None:
    checkout.set("network.vpc", vpc(checkout))
    checkout.set("network.subnets", [zones(checkout)[letter] for letter in letters])


def subnets_of_load_balancer(checkout: Checkout) -> set[str]:
    [found] = checkout.aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return {zone["SubnetId"] for zone in found["AvailabilityZones"]}


def test_a_new_service_takes_three_zones_of_the_default_vpc(new: Checkout) -> None:
    found = zones(new)
    assert len(found) > 3, "the simulated region must have more than three zones"
    run = new.administer("provision").expect(0)
    assert f"{vpc(new)} (the default one): {found['a']} (us-east-1a)" in run.out
    assert subnets_of_load_balancer(new) == {found[letter] for letter in "abc"}


def test_an_existing_service_keeps_its_zones(existing: Checkout) -> None:
    run = existing.administer("provision").expect(0)
    assert "ec2:DescribeVpcs" not in run.operations
    assert subnets_of_load_balancer(existing) == set(zones(existing).values())


def test_a_stack_gets_other_subnets_of_its_vpc_and_tasks_subnets_of_their_own(
    existing: Checkout,
) -> None:
    private = add_private_subnet(existing.aws, vpc(existing), "us-east-1c")
    choose(existing, "bcd")
    existing.set("tasks.subnets", [private])
    existing.set("tasks.public_ip", False)
    run = existing.administer("provision").expect(0)
    assert f"without public addresses, in {private} (us-east-1c)" in run.out
    assert outputs(existing)["SubnetIds"] == private
    existing.set("tasks.subnets", [])
    existing.set("tasks.public_ip", True)
    run = existing.administer("provision").expect(0)
    assert "with public addresses, in the same subnets" in run.out
    assert outputs(existing)["SubnetIds"] == ",".join(zones(existing)[each] for each in "bcd")


def outputs(checkout: Checkout) -> dict[str, str]:
    name = checkout.settings.names.stack
    [stack] = checkout.aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def test_a_zone_in_which_tasks_run_stays_until_they_are_moved(running: Checkout) -> None:
    keep = "bcdef"
    choose(running, keep)
    run = running.administer("provision").expect(2, "network-zone-in-use")
    assert run.changes == ["cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet"]
    assert f"tasks run in {zones(running)['a']} (us-east-1a)" in run.err
    # The safe order that the message gives:
    choose(running, "abcdef")
    running.set("tasks.subnets", [zones(running)["b"]])
    running.administer("provision").expect(0)
    running.commit("Move the tasks")
    running.release()
    running.run("deploy").expect(0)
    choose(running, keep)
    running.administer("provision").expect(0)
    assert zones(running)["a"] not in subnets_of_load_balancer(running)


def test_a_vpc_needs_an_internet_gateway_and_a_route_to_it(new: Checkout) -> None:
    own = create_vpc(new.aws)
    new.set("network.vpc", own.id)
    new.set("network.subnets", list(own.subnets))
    run = new.administer("provision").expect(2, "network-no-gateway").expect_no_change()
    assert f"aws ec2 attach-internet-gateway --region us-east-1 --vpc-id {own.id}" in run.err
    gateway = own.with_gateway()
    new.administer("provision").expect(2, "network-not-public").expect_no_change()
    own.route(GatewayId=gateway)
    new.administer("provision").expect(0)


def test_without_a_default_vpc_the_settings_are_named(new: Checkout) -> None:
    ec2, default = new.aws.client("ec2"), vpc(new)
    for subnet in zones(new).values():
        ec2.delete_subnet(SubnetId=subnet)
    run = new.administer("provision").expect(2, "network-no-subnets").expect_no_change()
    assert f'[network] vpc = "{default}"' in run.err
    ec2.delete_vpc(VpcId=default)
    run = new.administer("provision").expect(2, "network-no-default").expect_no_change()
    assert "aws ec2 create-default-vpc" in run.err


def test_a_subnet_that_does_not_exist_is_named(new: Checkout) -> None:
    choose(new, "ab")
    new.set("tasks.subnets", ["subnet-0123456789"])
    run = new.administer("provision").expect(2, "aws-refused").expect_no_change()
    assert "subnet-0123456789" in run.err


def test_two_subnets_of_one_zone_are_refused(new: Checkout) -> None:
    block = {"VpcId": vpc(new), "AvailabilityZone": "us-east-1a", "CidrBlock": "172.31.200.0/24"}
    first = zones(new)["a"]
    twin = new.aws.client("ec2").create_subnet(**block)["Subnet"]["SubnetId"]
    choose(new, "bc")
    new.set("network.subnets", [first, twin, zones(new)["b"]])
    new.administer("provision").expect(2, "network-wrong").expect_no_change()
