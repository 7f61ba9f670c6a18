"""[service] and [names] of infra/settings.toml: the service, and its resources in AWS."""

from typing import Annotated, Any

from pydantic import BaseModel, ValidationInfo, field_validator

from infra.tool.shapes import EXAMPLE_ACCOUNT, EXAMPLE_REGISTRY, fits, matching, quoted

NAME = r"(?!aws-|internal-)(?=.{3,24}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*"
REGION = r"([a-z]{2}|us-gov)-(central|(north|south)?(east|west)?)(?<!-)-[1-9]"
ECS_NAME = r"[A-Za-z0-9_-]{1,255}"
ROLE_NAME = r"[A-Za-z0-9+=,.@_-]{1,64}"

EcsName = Annotated[str, matching(ECS_NAME, "letters, digits, - and _, at most 255", "my-service")]
RoleName = Annotated[str, matching(ROLE_NAME, "the name of a role, not its ARN", "my-role")]


class Service(BaseModel, extra="forbid", frozen=True):
    """The identity of the service: it cannot change later."""

    name: Annotated[
        str,
        matching(
            NAME,
            "3 to 24 lowercase letters, digits and single hyphens",
            "ai-assistant",
        ),
    ]
    account: Annotated[
        str,
        matching(
            r"[0-9]{12}",
            "12 digits in quotes, as `aws sts get-caller-identity` shows them",
            EXAMPLE_ACCOUNT,
        ),
    ]
    region: Annotated[str, matching(REGION, "the name of a region", "us-east-1")]
    partition: Annotated[str, matching(r"aws|aws-cn|aws-us-gov", "a partition of AWS", "aws")]
    registry: Annotated[str, matching(r"\S+", "an ECR registry", EXAMPLE_REGISTRY)]

    @field_validator("registry")
    @classmethod
    def _registry_is_of_account_and_region(cls, registry: str, info: ValidationInfo) -> str:
        if {"account", "region", "partition"} <= info.data.keys():  # each of them is right
            ending = ".amazonaws.com.cn" if info.data["partition"] == "aws-cn" else ".amazonaws.com"
            right = f"{info.data['account']}.dkr.ecr.{info.data['region']}{ending}"
            if registry != right:
                raise ValueError(
                    f"expects the ECR registry of this account and region, {quoted(right)}"
                )
        return registry


class Names(BaseModel, extra="forbid", frozen=True):
    """The names of AWS resources. Those that are absent follow from the service."""

    stack: Annotated[str, matching(r"[A-Za-z][A-Za-z0-9-]{0,127}", "letters, digits, -", "api")]
    repository: Annotated[
        str,
        matching(
            r"(?=.{2,256}\Z)[a-z0-9]+([._/-][a-z0-9]+)*",
            "the name of an ECR repository, not its address",
            "ai-assistant",
        ),
    ]
    cluster: EcsName
    service: EcsName
    family: EcsName
    container: EcsName
    log_group: Annotated[
        str, matching(r"[A-Za-z0-9._/#-]{1,512}", "the name of a log group", "/ecs/api")
    ]
    execution_role: RoleName
    task_role: RoleName
    deploy_role: RoleName


def names_of(section: Any) -> dict[str, str]:
    """The names that follow from [service], which may be wrong or absent."""
    service = section if isinstance(section, dict) else {}
    # A wrong name or region is told once, and not again by the names that follow from it.
    name = service["name"] if fits(service.get("name"), NAME) else "service"
    region = service["region"] if fits(service.get("region"), REGION) else "us-east-1"
    return {
        "stack": name,
        "repository": name,
        "cluster": f"{name}-cluster",
        "service": f"{name}-service",
        "family": f"{name}-task",
        "container": f"{name}-container",
        "log_group": f"/ecs/{name}-app",
        "execution_role": f"{name}-{region}-execution",
        "task_role": f"{name}-{region}-task",
        "deploy_role": f"{name}-{region}-github-actions",
    }
