"""PAUSE hooks: a deployment waits at a lifecycle stage until a person answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.tool.aws import Aws
from infra.tool.ecs_service import EcsService
from infra.tool.history import list_deployments
from infra.tool.service_names import Names


@dataclass(frozen=True)
class Pause:
    """A hook that waits for an answer."""

    deployment_arn: str  # of the service deployment
    hook: str  # id
    stage: str  # of the lifecycle; empty if ECS does not say
    expires: datetime | None
    then: str  # what ECS does when it expires: ROLLBACK or CONTINUE

    @property
    def text(self) -> str:
        limit = ""
        if self.expires:  # botocore gives it in the time zone of this machine
            limit = f" until {self.expires.astimezone(UTC):%H:%M} UTC, then {self.then}"
        return (
            f"a PAUSE hook waits for an answer{f' at {self.stage}' if self.stage else ''}{limit}: "
            "aws ecs continue-service-deployment "
            f"--service-deployment-arn {self.deployment_arn} "
            f"--hook-id {self.hook} --action CONTINUE"
        )


def has_pause_hooks(service: EcsService) -> bool:
    """Whether a deployment of the service can wait for an answer at all."""
    hooks = service.answer.get("deploymentConfiguration", {}).get("lifecycleHooks", [])
    return any(hook.get("targetType") == "PAUSE" for hook in hooks)


def read_pauses(aws: Aws, names: Names) -> Sequence[Pause]:
    """The hooks of the service that wait now. Raises AwsError."""
    arns = [each["serviceDeploymentArn"] for each in list_deployments(aws, names, "IN_PROGRESS")]
    if not arns:
        return []
    answer = aws.ecs.describe_service_deployments(serviceDeploymentArns=arns)
    return [pause for each in answer["serviceDeployments"] for pause in pauses_of(dict(each))]


def pauses_of(deployment: Mapping[str, Any]) -> Sequence[Pause]:
    """Of a deployment in an answer of DescribeServiceDeployments."""
    return [
        Pause(
            deployment_arn=deployment["serviceDeploymentArn"],
            hook=hook.get("hookId", ""),
            stage=deployment.get("lifecycleStage", ""),
            expires=hook.get("expiresAt"),
            then=hook.get("timeoutAction", "ROLLBACK"),
        )
        for hook in deployment.get("lifecycleHookDetails", [])
        if hook.get("targetType") == "PAUSE" and hook.get("status") == "AWAITING_ACTION"
    ]
