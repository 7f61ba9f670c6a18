"""Requests that AWS refuses and moto accepts: here, too, a command that sends one must fail."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator.fixtures import Ground, policy

Json = dict[str, Any]


def refused(code: str, message: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\).*{message}")


WRONG_DEFINITIONS: dict[str, tuple[Json, str]] = {
    "size": ({"cpu": "300"}, "No Fargate configuration exists for given values"),
    "memory": ({"memory": "8192"}, "No Fargate configuration exists for given values"),
    "network": ({"networkMode": "bridge"}, "only supports network mode 'awsvpc'"),
    "no execution role": ({"executionRoleArn": ""}, "to have execution role ARN"),
    "no containers": ({"containerDefinitions": []}, "Container list cannot be empty"),
}
WRONG_CONTAINERS: dict[str, tuple[Json, str]] = {
    "not essential": ({"essential": False}, "at least one essential container"),
    "no image": ({"image": ""}, "image should not be null or empty"),
    "no such port": ({"portMappings": [{"containerPort": 99999}]}, "Invalid 'containerPort'"),
    "host port": (
        {"portMappings": [{"containerPort": 8080, "hostPort": 80}]},
        "host ports and container ports in port mappings must match",
    ),
    "hasty health check": (
        {"healthCheck": {"command": ["CMD", "x"], "interval": 1}},
        "interval must be between 5 and 300",
    ),
    "late stop": ({"stopTimeout": 999}, "stopTimeout must be between 2 and 120"),
    "no log group": (
        {"logConfiguration": {"logDriver": "awslogs", "options": {}}},
        "requires options: awslogs-group",
    ),
}


@pytest.mark.parametrize("mistake", [*WRONG_DEFINITIONS, *WRONG_CONTAINERS])
def test_fargate_refuses_wrong_task_definitions(ground: Ground, mistake: str) -> None:
    definition = ground.definition()
    if mistake in WRONG_DEFINITIONS:
        change, message = WRONG_DEFINITIONS[mistake]
        definition |= change
    else:
        change, message = WRONG_CONTAINERS[mistake]
        definition["containerDefinitions"][0] |= change
    with refused("ClientException", message):
        ground.aws.client("ecs").register_task_definition(**definition)


def test_the_newest_revision_is_listed_first_on_request(ground: Ground) -> None:
    arns = [ground.register() for _ in range(11)]
    ecs = ground.aws.client("ecs")
    newest = ecs.list_task_definitions(familyPrefix="app", sort="DESC", maxResults=2)
    assert newest["taskDefinitionArns"] == [arns[10], arns[9]]
    pages = ecs.get_paginator("list_task_definitions").paginate(PaginationConfig={"PageSize": 3})
    assert [arn for page in pages for arn in page["taskDefinitionArns"]] == arns


def test_a_revision_that_is_inactive_cannot_be_rolled_out(ground: Ground) -> None:
    ground.serving()
    later = ground.register()
    ecs = ground.aws.client("ecs")
    ecs.deregister_task_definition(taskDefinition=later)
    assert (
        ecs.describe_task_definition(taskDefinition=later)["taskDefinition"]["status"] == "INACTIVE"
    )
    with refused("ClientException", "TaskDefinition is inactive"):
        ecs.update_service(cluster="cluster", service="app", taskDefinition=later)
    with refused("ClientException", "TaskDefinition not found"):
        ecs.update_service(cluster="cluster", service="app", taskDefinition="app:99")


def target(ground: Ground, **changes: Any) -> Json:
    return {"loadBalancers": [ground.settings["loadBalancers"][0] | changes]}


def test_a_service_that_could_not_run_is_refused(ground: Ground) -> None:
    lone = ground.aws.client("elbv2").create_target_group(
        Name="lone", Protocol="HTTP", Port=80, VpcId=ground.vpc, TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    deadlock = {"maximumPercent": 100, "minimumHealthyPercent": 100}
    for change, message in (
        ({"networkConfiguration": {}}, "Network Configuration must be provided"),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0"]}}},
            r"The subnet ID 'subnet-0' does not exist.*InvalidSubnetID.NotFound",
        ),
        (
            target(ground, containerName="web"),
            "container web does not exist in the task definition",
        ),
        (target(ground, containerPort=80), "did not have a container port 80 defined"),
        (target(ground, targetGroupArn=ground.target_group + "0"), "target group does not exist"),
        (target(ground, targetGroupArn=lone), "does not have an associated load balancer"),
        ({"deploymentConfiguration": deadlock}, "cannot be 100 as this will block deployments"),
        (
            {
                "deploymentConfiguration": deadlock | {"minimumHealthyPercent": 50},
                "availabilityZoneRebalancing": "ENABLED",
            },
            "maximumPercent must be greater than 100",
        ),
    ):
        with refused("InvalidParameterException", message):
            ground.create_service(**change)
    ground.create_service()
    with refused("InvalidParameterException", "Creation of service was not idempotent"):
        ground.create_service()


def test_a_service_needs_the_service_linked_role_of_ecs(ground: Ground) -> None:
    ground.role("deploy", {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"})
    ground.allow("deploy", {"Effect": "Allow", "Action": "ecs:CreateService", "Resource": "*"})
    ecs = ground.client("ecs", "role/deploy")
    wanted = ground.settings | {"taskDefinition": ground.register()}
    with refused("InvalidParameterException", "Unable to assume the service linked role"):
        ecs.create_service(**wanted)
    iam = ground.aws.client("iam")
    iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    ecs.create_service(**wanted)
    role = iam.get_role(RoleName="AWSServiceRoleForECS")["Role"]
    assert role["Arn"].endswith(":role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")
    with refused("InvalidInput", "has been taken in this account"):
        iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")


def test_a_service_is_described_as_it_was_created(ground: Ground) -> None:
    asked: Json = {
        "healthCheckGracePeriodSeconds": 60,
        "availabilityZoneRebalancing": "ENABLED",
        "propagateTags": "SERVICE",
    }
    service = ground.create_service(**asked)
    assert {key: service[key] for key in asked} == asked
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"] is True
    assert service["loadBalancers"] == ground.settings["loadBalancers"]


def test_a_subnet_that_does_not_exist_is_named_among_those_that_do(ground: Ground) -> None:
    with pytest.raises(ClientError, match="The subnet ID 'subnet-0' does not exist"):
        ground.aws.client("ec2").describe_subnets(SubnetIds=[*ground.subnets, "subnet-0"])


def test_a_load_balancer_needs_two_zones(ground: Ground) -> None:
    balancing, ec2 = ground.aws.client("elbv2"), ground.aws.client("ec2")
    with refused("ValidationError", "At least two subnets"):
        balancing.create_load_balancer(Name="one", Subnets=ground.subnets[:1])
    (first,) = ec2.describe_subnets(SubnetIds=ground.subnets[:1])["Subnets"]
    other = ec2.create_subnet(
        VpcId=ground.vpc,
        CidrBlock="172.31.240.0/24",
        AvailabilityZone=first["AvailabilityZone"],
    )["Subnet"]["SubnetId"]
    with refused("InvalidConfigurationRequest", "in the same Availability Zone"):
        balancing.create_load_balancer(Name="same", Subnets=[first["SubnetId"], other])


def test_an_internet_facing_load_balancer_needs_an_internet_gateway(ground: Ground) -> None:
    balancing, ec2 = ground.aws.client("elbv2"), ground.aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zone)
        for n, zone in enumerate(["us-east-1a", "us-east-1b"])
    ]
    subnets = [subnet["Subnet"]["SubnetId"] for subnet in made]
    with refused("InvalidSubnet", f"VPC {vpc} has no internet gateway"):
        balancing.create_load_balancer(Name="shut", Subnets=subnets)
    balancing.create_load_balancer(Name="inside", Subnets=subnets, Scheme="internal")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    balancing.create_load_balancer(Name="open", Subnets=subnets)


def test_only_the_offered_retention_periods_are_accepted(ground: Ground) -> None:
    logs = ground.aws.client("logs")
    logs.put_retention_policy(logGroupName="/ecs/app", retentionInDays=30)
    with refused("InvalidParameterException", "retention"):
        logs.put_retention_policy(logGroupName="/ecs/app", retentionInDays=31)
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 30


def test_deletion_protection_of_a_load_balancer(ground: Ground) -> None:
    balancing = ground.aws.client("elbv2")
    [balancer] = balancing.create_load_balancer(Name="kept", Subnets=ground.subnets[:2])[
        "LoadBalancers"
    ]
    arn = {"LoadBalancerArn": balancer["LoadBalancerArn"]}
    key = "deletion_protection.enabled"
    balancing.modify_load_balancer_attributes(**arn, Attributes=[{"Key": key, "Value": "true"}])
    with refused("OperationNotPermitted", "deletion protection is enabled"):
        balancing.delete_load_balancer(**arn)
    balancing.modify_load_balancer_attributes(**arn, Attributes=[{"Key": key, "Value": "false"}])
    balancing.delete_load_balancer(**arn)
    balancing.delete_load_balancer(**arn)  # one that does not exist is no error


def test_deletion_protection_of_a_log_group(ground: Ground) -> None:
    logs = ground.aws.client("logs")
    logs.put_log_group_deletion_protection(
        logGroupIdentifier="/ecs/app", deletionProtectionEnabled=True
    )
    assert logs.describe_log_groups()["logGroups"][0]["deletionProtectionEnabled"] is True
    with refused("ValidationException", "protection"):
        logs.delete_log_group(logGroupName="/ecs/app")
    logs.put_log_group_deletion_protection(
        logGroupIdentifier="/ecs/app", deletionProtectionEnabled=False
    )
    logs.delete_log_group(logGroupName="/ecs/app")
    assert logs.describe_log_groups()["logGroups"] == []


def test_scaling_needs_an_existing_service_and_valid_bounds(ground: Ground) -> None:
    scaling = ground.aws.client("application-autoscaling")
    where = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/cluster/app",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    policy = where | {"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"}
    with refused("ObjectNotFoundException", ""):
        scaling.deregister_scalable_target(**where)
    with refused("ObjectNotFoundException", ""):
        scaling.delete_scaling_policy(**where, PolicyName="cpu")
    with refused("ObjectNotFoundException", ""):
        scaling.put_scaling_policy(**policy)
    with refused("ValidationException", ""):
        scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=4)
    ground.create_service()
    with refused("ValidationException", "Maximum capacity cannot be less than minimum"):
        scaling.register_scalable_target(**where, MinCapacity=4, MaxCapacity=1)
    scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=4)
    scaling.put_scaling_policy(**policy)
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert target["RoleARN"].endswith("/AWSServiceRoleForApplicationAutoScaling_ECSService")


@pytest.mark.parametrize(("kind", "quota"), [("user", 2048), ("role", 10240), ("group", 5120)])
def test_the_inline_policies_of_a_principal_are_limited_together(
    ground: Ground, kind: str, quota: int
) -> None:
    iam, who = ground.aws.client("iam"), {f"{kind.title()}Name": "them"}
    trust = {"AssumeRolePolicyDocument": policy()} if kind == "role" else {}
    getattr(iam, f"create_{kind}")(**who, **trust)
    put = getattr(iam, f"put_{kind}_policy")

    def document(size: int) -> str:
        """White space does not count."""
        statement = {"Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*", "Sid": ""}
        text = policy(statement)
        missing = size - len("".join(text.split()))
        return policy(statement | {"Sid": "a" * missing}) + " " * 99

    put(**who, PolicyName="one", PolicyDocument=document(quota))
    with refused("LimitExceeded", f"{quota} bytes exceeded for {kind} them"):
        put(**who, PolicyName="two", PolicyDocument=document(150))
    put(**who, PolicyName="one", PolicyDocument=document(quota - 150))
    put(**who, PolicyName="two", PolicyDocument=document(150))
