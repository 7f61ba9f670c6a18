"""Clients reach the tasks only through the load balancer."""

from typing import Any

from infra.tool.shapes import MOST_EGRESS_LISTS, MOST_EGRESS_RANGES, MOST_RANGES

from simulator.cloudformation.template import Stack
from tests.stack.invariants.invariant import invariant
from tests.stack.rendered_service import RenderedService, has_certificate
from tests.stack.switches import IPV4, IPV6, LISTS

OPEN = "0.0.0.0/0"


def rules(stack: Stack, group: str, direction: str) -> list[dict[str, Any]]:
    """The rules of a security group, inside it or as resources of their own, as comparable."""
    inside = stack.resources[group].properties.get(f"SecurityGroup{direction}", [])
    beside = [
        resource.properties
        for resource in stack.of_type(f"AWS::EC2::SecurityGroup{direction}")
        if resource.properties["GroupId"] == f"sg-{group}"
    ]
    left_out = {"Description", "GroupId"}
    return [
        {key: value for key, value in rule.items() if key not in left_out}
        for rule in [*inside, *beside]
    ]


def port(number: int, **peer: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": number, "ToPort": number, **peer}


def admitted(stack: Stack) -> list[dict[str, str]]:
    """The clients that the load balancer admits, as members of a security group rule."""
    ranges = "AllowedIpv4", "AllowedIpv6"
    allowed = [
        {"SourcePrefixListId": f"pl-{name}"} for name in ranges if stack.parameters[f"{name}Cidrs"]
    ]
    return allowed or [{"CidrIp": OPEN}]


@invariant
def allowed_clients_reach_the_load_balancer_on_80_and_with_a_certificate_on_443(
    service: RenderedService,
) -> None:
    for stack in service.stacks:
        secure = has_certificate(stack)
        listened = [80, 443] if secure else [80]
        expected = [port(number, **source) for number in listened for source in admitted(stack)]
        assert rules(stack, "LoadBalancerSecurityGroup", "Ingress") == expected, (
            "open are the ports that the load balancer listens on, and no other"
        )
        listeners = stack.of_type("AWS::ElasticLoadBalancingV2::Listener")
        assert sorted(each.properties["Port"] for each in listeners) == listened


@invariant
def every_allowed_range_is_an_entry_of_its_prefix_list(service: RenderedService) -> None:
    for version, ranges in (4, IPV4), (6, IPV6):
        name = f"AllowedIpv{version}"
        for count in range(1, len(ranges) + 1):
            stack = service.stack(**{f"{name}Cidrs": ",".join(ranges[:count])})
            found = stack.resources[name].properties
            assert [each["Cidr"] for each in found["Entries"]] == ranges[:count]
            assert found["AddressFamily"] == f"IPv{version}"


@invariant
def the_allowed_ranges_fit_into_a_security_group(service: RenderedService) -> None:
    """A rule counts as the most entries of its prefix list, and there are rules for two ports."""
    resources = service.variants["all"].resources
    for version, most in MOST_RANGES.items():
        found = resources[f"AllowedIpv{version}"].properties["MaxEntries"]
        assert found == most, "infra/tool/shapes.py refuses more than that"
        assert 2 * found <= 60, "Amazon VPC quotas: 60 inbound rules of each IP version"


def task_groups(stack: Stack) -> list[str]:
    """The security groups of tasks; the last one is for the next of them."""
    limited = "LimitedTaskSecurityGroup"
    return ["TaskSecurityGroup", *([limited] if stack.there(limited) else [])]


@invariant
def the_load_balancer_reaches_the_tasks_and_nothing_else(service: RenderedService) -> None:
    for stack in service.stacks:
        to_tasks = [
            port(service.port, DestinationSecurityGroupId=f"sg-{group}")
            for group in task_groups(stack)
        ]
        assert rules(stack, "LoadBalancerSecurityGroup", "Egress") == to_tasks


@invariant
def only_the_load_balancer_reaches_the_tasks(service: RenderedService) -> None:
    for stack in service.stacks:
        from_balancer = [port(service.port, SourceSecurityGroupId="sg-LoadBalancerSecurityGroup")]
        for group in task_groups(stack):
            assert rules(stack, group, "Ingress") == from_balancer, (
                "tasks admit the load balancer's group, on the container's port"
            )
        assert stack.outputs["TaskSecurityGroupId"] == f"sg-{task_groups(stack)[-1]}"


@invariant
def the_tasks_can_reach_every_address(service: RenderedService) -> None:
    for stack in service.stacks:
        everywhere = [{"IpProtocol": "-1", "CidrIp": OPEN}]
        assert rules(stack, "TaskSecurityGroup", "Egress") == everywhere


@invariant
def limited_tasks_reach_what_is_listed_and_nothing_else(service: RenderedService) -> None:
    for count in range(1, MOST_EGRESS_RANGES + 1):
        stack = service.stack(EgressCidrs=",".join(IPV4[:count]), LimitEgress="true")
        expected = [{"IpProtocol": "-1", "CidrIp": each} for each in IPV4[:count]]
        assert rules(stack, "LimitedTaskSecurityGroup", "Egress") == expected
        assert stack.outputs["TaskSecurityGroupId"] == "sg-LimitedTaskSecurityGroup"
    for count in range(1, MOST_EGRESS_LISTS + 1):
        stack = service.stack(EgressPrefixLists=",".join(LISTS[:count]))
        expected = [{"IpProtocol": "-1", "DestinationPrefixListId": each} for each in LISTS[:count]]
        assert rules(stack, "LimitedTaskSecurityGroup", "Egress") == expected
        assert stack.outputs["TaskSecurityGroupId"] == "sg-TaskSecurityGroup", (
            "the group is only kept for tasks that are in it"
        )


@invariant
def everything_is_in_the_one_network(service: RenderedService) -> None:
    for stack in service.stacks:
        for name in "LoadBalancerSecurityGroup", "TaskSecurityGroup", "TargetGroup":
            assert stack.resources[name].properties["VpcId"] == stack.given["VpcId"]
        balancer = stack.resources["LoadBalancer"].properties
        assert balancer["Subnets"] == stack.given["SubnetIds"].split(",")
        assert balancer["SecurityGroups"] == ["sg-LoadBalancerSecurityGroup"]
        assert balancer["Type"] == "application"
        assert balancer["Scheme"] == stack.given["LoadBalancerScheme"]
        tasks = stack.given.get("TaskSubnetIds") or stack.given["SubnetIds"]
        assert stack.outputs["SubnetIds"] == tasks
        assert stack.outputs["AssignPublicIp"] == stack.given["AssignPublicIp"]
