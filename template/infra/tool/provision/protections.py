"""Protections that make a deletion fail halfway. They are checked before anything is deleted."""

from collections.abc import Iterator

from infra.tool.aws_errors import tolerating
from infra.tool.errors import Problem
from infra.tool.provision import safeguards, service_tasks
from infra.tool.provision.stack_state import StackState
from infra.tool.target import COMMAND, Target
from infra.tool.text import last_part

CHANGING = Problem(
    "stack-not-deletable",
    "the stack {stack} is being changed ({status})",
    "wait until that is done, then {again}",
)
PROTECTED = Problem(
    "deletion-protected",
    "{resources} cannot be deleted: deletion protection is on",
    "turn it off: {commands}; then {again}",
)
PROTECTED_BY_SETTING = Problem(
    "deletion-protected-by-setting",
    "{service} cannot be deleted: [security] deletion_protection in infra/settings.toml is true",
    "set deletion_protection = false, apply that ({provision}), then {again}",
)
CLUSTER_USED = Problem(
    "cluster-in-use",
    "the cluster {cluster} also runs {others}, so it cannot be deleted",
    "stop these or move them to another cluster, then {again}",
)


def require_deletable(target: Target, stack: StackState | None, *, purge: bool) -> None:
    """Raises ToolError with all protections at once."""
    # CloudFormation refuses to delete a stack during an update. It would delete one that is being
    # created, and the run that creates it would fail.
    if stack and stack.is_changing and stack.status != "DELETE_IN_PROGRESS":
        raise CHANGING(stack=stack.name, status=stack.status, again=target.again)
    if stack and target.settings.security.deletion_protection:
        name, provision = target.settings.service.name, f"{COMMAND} provision"
        raise PROTECTED_BY_SETTING(service=name, provision=provision, again=target.again)
    found = dict(protections(target, stack, purge=purge))
    if found:
        raise PROTECTED(
            resources=" and ".join(found),
            commands=" && ".join(found.values()),
            again=target.again,
        )
    if stack and (others := [*others_in_cluster(target)]):
        raise CLUSTER_USED(
            cluster=target.settings.names.cluster, others=", ".join(others), again=target.again
        )


def protections(
    target: Target, stack: StackState | None, *, purge: bool
) -> Iterator[tuple[str, str]]:
    """Each protected resource, and the command that takes the protection away."""
    region = f"--region {target.settings.service.region}"
    if stack and stack.is_protected:
        yield (
            f"the stack {stack.name}",
            f"aws cloudformation update-termination-protection {region} --stack-name {stack.name} "
            "--no-enable-termination-protection",
        )
    if stack and (arn := protected_load_balancer(target)):
        yield (
            f"the load balancer {arn.split('/')[2]}",
            f"aws elbv2 modify-load-balancer-attributes {region} --load-balancer-arn {arn} "
            "--attributes Key=deletion_protection.enabled,Value=false",
        )
    group = target.settings.names.log_group
    if purge and is_protected_log_group(target, group):
        yield (
            f"the log group {group}",
            f"aws logs put-log-group-deletion-protection {region} --log-group-identifier {group} "
            "--no-deletion-protection-enabled",
        )


def protected_load_balancer(target: Target) -> str:
    """Its ARN; empty if it does not exist or is not protected."""
    arn = safeguards.load_balancer(target)
    if not arn:
        return ""
    elbv2 = target.aws.elbv2
    attributes = elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    is_on = any(
        each["Key"] == "deletion_protection.enabled" and each["Value"] == "true"
        for each in attributes
    )
    return arn if is_on else ""


def is_protected_log_group(target: Target, name: str) -> bool:
    pages = target.aws.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    return any(
        group.get("deletionProtectionEnabled", False)
        for page in pages
        for group in page["logGroups"]
        if group["logGroupName"] == name
    )


def others_in_cluster(target: Target) -> Iterator[str]:
    """Services and tasks of the cluster that are not of this service, and hold the cluster."""
    names = target.settings.names
    with tolerating("ClusterNotFoundException"):
        pages = target.aws.ecs.get_paginator("list_services").paginate(cluster=names.cluster)
        for arn in (arn for page in pages for arn in page["serviceArns"]):
            if last_part(arn) != names.service:
                yield f"the service {last_part(arn)}"
        running = service_tasks.listed(target, "RUNNING")
        for task in service_tasks.described(target, running):
            if not task.get("group", "").startswith("service:"):
                yield f"the task {last_part(task['taskArn'])}"
