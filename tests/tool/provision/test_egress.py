"""[security] egress_cidrs limits what tasks may reach, and never cuts off running tasks."""

from typing import Any

import pytest
from infra.tool.provision import egress

from tests.support.checkout import Checkout
from tests.support.company_settings import egress_to_aws, s3_list
from tests.support.vpcs import create_vpc

Json = dict[str, Any]


def groups(checkout: Checkout) -> set[str]:
    """The security groups that running tasks are in."""
    tasks = [task for task in checkout.aws.ecs.tasks if task.status == "RUNNING"]
    assert tasks
    return {
        group
        for task in tasks
        for group in task.deployment.settings["networkConfiguration"]["awsvpcConfiguration"][
            "securityGroups"
        ]
    }


def ids(checkout: Checkout) -> dict[str, str]:
    """Of the resources of the stack."""
    [stack] = checkout.aws.cloudformation.stacks.values()
    return {name: made.id for name, made in stack.resources.items()}


def provision(checkout: Checkout) -> None:
    checkout.administer("provision").expect(0)


def deploy(checkout: Checkout) -> None:
    checkout.release()
    checkout.run("deploy").expect(0)


def test_limits_begin_and_end_for_tasks_with_a_deploy(running: Checkout) -> None:
    running.set("security.egress_cidrs", egress_to_aws(running))
    provision(running)
    open_group, limited = (ids(running)[f"{each}TaskSecurityGroup"] for each in ("", "Limited"))
    assert groups(running) == {open_group}, "running tasks keep what they may reach"
    deploy(running)
    assert groups(running) == {limited}
    running.set("security.egress_cidrs", [])
    run = running.administer("provision").expect(0)
    assert "stays until a deploy" in run.err
    assert groups(running) == {limited} <= {*ids(running).values()}
    deploy(running)
    assert groups(running) == {open_group}
    provision(running)
    assert limited not in ids(running).values()


def test_a_deploy_whose_tasks_need_more_is_rolled_back(running: Checkout) -> None:
    """The tool cannot know that the range is not that of the registry."""
    running.set("security.egress_cidrs", ["203.0.113.0/24"])
    run = running.administer("provision").expect(0)
    assert "could not check" in run.err
    before = groups(running)
    running.release()
    running.run("deploy").expect(1, "deployment-rolled-back")
    assert groups(running) == before


def test_limits_in_use_may_be_widened_and_not_narrowed(running: Checkout) -> None:
    wanted = egress_to_aws(running)
    assert isinstance(wanted, list)
    running.set("security.egress_cidrs", wanted)
    provision(running)
    deploy(running)
    running.set("security.egress_cidrs", [*wanted, "10.0.0.0/8"])
    provision(running)
    running.set("security.egress_cidrs", ["52.0.0.0/8", wanted[1], "10.0.0.0/8"])
    provision(running)
    for narrow in ["52.94.0.0/16", wanted[1]], ["52.0.0.0/8", "10.0.0.0/8"]:
        running.set("security.egress_cidrs", narrow)
        running.administer("provision").expect(2, "egress-in-use").expect_no_change()


def test_a_service_without_tasks_in_the_group_may_get_any_limits(running: Checkout) -> None:
    for value in (["52.94.0.0/16", s3_list(running.aws)], ["52.94.0.0/17"], []):
        running.set("security.egress_cidrs", value)
        provision(running)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], ["10.0.0.0/8"], []),
        (["10.0.0.0/8"], ["10.0.0.0/8"], []),
        (["10.1.0.0/16"], ["10.0.0.0/8"], []),
        (["10.0.0.0/8"], ["10.1.0.0/16"], ["10.0.0.0/8"]),
        (["pl-0a1b2c3d"], ["10.0.0.0/8"], ["pl-0a1b2c3d"]),
    ],
)
def test_removed_ranges_are_found(before: list[str], after: list[str], expected: list[str]) -> None:
    assert [*egress.narrowed(before, after)] == expected


# --- the services that tasks need to start ---


@pytest.mark.parametrize(
    ("entries", "closed"),
    [
        (["10.0.0.0/16", "S3"], ""),
        (["10.0.0.0/8", "S3"], ""),
        (["10.0.0.0/16"], "s3"),
        (["192.168.0.0/16", "S3"], "ecr.api, ecr.dkr, logs"),
    ],
)
def test_endpoints_in_the_vpc_must_be_within_the_limits(
    new: Checkout, entries: list[str], closed: str
) -> None:
    vpc = create_vpc(new.aws).with_endpoints()
    new.set("network.vpc", vpc.id)
    new.set("network.subnets", list(vpc.subnets))
    new.set("network.internal", True)
    new.set("tasks.public_ip", False)
    named = [s3_list(new.aws) if each == "S3" else each for each in entries]
    new.set("security.egress_cidrs", named)
    if closed:
        run = new.administer("provision").expect(2, "network-egress").expect_no_change()
        assert f"blocks tasks from {closed}, which" in run.err
        return
    run = new.administer("provision").expect(0)
    assert "could not check" not in run.err
    deploy(new)


def test_a_prefix_list_that_does_not_exist_is_refused_first(running: Checkout) -> None:
    running.set("security.egress_cidrs", ["52.94.0.0/16", "pl-0a1b2c3d"])
    run = running.administer("provision").expect(2, "prefix-list-missing").expect_no_change()
    assert "pl-0a1b2c3d" in run.err


def test_a_prefix_list_counts_with_its_maximum_number_of_entries(running: Checkout) -> None:
    made = running.aws.client("ec2").create_managed_prefix_list(
        PrefixListName="all", MaxEntries=60, AddressFamily="IPv4"
    )
    running.set("security.egress_cidrs", ["52.94.0.0/16", made["PrefixList"]["PrefixListId"]])
    run = running.administer("provision", "--plan").expect(0)
    assert "counts as 61 rules" in run.err
    run = running.administer("provision").expect(1, "stack-not-changed")
    assert "maximum number of rules" in run.err


def test_private_ranges_alone_lead_to_no_public_registry(new: Checkout) -> None:
    new.set("security.egress_cidrs", ["10.0.0.0/8"])
    new.administer("provision").expect(2, "network-egress").expect_no_change()
