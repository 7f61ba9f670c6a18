"""The service deployments of the past, of which ECS remembers 90 days."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infra.tool.aws import Aws
from infra.tool.ecs_service import EcsService
from infra.tool.service_names import Names
from infra.tool.text import last_part

if TYPE_CHECKING:
    from mypy_boto3_ecs.literals import ServiceDeploymentStatusType
    from mypy_boto3_ecs.type_defs import ServiceDeploymentBriefTypeDef

# Service revisions that DescribeServiceRevisions takes, and deployments that
# DescribeServiceDeployments takes.
MOST_AT_ONCE = 20
# Of a service deployment that an alarm or the circuit breaker ended, or is about to have ended.
FAILED: Sequence["ServiceDeploymentStatusType"] = (
    "IN_PROGRESS",
    "ROLLBACK_FAILED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_REQUESTED",
    "ROLLBACK_SUCCESSFUL",
    "STOPPED",
    "STOP_REQUESTED",
)


def list_deployments(
    aws: Aws, names: Names, *status: "ServiceDeploymentStatusType"
) -> Iterator["ServiceDeploymentBriefTypeDef"]:
    """All service deployments of these statuses, in no order. Raises AwsError. boto3 has no
    paginator."""
    token = ""
    while True:
        more: dict[str, Any] = {"nextToken": token} if token else {}
        answer = aws.ecs.list_service_deployments(
            cluster=names.cluster, service=names.service, status=[*status], maxResults=100, **more
        )
        yield from answer["serviceDeployments"]
        token = answer.get("nextToken", "")
        if not token:
            return


def steady_revisions(aws: Aws, names: Names) -> Sequence[int]:
    """The numbers of the revisions of this family that were in steady state, the last first.

    Each counts at its latest deployment, and only the latest few deployments count: ECS describes
    20 at once. Raises AwsError.
    """
    arns = latest_revisions(dict(each) for each in list_deployments(aws, names, "SUCCESSFUL"))
    revisions = task_definitions(aws, arns[:MOST_AT_ONCE])
    numbers = (number_of(revisions.get(arn, ""), names.family) for arn in arns)
    return list(dict.fromkeys(number for number in numbers if number))


def task_definitions(aws: Aws, arns: Sequence[str]) -> Mapping[str, str]:
    """The ARNs of the task definitions of service revisions, of which ECS describes 20 at once.
    Raises AwsError."""
    if not arns:
        return {}
    answer = aws.ecs.describe_service_revisions(serviceRevisionArns=list(arns))
    return {
        each["serviceRevisionArn"]: each.get("taskDefinition", "")
        for each in answer["serviceRevisions"]
    }


def latest_arns(deployments: Iterator[Mapping[str, Any]]) -> Sequence[str]:
    """The ARNs of the latest service deployments, the last first, as many as ECS describes."""
    ordered = last_first(deployments)[:MOST_AT_ONCE]
    return [each["serviceDeploymentArn"] for each in ordered]


def latest_revisions(deployments: Iterator[Mapping[str, Any]]) -> Sequence[str]:
    """The ARNs of the service revisions that were deployed, each once, by its latest deployment."""
    arns = (each["targetServiceRevisionArn"] for each in last_first(deployments))
    return list(dict.fromkeys(arns))


def last_first(deployments: Iterator[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return sorted(deployments, key=lambda each: each["createdAt"], reverse=True)


def number_of(task_definition: str, family: str) -> int:
    """N of FAMILY:N; 0 for a revision of another family."""
    name, _, number = last_part(task_definition).partition(":")
    return int(number) if name == family and number.isdigit() else 0


def revision_to_go_back_to(
    steady: Sequence[int], present: int, service: EcsService, family: str
) -> int:
    """The latest revision before the present one that was in steady state; 0 if none was.

    If a deployment already rolls back from a later revision to the present one, the result is the
    present one, so that an interrupted rollback continues if it is run again.
    """
    primary = service.primary
    later = (number_of(each.task_definition, family) for each in service.deployments)
    is_on_its_way = primary is not None and primary.state == "IN_PROGRESS"
    if is_on_its_way and present in steady and any(number > present for number in later):
        return present
    return next((number for number in steady if number < present), 0)
