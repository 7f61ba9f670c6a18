"""The values that the workflows of the service take from its settings and documents."""

from collections.abc import Mapping
from pathlib import Path

from infra.tool import documents
from infra.tool.settings import Settings

# GitHub's runners of the processors that Fargate has: an image is built on the one that it runs on.
RUNNERS = {"X86_64": "ubuntu-24.04", "ARM64": "ubuntu-24.04-arm"}


def outputs(root: Path, settings: Settings) -> Mapping[str, str]:
    """The outputs of the step that reads the settings. Raises ToolError."""
    return {
        "account": settings.service.account,
        "region": settings.service.region,
        "role": deploy_role(settings),
        "environment": settings.github.environment,
        "runner": runner(root),
    }


def deploy_role(settings: Settings) -> str:
    """The ARN of the role that a workflow deploys by."""
    return settings.role_arn(settings.names.deploy_role)


def runner(root: Path) -> str:
    """The runner that builds the image. Raises ToolError."""
    name = "task-definition.json"
    task = documents.parse(root, name)
    if complaints := [*documents.about_platform(task)]:
        raise documents.WRONG(name=name, complaints="; ".join(complaints))
    return RUNNERS[task["runtimePlatform"]["cpuArchitecture"]]
