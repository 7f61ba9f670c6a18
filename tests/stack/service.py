"""A rendered service as the invariants see it: its stack under every switch, and its files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rendering import Render

from simulator.template import Place, Stack, load

# What feeds the parameters of the stack: settings as they stand, ...
SETTING = {
    "AppName": "APP_NAME",
    "RepositoryName": "ECR_REPOSITORY",
    "LogGroupName": "LOG_GROUP",
    "LogRetentionDays": "LOG_RETENTION_DAYS",
    "ClusterName": "ECS_CLUSTER",
    "ServiceName": "ECS_SERVICE",
    "ExecutionRoleName": "EXECUTION_ROLE",
    "SecretsKeyArn": "SECRETS_KMS_KEY_ARN",
    "TaskRoleName": "TASK_ROLE",
    "Tracing": "TRACING",
    "DeployRoleName": "DEPLOY_ROLE",
    "GitHubSubject": "GITHUB_SUBJECT",
    "VpcId": "VPC_ID",
    "SubnetIds": "SUBNET_IDS",
    "TaskSubnetIds": "TASK_SUBNET_IDS",
    "AssignPublicIp": "ASSIGN_PUBLIC_IP",
    "DomainName": "DOMAIN_NAME",
    "CertificateArn": "CERTIFICATE_ARN",
    "AlarmTopicArn": "ALARM_TOPIC_ARN",
}
# ... settings that become ARNs, and the secrets of the task definition.
SETTING_OF_ARNS = {"BedrockModelArns": "BEDROCK_MODELS", "S3BucketArns": "S3_READ_BUCKETS"}
SECRETS = {"SecretArns", "ParameterArns"}

# What a person finds out where the settings are empty.
FOUND = {
    "GITHUB_SUBJECT": "repo:my-company@1/ai-assistant@2:ref:refs/heads/main",
    "VPC_ID": "vpc-0000000a",
    "SUBNET_IDS": "subnet-0000000a,subnet-0000000b",
}

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf"
PARAMETERS = [
    "arn:aws:ssm:us-east-1:123456789012:parameter/one",
    "arn:aws:ssm:us-east-1:123456789012:parameter/two/three",
]
KEY = "arn:aws:kms:us-east-1:123456789012:key/0a"
MODELS = [
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4",
    "arn:aws:bedrock:*::foundation-model/anthropic.claude-opus-4",
]
BUCKETS = ["arn:aws:s3:::first", "arn:aws:s3:::second"]
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0a"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"

# Each turns one thing on.
SWITCHES: dict[str, dict[str, str]] = {
    "secrets": {"SecretArns": SECRET},
    "parameters": {"ParameterArns": ",".join(PARAMETERS)},
    "key": {"SecretsKeyArn": KEY},
    "models": {"BedrockModelArns": ",".join(MODELS)},
    "buckets": {"S3BucketArns": ",".join(BUCKETS)},
    "tracing": {"Tracing": "xray"},
    "private tasks": {
        "TaskSubnetIds": "subnet-0000000c",
        "AssignPublicIp": "DISABLED",
    },
    "domain": {"DomainName": "api.example.com"},
    "certificate": {"CertificateArn": CERTIFICATE, "DomainName": "api.example.com"},
    "topic": {"AlarmTopicArn": TOPIC},
}
ALL = {name: value for switch in SWITCHES.values() for name, value in switch.items()}


@dataclass(frozen=True)
class Service:
    render: Render

    @cached_property
    def settings(self) -> dict[str, str]:
        return self.render.settings()

    @cached_property
    def template(self) -> dict[str, Any]:
        return load(self.render.text("infra/stack.yml"))

    @cached_property
    def task(self) -> Any:
        return self.render.json("infra/task-definition.json")

    @cached_property
    def container(self) -> Any:
        name = self.settings["CONTAINER_NAME"]
        return next(c for c in self.task["containerDefinitions"] if c["name"] == name)

    @cached_property
    def port(self) -> int:
        [mapping] = self.container["portMappings"]
        return int(mapping["containerPort"])

    def gunicorn(self, name: str) -> int:
        """A number that gunicorn.conf.py sets. It is read, not run: it would import the app."""
        [number] = re.findall(rf"^{name} = (\d+)$", self.render.text("gunicorn.conf.py"), re.M)
        return int(number)

    @cached_property
    def place(self) -> Place:
        names = "AWS_PARTITION", "AWS_REGION", "AWS_ACCOUNT_ID"
        return Place(*(self.settings[name] for name in names))

    def stack(self, **changed: str) -> Stack:
        """The stack that the settings make, with some parameters changed."""
        given = {
            parameter: self.settings[setting] or FOUND.get(setting, "")
            for parameter, setting in SETTING.items()
        }
        return Stack(self.template, given | changed, self.place)

    @cached_property
    def variants(self) -> dict[str, Stack]:
        """Nothing on, each switch alone, all at once."""
        alone = {name: self.stack(**switch) for name, switch in SWITCHES.items()}
        return {"nothing": self.stack(), **alone, "all": self.stack(**ALL)}

    @property
    def stacks(self) -> Iterator[Stack]:
        return iter(self.variants.values())

    def load_balancer(self, key: str) -> str:
        """An attribute of the load balancer or of its target group."""
        resources = self.stack().resources
        attributes = [
            *resources["LoadBalancer"].properties["LoadBalancerAttributes"],
            *resources["TargetGroup"].properties["TargetGroupAttributes"],
        ]
        found = [str(each["Value"]) for each in attributes if each["Key"] == key]
        assert len(found) == 1, f"infra/stack.yml sets {key} once"
        return found[0]


def grants(stack: Stack, role: str) -> dict[str, list[str]]:
    """What a role of the stack may do: the resources of each action, whatever the conditions."""
    name = stack.resources[role].properties["RoleName"]
    allowed: dict[str, list[str]] = {}
    for policy in stack.of_type("AWS::IAM::RolePolicy"):
        if policy.properties["RoleName"] != name:
            continue
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            keys = statement.keys() - {"Condition"}
            assert keys == {"Sid", "Effect", "Action", "Resource"}, statement
            assert statement["Effect"] == "Allow"
            for action in as_list(statement["Action"]):
                assert action not in allowed, f"{action} is granted twice"
                allowed[action] = as_list(statement["Resource"])
    return allowed


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def strings(value: Any) -> Iterator[str]:
    """Every string in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)


def arns(stack: Stack) -> set[str]:
    """Every ARN that a stack asks AWS for or gives out."""
    resources = [resource.properties for resource in stack.resources.values()]
    found = strings([*resources, stack.outputs])
    return {text for text in found if re.match(r"arn:", text)}
