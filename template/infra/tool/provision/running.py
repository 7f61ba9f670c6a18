"""The revisions of the service's deployments, and the resources that their tasks use."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.tool.api_model import Json
from infra.tool.aws_errors import tolerating
from infra.tool.lookup import read_service
from infra.tool.revision import read_revision
from infra.tool.target import Target
from infra.tool.text import last_part

# Members of DescribeServices that name what its tasks use, beside the network of each deployment.
NAMED_BY_SERVICE = ("clusterArn", "loadBalancers", "serviceRegistries")


@dataclass(frozen=True)
class Running:
    task_definitions: Mapping[str, Json] = field(default_factory=dict)  # by FAMILY:N
    service: Mapping[str, Any] = field(default_factory=dict)  # as DescribeServices answers

    @property
    def networks(self) -> list[Json]:
        """Of every deployment that has tasks, or is to have some."""
        return [
            each.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
            for each in self.service.get("deployments", [])
            if any(each.get(f"{number}Count", 0) for number in ("desired", "running", "pending"))
        ]

    @property
    def has_tasks(self) -> bool:
        return bool(self.networks)

    @property
    def subnets(self) -> frozenset[str]:
        return frozenset(subnet for each in self.networks for subnet in each.get("subnets", []))

    @property
    def security_groups(self) -> frozenset[str]:
        return frozenset(id for each in self.networks for id in each.get("securityGroups", []))

    @property
    def public_ip(self) -> bool:
        """Whether a task has a public address."""
        return any(each.get("assignPublicIp") == "ENABLED" for each in self.networks)

    @property
    def execute_command(self) -> bool:
        """Whether ECS Exec is on."""
        return bool(self.service.get("enableExecuteCommand"))

    @property
    def target_groups(self) -> list[str]:
        """ARNs."""
        found: list[Json] = self.service.get("loadBalancers", [])
        return [each["targetGroupArn"] for each in found if "targetGroupArn" in each]

    @property
    def named(self) -> frozenset[str]:
        """Physical ids of everything that the service and its revisions name."""
        if not self.has_tasks:
            return frozenset()
        of_service = [self.service.get(member) for member in NAMED_BY_SERVICE]
        revisions = [
            {name: value for name, value in each.items() if name != "registeredBy"}
            for each in self.task_definitions.values()
        ]
        everything = [self.networks, of_service, revisions]
        return frozenset(id for text in texts(everything) for id in ids(text))


def read(target: Target) -> Running:
    """Empty if the service or its cluster does not exist. Raises AwsError."""
    service = None
    with tolerating("ClusterNotFoundException"):
        service = read_service(target.aws, target.settings.names)
    if service is None or service.is_draining:
        return Running()
    # While a deployment is in progress, ECS may roll back to the revision before.
    arns = dict.fromkeys(each.task_definition for each in service.deployments)
    revisions = [read_revision(target.aws, arn) for arn in arns]
    return Running({each.name: each.task_definition for each in revisions}, service.answer)


def read_used(target: Target, now: Running) -> frozenset[str]:
    """Physical ids of everything that running tasks use: what the service and its revisions name,
    and the load balancers before its target groups, with their network. Raises AwsError."""
    found = set(now.named)
    with tolerating("TargetGroupNotFound", "LoadBalancerNotFound"):
        for balancer in read_load_balancers(target, now.target_groups):
            zones = balancer.get("AvailabilityZones", [])
            found |= {balancer["LoadBalancerArn"], balancer.get("VpcId", "")}
            found |= {*balancer.get("SecurityGroups", [])}
            found |= {zone["SubnetId"] for zone in zones if "SubnetId" in zone}
    return frozenset(found - {""})


def read_load_balancers(target: Target, target_groups: list[str]) -> Iterator[Mapping[str, Any]]:
    """Those before some target groups. Raises AwsError."""
    elbv2 = target.aws.elbv2
    if not target_groups:  # the API takes no ARN for all
        return
    pages = elbv2.get_paginator("describe_target_groups").paginate(TargetGroupArns=target_groups)
    groups = [group for page in pages for group in page["TargetGroups"]]
    if arns := [arn for group in groups for arn in group.get("LoadBalancerArns", [])]:
        answers = elbv2.get_paginator("describe_load_balancers").paginate(LoadBalancerArns=arns)
        for answer in answers:
            yield from answer["LoadBalancers"]


# --- pure ---


def texts(value: object) -> Iterator[str]:
    """Every string in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from texts(member)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def ids(text: str) -> Iterator[str]:
    """The physical ids that CloudFormation may have for what a string names: the string itself, and
    the name in an ARN or in the address of an image."""
    yield text
    if not text.startswith("arn:"):
        yield re.split("[@:]", text.partition("/")[2])[0]  # REGISTRY/REPOSITORY@DIGEST
        return
    yield last_part(text)
    *place, resource = text.split(":", 5)
    yield ":".join([*place, *resource.split(":")[:2]])  # a secret, without the key in it
    if ":s3:" in text:
        yield resource.partition("/")[0]  # the bucket of an object
    if resource.startswith("parameter/"):
        name = resource.removeprefix("parameter/")
        yield from (name, f"/{name}")
