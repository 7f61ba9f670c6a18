"""The permissions that the operations of ECS need."""

from collections.abc import Sequence
from typing import Any

from simulator.account import Account
from simulator.needs import Needs, anything, last
from simulator.policies import Context, Need

Json = dict[str, Any]


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
