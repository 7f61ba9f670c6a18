"""A rendered service as the invariants see it: its stack under every switch, and its files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from infra.tool.settings import Settings
from infra.tool.shapes import MOST_EGRESS_LISTS, MOST_RANGES

from simulator.template import Place, Stack, load
from tests.support.rendering import Render
from tests.support.settings import Value, value_of

# What feeds the parameters of the stack: settings as they stand, ...
SETTING = {
    "AppName": "service.name",
    "RepositoryName": "names.repository",
    "LogGroupName": "names.log_group",
    "LogRetentionDays": "logs.retention_days",
    "ClusterName": "names.cluster",
    "ServiceName": "names.service",
    "ExecutionRoleName": "names.execution_role",
    "SecretsKeyArn": "permissions.secrets_key",
    "TaskRoleName": "names.task_role",
    "Tracing": "permissions.tracing",
    "DeployRoleName": "names.deploy_role",
    "GitHubSubject": "github.subject",
    "VpcId": "network.vpc",
    "SubnetIds": "network.subnets",
    "TaskSubnetIds": "tasks.subnets",
    "AssignPublicIp": "tasks.public_ip",
    "DomainName": "https.domain",
    "CertificateArn": "https.certificate",
    "ContainerInsights": "observe.container_insights",
    "AlarmTopicArn": "alarms.topic",
    "PermissionsBoundaryArn": "security.permissions_boundary",
    "RolePath": "security.role_path",
    "LogKeyArn": "security.log_key",
    "RepositoryKeyArn": "security.repository_key",
    "AccessLogsBucket": "security.access_logs_bucket",
    "WebAclArn": "security.web_acl",
}
# ... settings that become ARNs, and what the task definition needs of the execution role.
SETTING_OF_ARNS = {
    "BedrockModelArns": "permissions.bedrock_models",
    "S3BucketArns": "permissions.s3_read_buckets",
}
OF_THE_DOCUMENT = {
    *("SecretArns", "ParameterArns", "FileArns", "FileBucketArns"),
    *("ImageRepositoryArns", "OtherLogGroupArns", "CreatedLogGroupArns"),
}
# ... and those in another form.
SETTING_OF_ADDRESSES = {
    "LoadBalancerScheme": "network.internal",
    "AllowedIpv4Cidrs": "network.allowed_cidrs",
    "AllowedIpv6Cidrs": "network.allowed_cidrs",
}
# ... and what depends on the stack as it is, and is empty by default.
SETTING_OF_SWITCHES = {
    "DeletionProtection": "security.deletion_protection",
    "AccessLogs": "security.access_logs_bucket",
    "EgressCidrs": "security.egress_cidrs",
    "EgressPrefixLists": "security.egress_cidrs",
    "LimitEgress": "security.egress_cidrs",
    "CertificateZoneId": "https.hosted_zone",
    "RecordZoneId": "https.hosted_zone",
    "HstsSeconds": "https.hsts_seconds",
    "DrawDashboard": "observe.dashboard",
}

# What a person finds out where the settings are empty.
FOUND = {
    "github.subject": "repo:my-company@1/ai-assistant@2:ref:refs/heads/main",
    "network.vpc": "vpc-0000000a",
    "network.subnets": "subnet-0000000a,subnet-0000000b",
}

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf"
PARAMETERS = [
    "arn:aws:ssm:us-east-1:123456789012:parameter/one",
    "arn:aws:ssm:us-east-1:123456789012:parameter/two/three",
]
FILE, FILE_BUCKET = "arn:aws:s3:::files/app.env", "arn:aws:s3:::files"
OTHER_IMAGE = "arn:aws:ecr:eu-west-1:210987654321:repository/agent"
OTHER_LOG = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/agent:*"
KEY = "arn:aws:kms:us-east-1:123456789012:key/0a"
MODELS = [
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4",
    "arn:aws:bedrock:*::foundation-model/anthropic.claude-opus-4",
]
BUCKETS = ["arn:aws:s3:::first", "arn:aws:s3:::second"]
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0a"
WEB_ACL = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/company/0a"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
ZONE = "Z0123456789ABCDEFGHIJ"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
IPV4 = [f"203.0.{number}.0/24" for number in range(MOST_RANGES[4])]
LISTS = [f"pl-0000000{number}" for number in range(MOST_EGRESS_LISTS)]
IPV6 = [f"2001:db8:{number:x}::/48" for number in range(1, MOST_RANGES[6] + 1)]

# Each turns one thing on.
SWITCHES: dict[str, dict[str, str]] = {
    "secrets": {"SecretArns": SECRET},
    "parameters": {"ParameterArns": ",".join(PARAMETERS)},
    "files": {"FileArns": FILE, "FileBucketArns": FILE_BUCKET},
    "other images": {"ImageRepositoryArns": OTHER_IMAGE},
    "other logs": {"OtherLogGroupArns": OTHER_LOG},
    "new logs": {"CreatedLogGroupArns": OTHER_LOG},
    "key": {"SecretsKeyArn": KEY},
    "models": {"BedrockModelArns": ",".join(MODELS)},
    "buckets": {"S3BucketArns": ",".join(BUCKETS)},
    "tracing": {"Tracing": "xray"},
    "private tasks": {
        "TaskSubnetIds": "subnet-0000000c",
        "AssignPublicIp": "DISABLED",
    },
    "internal": {"LoadBalancerScheme": "internal"},
    "allowed": {"AllowedIpv4Cidrs": ",".join(IPV4)},
    "allowed IPv6": {"AllowedIpv6Cidrs": IPV6[0]},
    "domain": {"DomainName": "api.example.com"},
    "certificate": {"CertificateArn": CERTIFICATE, "DomainName": "api.example.com"},
    "zone": {
        "DomainName": "api.example.com",
        "CertificateZoneId": ZONE,
        "RecordZoneId": ZONE,
        "HstsSeconds": "300",
    },
    "record": {
        "DomainName": "api.example.com",
        "CertificateArn": CERTIFICATE,
        "RecordZoneId": ZONE,
    },
    "insights": {"ContainerInsights": "enabled"},
    "dashboard": {"DrawDashboard": "true"},
    "topic": {"AlarmTopicArn": TOPIC},
    "boundary": {"PermissionsBoundaryArn": BOUNDARY},
    "role path": {"RolePath": "/team/"},
    "log key": {"LogKeyArn": KEY},
    "repository key": {"RepositoryKeyArn": KEY},
    "protection": {"DeletionProtection": "true"},
    "access logs": {"AccessLogs": "true", "AccessLogsBucket": "logs"},
    "web ACL": {"WebAclArn": WEB_ACL},
    "egress": {
        "EgressCidrs": ",".join(IPV4[:2]),
        "EgressPrefixLists": LISTS[0],
        "LimitEgress": "true",
    },
}
ALL = {name: value for switch in SWITCHES.values() for name, value in switch.items()}


def as_parameter(value: Value) -> str:
    """A setting as a parameter of the stack."""
    if isinstance(value, bool):
        return "ENABLED" if value else "DISABLED"
    return ",".join(value) if isinstance(value, list) else str(value)


@dataclass(frozen=True)
class RenderedService:
    render: Render

    @cached_property
    def settings(self) -> Settings:
        return self.render.settings()

    @cached_property
    def template(self) -> dict[str, Any]:
        return load(self.render.text("infra/stack.yml"))

    @cached_property
    def task(self) -> Any:
        return self.render.json("infra/task-definition.json")

    @cached_property
    def container(self) -> Any:
        name = self.settings.names.container
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
        service = self.settings.service
        return Place(service.partition, service.region, service.account)

    def stack(self, **changed: str) -> Stack:
        """The stack that the settings make, with some parameters changed."""
        given = {
            parameter: as_parameter(value_of(self.settings, setting)) or FOUND.get(setting, "")
            for parameter, setting in SETTING.items()
        }
        given["LoadBalancerScheme"] = self.settings.network.scheme
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
                assert action not in allowed or "*" not in allowed[action], f"{action}: twice"
                allowed.setdefault(action, []).extend(as_list(statement["Resource"]))
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


def has_certificate(stack: Stack) -> bool:
    """One of the account, or one that the stack requests."""
    return any(stack.parameters[name] for name in ("CertificateArn", "CertificateZoneId"))
