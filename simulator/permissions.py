"""The permissions that each operation needs: one table for each service.

Source: the Service Authorization Reference, of which parliament carries a copy; a test compares.
Administrators are not checked, so the tables have only the operations of a deploying principal and
of the roles of a task. If the reference does not say which resource is meant, a comment gives the
reason for the choice.
"""

from collections.abc import Callable, Sequence
from typing import Any

from simulator.account import Account
from simulator.policies import Context, Need, Unknown

Json = dict[str, Any]
Needs = Callable[[Json, Account], list[Need]]


def needs(service: str, operation: str, parameters: Json, account: Account) -> list[Need]:
    """Raises Unknown for an operation that no table has."""
    table = TABLES.get(service, {})
    if operation not in table:
        raise Unknown(f"what {service}:{operation} needs: add it to {__name__}")
    return table[operation](parameters, account)


def nothing(_: Json, __: Account) -> list[Need]:
    return []


def anything(action: str) -> Needs:
    """The need of an action without a resource type."""
    return lambda _, __: [Need(action)]


def last(name: str) -> str:
    """The last part of an ARN; a plain name is returned as it is."""
    return name.rsplit("/", 1)[-1]


# --- ECS ---


def cluster_context(p: Json, account: Account) -> dict[str, str | Sequence[str]]:
    name = last(p.get("cluster", "default"))
    return {"ecs:cluster": account.arn("ecs", f"cluster/{name}")}


def network_context(p: Json) -> Context:
    """The keys of a request that names a network. Without one the keys are absent, an assumption
    without a source. Their types are from the reference, their values from "How Amazon ECS works
    with IAM" (ECS Developer Guide)."""
    network = p.get("networkConfiguration", {}).get("awsvpcConfiguration")
    if network is None:
        return {}
    has_public_ip = network.get("assignPublicIp", "DISABLED") == "ENABLED"
    return {
        "ecs:subnet": network["subnets"],
        "ecs:auto-assign-public-ip": str(has_public_ip).lower(),
    }


def task_definition_arn(name: str, account: Account) -> str:
    return name if name.startswith("arn:") else account.arn("ecs", f"task-definition/{name}")


def service_arn(name: str, p: Json, account: Account) -> str:
    if name.startswith("arn:"):
        return name
    return account.arn("ecs", f"service/{last(p.get('cluster', 'default'))}/{name}")


def of_service(action: str, key: str) -> Needs:
    def found(p: Json, account: Account) -> list[Need]:
        context = cluster_context(p, account)
        if p.get("taskDefinition"):
            # Since March 2024 ECS resolves it before the authorization.
            revision = task_definition_arn(p["taskDefinition"], account)
            context["ecs:task-definition"] = revision
        context |= network_context(p)
        if "enableExecuteCommand" in p:
            context["ecs:enable-execute-command"] = str(p["enableExecuteCommand"]).lower()
        names = p[key] if isinstance(p[key], list) else [p[key]]
        required = [Need(action, service_arn(name, p, account), context) for name in names]
        if action == "ecs:CreateService" and p.get("tags"):
            required.append(tagging(required[0].resource, "CreateService"))
        return required

    return found


def of_resource(action: str) -> Needs:
    """Tags of something that exists: without ecs:CreateAction ("Grant permission to tag resources
    on creation", ECS Developer Guide)."""
    return lambda p, _: [Need(action, p["resourceArn"])]


def tagging(resource: str, action: str) -> Need:
    """Tags in the request that creates a resource need a permission of their own."""
    return Need("ecs:TagResource", resource, {"ecs:CreateAction": action})


def register_task_definition(p: Json, account: Account) -> list[Need]:
    # The number of the revision is not known yet.
    family = account.arn("ecs", f"task-definition/{p['family']}:*")
    required = [Need("ecs:RegisterTaskDefinition", family)]
    if p.get("tags"):
        required.append(tagging(family, "RegisterTaskDefinition"))
    passed = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    for role in ("executionRoleArn", "taskRoleArn"):
        if p.get(role):
            required.append(Need("iam:PassRole", p[role], passed))
    return required


def of_history(action: str, key: str) -> Needs:
    """The needs of an action on deployments or revisions: their services are resources, too."""

    def found(p: Json, account: Account) -> list[Need]:
        names = [arn.split("/", 1)[1].rsplit("/", 1)[0] for arn in p[key]]
        services = [account.arn("ecs", f"service/{name}") for name in names]
        return [Need(action, arn, cluster_context(p, account)) for arn in [*services, *p[key]]]

    return found


def in_cluster(action: str) -> Needs:
    """The resource of these actions is a container instance, which Fargate does not have. Only a
    condition on the cluster narrows them (awsdocs/amazon-ecs-developer-guide#211)."""
    return lambda p, account: [Need(action, context=cluster_context(p, account))]


def tasks(action: str) -> Needs:
    def found(p: Json, account: Account) -> list[Need]:
        cluster, context = last(p.get("cluster", "default")), cluster_context(p, account)
        return [
            Need(action, account.arn("ecs", f"task/{cluster}/{last(task)}"), context)
            for task in p["tasks"]
        ]

    return found


ECS: dict[str, Needs] = {
    "CreateService": of_service("ecs:CreateService", "serviceName"),
    "DeleteService": of_service("ecs:DeleteService", "service"),
    "DeregisterTaskDefinition": anything("ecs:DeregisterTaskDefinition"),
    "DescribeClusters": lambda p, account: [
        Need("ecs:DescribeClusters", account.arn("ecs", f"cluster/{last(name)}"))
        for name in p.get("clusters", ["default"])
    ],
    "DescribeServiceDeployments": of_history(
        "ecs:DescribeServiceDeployments", "serviceDeploymentArns"
    ),
    "DescribeServiceRevisions": of_history("ecs:DescribeServiceRevisions", "serviceRevisionArns"),
    "DescribeServices": of_service("ecs:DescribeServices", "services"),
    "DescribeTaskDefinition": anything("ecs:DescribeTaskDefinition"),
    "DescribeTasks": tasks("ecs:DescribeTasks"),
    "ListServiceDeployments": of_service("ecs:ListServiceDeployments", "service"),
    "ListServices": in_cluster("ecs:ListServices"),
    "ListTaskDefinitions": anything("ecs:ListTaskDefinitions"),
    "ListTasks": in_cluster("ecs:ListTasks"),
    "RegisterTaskDefinition": register_task_definition,
    "TagResource": of_resource("ecs:TagResource"),
    "UntagResource": of_resource("ecs:UntagResource"),
    "UpdateService": of_service("ecs:UpdateService", "service"),
}

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


# DescribeAlarms is authorized on all alarms, even if the request names some.
EVERY_ALARM = "alarm:*"


# The ARN of an alarm without a name.
NO_ALARM = "alarm:"


def scaling(action: str, *, probes: tuple[str, ...] = (), alarms: tuple[str, ...] = ()) -> Needs:
    """Application Auto Scaling checks with its caller's permissions whether the caller may call the
    target's service and CloudWatch, there with an alarm without a name: "Permissions validation for
    Application Auto Scaling API calls on target resources" (its User Guide). The calls for an ECS
    service are from "IAM permissions required for Amazon ECS service auto scaling" (ECS Developer
    Guide); their resources are an assumption. `alarms` are the operations on the alarms of a
    policy, whose one action is the policy, by the ARN in "PutScalingPolicy" (API Reference)."""

    def found(p: Json, account: Account) -> list[Need]:
        target = account.arn("application-autoscaling", "scalable-target/*")
        context = {
            "application-autoscaling:service-namespace": p["ServiceNamespace"],
            "application-autoscaling:scalable-dimension": p["ScalableDimension"],
        }
        service = account.arn("ecs", p["ResourceId"])
        no_alarm = account.arn("cloudwatch", NO_ALARM)
        tracking = f"alarm:TargetTracking-{p['ResourceId']}-AlarmHigh-0"  # and a Low one
        resource = f"resource/{p['ServiceNamespace']}/{p['ResourceId']}"
        policy = account.arn(
            "autoscaling", f"scalingPolicy:0-0:{resource}:policyName/{p.get('PolicyName')}"
        )
        does: dict[str, Context] = {
            "cloudwatch:DeleteAlarms": {},
            "cloudwatch:PutMetricAlarm": {"cloudwatch:AlarmActions": [policy]},
        }
        about = {
            "cloudwatch:DeleteAlarms": no_alarm,
            "cloudwatch:DescribeAlarms": account.arn("cloudwatch", EVERY_ALARM),
            "cloudwatch:PutMetricAlarm": no_alarm,
            "ecs:DescribeServices": service,
            "ecs:UpdateService": service,
        }
        return [
            Need(action, target, context),
            *(Need(probe, about[probe], is_probe=True) for probe in probes),
            *(Need(alarm, account.arn("cloudwatch", tracking), does[alarm]) for alarm in alarms),
        ]

    return found


PROBES = (
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:DeleteAlarms",
    "ecs:DescribeServices",
    "ecs:UpdateService",
)

APPLICATION_AUTOSCALING: dict[str, Needs] = {
    "DeleteScalingPolicy": scaling(
        "application-autoscaling:DeleteScalingPolicy", alarms=("cloudwatch:DeleteAlarms",)
    ),
    "DeleteScheduledAction": scaling("application-autoscaling:DeleteScheduledAction"),
    "DeregisterScalableTarget": scaling("application-autoscaling:DeregisterScalableTarget"),
    "DescribeScalableTargets": anything("application-autoscaling:DescribeScalableTargets"),
    "DescribeScalingPolicies": anything("application-autoscaling:DescribeScalingPolicies"),
    "DescribeScheduledActions": anything("application-autoscaling:DescribeScheduledActions"),
    "PutScalingPolicy": scaling(
        "application-autoscaling:PutScalingPolicy",
        probes=PROBES,
        alarms=("cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
    ),
    "PutScheduledAction": scaling("application-autoscaling:PutScheduledAction"),
    "RegisterScalableTarget": scaling(
        "application-autoscaling:RegisterScalableTarget", probes=PROBES
    ),
}

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
