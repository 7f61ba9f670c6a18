"""A cluster and everything that a service in it needs, created by calls instead of a stack."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config

from simulator.api_models import plain_session
from simulator.simulation import SimulatedAws

Json = dict[str, Any]

TRUST: Json = {
    "Effect": "Allow",
    "Principal": {"Service": "ecs-tasks.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:ecs:us-east-1:123456789012:*"},
    },
}
STARTS_TASKS: Json = {
    "Effect": "Allow",
    "Action": [
        *("ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"),
        *("logs:CreateLogStream", "logs:PutLogEvents"),
    ],
    "Resource": "*",
}


def policy(*statements: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@dataclass
class Ground:
    """It starts with a cluster, a repository with one image, a log group, an execution role, and a
    load balancer with a target group."""

    aws: SimulatedAws
    settings: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        client = self.aws.client
        client("ecs").create_cluster(clusterName="cluster")
        client("ecr").create_repository(repositoryName="app", imageTagMutability="IMMUTABLE")
        client("logs").create_log_group(logGroupName="/ecs/app")
        self.role("execution", TRUST, STARTS_TASKS)
        self.image = self.push("first")
        subnets = client("ec2").describe_subnets()["Subnets"]
        self.subnets = [subnet["SubnetId"] for subnet in subnets[:2]]
        self.vpc = subnets[0]["VpcId"]
        self._balance()
        self.settings = {
            "cluster": "cluster",
            "serviceName": "app",
            "desiredCount": 1,
            "launchType": "FARGATE",
            "networkConfiguration": {
                "awsvpcConfiguration": {"subnets": self.subnets, "assignPublicIp": "ENABLED"}
            },
            "loadBalancers": [
                {
                    "targetGroupArn": self.target_group,
                    "containerName": "app",
                    "containerPort": 8080,
                }
            ],
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {"enable": True, "rollback": True}
            },
        }

    def _balance(self) -> None:
        balancing = self.aws.client("elbv2")
        self.target_group = balancing.create_target_group(
            Name="app-tg", Protocol="HTTP", Port=8080, VpcId=self.vpc, TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        (balancer,) = balancing.create_load_balancer(Name="app-alb", Subnets=self.subnets)[
            "LoadBalancers"
        ]
        self.host = balancer["DNSName"]
        balancing.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.target_group}],
        )

    # --- roles, users, and their clients ---

    def role(self, name: str, trust: Json, *statements: Json) -> str:
        iam = self.aws.client("iam")
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
        if statements:
            self.allow(name, *statements)
        return str(made["Role"]["Arn"])

    def allow(self, role: str, *statements: Json) -> None:
        iam = self.aws.client("iam")
        iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=policy(*statements))

    def client(self, service: str, principal: str = "root", *, region: str = "us-east-1") -> Any:
        """A client that sends each request once, over HTTP as the AWS CLI does."""
        given = self.aws.world.principals.credentials(principal)
        return plain_session().create_client(
            service,
            region_name=region,
            endpoint_url=f"http://{self.aws.address}",
            aws_access_key_id=given.access_key,
            aws_secret_access_key=given.secret,
            aws_session_token=given.token or None,
            config=Config(retries={"total_max_attempts": 1}),
        )

    # --- images, revisions, services ---

    def push(self, tag: str) -> str:
        """Put an image into the registry. Returns its name, by digest."""
        host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
        return f"{host}/app@{self.aws.registry.put_image('app', tag)}"

    def definition(self, **changes: Any) -> Json:
        container = {
            "name": "app",
            "image": self.image,
            "portMappings": [{"containerPort": 8080}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/ecs/app",
                    "awslogs-region": "us-east-1",
                    "awslogs-stream-prefix": "ecs",
                },
            },
        }
        return {
            "family": "app",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "containerDefinitions": [container | changes],
        }

    def register(self, **changes: Any) -> str:
        """Register a revision, with changes of its container. Returns its ARN."""
        made = self.aws.client("ecs").register_task_definition(**self.definition(**changes))
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def create_service(self, revision: str = "", **changes: Any) -> Json:
        made = self.aws.client("ecs").create_service(
            **self.settings | {"taskDefinition": revision or self.register()} | changes
        )
        service: Json = made["service"]
        return service

    def serving(self) -> str:
        """Create a service, in steady state with its first revision. Returns the revision's ARN."""
        revision = self.register()
        self.create_service(revision)
        self.watch()
        return revision

    def roll_out(self, **changes: Any) -> Json:
        """Update the service to a new revision. Returns the deployment that this starts."""
        revision = self.register(**changes)
        ecs = self.aws.client("ecs")
        service = ecs.update_service(cluster="cluster", service="app", taskDefinition=revision)
        deployment: Json = service["service"]["deployments"][0]
        return deployment

    def look(self) -> Json:
        """Describe the service, which advances it by one step."""
        found = self.aws.client("ecs").describe_services(cluster="cluster", services=["app"])
        service: Json = found["services"][0]
        return service

    def looks(self, most: int = 30) -> Iterator[Json]:
        """Describe the service repeatedly, more often than a rollout needs to end."""
        for _ in range(most):
            yield self.look()
        raise AssertionError(f"the rollout has not reached the expected state in {most} looks")

    def watch(self, looks: int = 30) -> Json:
        """Describe the service until no deployment is in progress, at most `looks` times."""
        for _ in range(looks):
            service = self.look()
            if all(d["rolloutState"] != "IN_PROGRESS" for d in service["deployments"]):
                return service
        return service

    def stopped_tasks(self) -> list[Json]:
        ecs = self.aws.client("ecs")
        arns = ecs.list_tasks(cluster="cluster", serviceName="app", desiredStatus="STOPPED")
        if not arns["taskArns"]:
            return []
        found: list[Json] = ecs.describe_tasks(cluster="cluster", tasks=arns["taskArns"])["tasks"]
        return found


def says(service: Json) -> list[str]:
    """The events of a service, oldest first."""
    return [event["message"] for event in reversed(service["events"])]
