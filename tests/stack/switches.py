"""The parameters of infra/stack.yml, what feeds them, and a value that turns each on."""

from infra.tool.shapes import MOST_EGRESS_LISTS, MOST_RANGES

# The sources of the stack's parameters: unchanged settings, ...
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
# ... settings that become ARNs, and the grants that the task definition needs, ...
SETTING_OF_ARNS = {
    "BedrockModelArns": "permissions.bedrock_models",
    "S3BucketArns": "permissions.s3_read_buckets",
}
OF_THE_DOCUMENT = {
    *("SecretArns", "ParameterArns", "FileArns", "FileBucketArns"),
    *("ImageRepositoryArns", "OtherLogGroupArns", "CreatedLogGroupArns"),
}
# ... settings in another form, ...
SETTING_OF_ADDRESSES = {
    "LoadBalancerScheme": "network.internal",
    "AllowedIpv4Cidrs": "network.allowed_cidrs",
    "AllowedIpv6Cidrs": "network.allowed_cidrs",
}
# ... and values that depend on the present stack, and are empty by default.
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

# Values that the tool finds out if the settings are empty.
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

# Permissions of the app, and of ECS when it starts tasks.
GRANTS = {
    *("secrets", "parameters", "files", "other images", "other logs", "new logs", "key"),
    *("models", "buckets", "tracing"),
}
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
