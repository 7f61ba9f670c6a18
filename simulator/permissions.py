"""The permissions that each operation needs: one table for each service.

Source: the Service Authorization Reference, of which parliament carries a copy; a test compares.
Administrators are not checked, so the tables have only the operations of a deploying principal and
of the roles of a task. If the reference does not say which resource is meant, a comment gives the
reason for the choice.
"""

from typing import Any

from simulator.account import Account
from simulator.ecs_needs import ECS
from simulator.needs import Needs, anything, nothing
from simulator.policies import Context, Need, Unknown
from simulator.scaling_needs import APPLICATION_AUTOSCALING, EVERY_ALARM

Json = dict[str, Any]


def needs(service: str, operation: str, parameters: Json, account: Account) -> list[Need]:
    """Raises Unknown for an operation that no table has."""
    table = TABLES.get(service, {})
    if operation not in table:
        raise Unknown(f"what {service}:{operation} needs: add it to {__name__}")
    return table[operation](parameters, account)


# --- ECR, also for the requests of docker ---


def of_repository(action: str) -> Needs:
    """A repository of the registry that a request names; by default, the account's own."""

    def found(p: Json, account: Account) -> list[Need]:
        own = account.arn("ecr", f"repository/{p['repositoryName']}")
        return [Need(action, own.replace(account.id, p.get("registryId", account.id)))]

    return found


ECR: dict[str, Needs] = {
    name: of_repository(f"ecr:{name}")
    for name in (
        "BatchCheckLayerAvailability",
        "BatchGetImage",
        "CompleteLayerUpload",
        "DescribeImageScanFindings",
        "DescribeImages",
        "GetDownloadUrlForLayer",
        "InitiateLayerUpload",
        "PutImage",
        "UploadLayerPart",
    )
}
ECR["GetAuthorizationToken"] = anything("ecr:GetAuthorizationToken")

# --- other services ---


def stack(p: Json, account: Account) -> list[Need]:
    name = p.get("StackName", "*")
    # A name matches every stack that ever had it.
    arn = name if name.startswith("arn:") else account.arn("cloudformation", f"stack/{name}/*")
    return [Need("cloudformation:DescribeStacks", arn)]


def log_group(action: str) -> Needs:
    """CloudWatch Logs authorizes on `NAME:log-stream:` and the stream, so its guide ends the ARN of
    a group with `:*` ("Overview of managing access permissions")."""
    return lambda p, account: [
        Need(
            action,
            account.arn(
                "logs", f"log-group:{p['logGroupName']}:log-stream:{p.get('logStreamName', '')}"
            ),
        )
    ]


CLOUDFORMATION: dict[str, Needs] = {"DescribeStacks": stack}


def metric_alarm(p: Json, account: Account) -> list[Need]:
    """The key has the actions of an alarm in all of its states ("Using condition keys to limit
    alarm actions", CloudWatch User Guide)."""
    states = ("AlarmActions", "OKActions", "InsufficientDataActions")
    actions = [action for state in states for action in p.get(state, [])]
    alarm = account.arn("cloudwatch", f"alarm:{p['AlarmName']}")
    context: Context = {"cloudwatch:AlarmActions": actions} if actions else {}
    return [Need("cloudwatch:PutMetricAlarm", alarm, context)]


CLOUDWATCH: dict[str, Needs] = {
    "DescribeAlarms": lambda _, account: [
        Need("cloudwatch:DescribeAlarms", account.arn("cloudwatch", EVERY_ALARM))
    ],
    "PutMetricAlarm": metric_alarm,
}

ELBV2: dict[str, Needs] = {
    name: anything(f"elasticloadbalancing:{name}")
    for name in ("DescribeLoadBalancers", "DescribeTargetGroups", "DescribeTargetHealth")
}

LOGS: dict[str, Needs] = {
    name: log_group(f"logs:{name}")
    for name in (
        "CreateLogStream",
        "DescribeLogStreams",
        "FilterLogEvents",
        "GetLogEvents",
        "PutLogEvents",
    )
}

SECRETSMANAGER: dict[str, Needs] = {
    "GetSecretValue": lambda p, _: [Need("secretsmanager:GetSecretValue", p["SecretId"])]
}

SSM: dict[str, Needs] = {
    "GetParameters": lambda p, account: [
        Need(
            "ssm:GetParameters",
            name
            if name.startswith("arn:")
            else account.arn("ssm", f"parameter/{name.lstrip('/')}"),
        )
        for name in p["Names"]
    ]
}

# Operations that need no permission: "GetCallerIdentity" of the STS API Reference.
STS: dict[str, Needs] = {"GetCallerIdentity": nothing}

TABLES: dict[str, dict[str, Needs]] = {
    "application-autoscaling": APPLICATION_AUTOSCALING,
    "cloudformation": CLOUDFORMATION,
    "cloudwatch": CLOUDWATCH,
    "ecr": ECR,
    "ecs": ECS,
    "elbv2": ELBV2,
    "logs": LOGS,
    "secretsmanager": SECRETSMANAGER,
    "ssm": SSM,
    "sts": STS,
}
