"""Requests for a service that ECS refuses.

From the ECS API Reference and Developer Guide, where no other source is named.
"""

from dataclasses import dataclass
from typing import Any

from simulator import quotas
from simulator.ecs import alarm_watch, pauses, strategies
from simulator.iam import SERVICE_LINKED_ROLES, Iam
from simulator.policies import Need
from simulator.refusal import Refused
from simulator.service import World

Json = dict[str, Any]

SERVICE_ROLE = SERVICE_LINKED_ROLES["ecs.amazonaws.com"]


def invalid(message: str) -> Refused:
    return Refused("InvalidParameterException", message)


@dataclass
class ServiceChecks:
    """Each raises Refused, or NotImplementedError for what is not simulated."""

    world: World
    describe_alarms: alarm_watch.Describe

    def check_service_role(self) -> None:
        """ECS creates its role if the caller may; else it must exist: "Using service-linked
        roles for Amazon ECS"."""
        try:
            self.world.account.moto("iam", "GetRole", {"RoleName": SERVICE_ROLE})
        except Refused:
            rest = f"role/aws-service-role/ecs.amazonaws.com/{SERVICE_ROLE}"
            role = self.world.account.arn("iam", rest, region="")
            may = Need("iam:CreateServiceLinkedRole", role)
            try:
                self.world.principals.check(self.world.caller, [may])
            except Refused:
                raise invalid(
                    "Unable to assume the service linked role. Please verify that the ECS service "
                    "linked role exists."
                ) from None
            Iam(self.world).create_service_linked_role({"AWSServiceName": "ecs.amazonaws.com"})

    def check_settings(self, settings: Json, task_definition: Json) -> None:
        if task_definition.get("networkMode") == "awsvpc":
            self._check_network(settings.get("networkConfiguration", {}))
        for target in settings.get("loadBalancers", []):
            self._check_target(target, task_definition)
        strategies.check(settings)
        limits = settings.get("deploymentConfiguration", {})
        pauses.check(limits.get("lifecycleHooks", []))
        alarm_watch.check(limits.get("alarms", alarm_watch.OFF), self.describe_alarms)
        most = limits.get("maximumPercent", 200)
        if settings.get("availabilityZoneRebalancing") == "ENABLED" and most <= 100:
            raise invalid(
                "maximumPercent must be greater than 100 when availabilityZoneRebalancing is "
                "ENABLED."
            )
        if most <= 100 and limits.get("minimumHealthyPercent", 100) >= 100:
            raise invalid(
                "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block "
                "deployments."
            )
        unknown = limits.get("deploymentCircuitBreaker", {}).keys() - {"enable", "rollback"}
        if unknown:
            raise NotImplementedError(f"{sorted(unknown)} of a circuit breaker")

    def _check_network(self, network: Json) -> None:
        vpc = network.get("awsvpcConfiguration")
        if not vpc:
            raise invalid(
                "Network Configuration must be provided when networkMode 'awsvpc' is specified."
            )
        quotas.check_network(vpc)
        for kind, ask, ids in (
            ("subnet", "DescribeSubnets", {"SubnetIds": vpc["subnets"]}),
            (
                "security group",
                "DescribeSecurityGroups",
                {"GroupIds": vpc.get("securityGroups", [])},
            ),
        ):
            try:
                if all(ids.values()):
                    self.world.account.moto("ec2", ask, ids)
            except Refused as missing:
                named = ", ".join(*ids.values())
                raise invalid(
                    f"Error retrieving {kind} information for [{named}]: {missing.message} "
                    f"(ErrorCode: {missing.code})"
                ) from missing

    def _check_target(self, target: Json, task_definition: Json) -> None:
        name, port = target["containerName"], target["containerPort"]
        containers = {c["name"]: c for c in task_definition["containerDefinitions"]}
        if name not in containers:
            raise invalid(f"The container {name} does not exist in the task definition.")
        ports = [mapping["containerPort"] for mapping in containers[name].get("portMappings", [])]
        if port not in ports:
            raise invalid(f"The container {name} did not have a container port {port} defined.")
        arn = target["targetGroupArn"]
        try:
            asked = {"TargetGroupArns": [arn]}
            (group,) = self.world.account.moto("elbv2", "DescribeTargetGroups", asked)[
                "TargetGroups"
            ]
        except Refused as missing:
            raise invalid(f"The specified target group does not exist: {arn}") from missing
        if not group.get("LoadBalancerArns"):
            raise invalid(f"The target group with targetGroupArn {arn} does not have an associated "
                          "load balancer.")  # fmt: skip
        if group.get("TargetType") != "ip":
            raise invalid(
                f"The provided target group {arn} has target type {group.get('TargetType')}, which "
                "is incompatible with the awsvpc network mode specified in the task definition."
            )
