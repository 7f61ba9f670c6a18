"""The health check of a container definition. Pure."""

from collections.abc import Sequence

from infra.tool.api_model import Json
from infra.tool.errors import Problem

WRONG_CHECK = Problem(
    "health-check-form",
    "the health check of {container} is {found}, which neither ECS nor Docker can run",
    'begin it with CMD or CMD-SHELL, for example ["CMD-SHELL", "curl -f http://localhost:8080"]',
)


def health_command(container: Json, shell: Sequence[str]) -> list[str] | None:
    """The command of the container's health check; None if it defines none.

    `shell` is that of the image. Raises ToolError if neither Docker nor ECS would run it.
    """
    match (container.get("healthCheck") or {}).get("command") or ["NONE"]:
        case ["NONE"]:
            return None
        case ["CMD", *words] if words:
            return words
        case ["CMD-SHELL", *words] if words:
            return [*shell, *words]
        case [found, *_]:
            raise WRONG_CHECK(container=container["name"], found=found)
    return None


def patience(container: Json) -> float:
    """After how many seconds ECS calls a container unhealthy that never passes its health check.

    The defaults are those of HealthCheck in the API reference of ECS.
    """
    check = container.get("healthCheck") or {}
    interval, retries = check.get("interval") or 30, check.get("retries") or 3
    return float((check.get("startPeriod") or 0) + interval * retries)


def probe_timeout(container: Json) -> float:
    """How many seconds a health check may take; the default is that of ECS."""
    return float((container.get("healthCheck") or {}).get("timeout") or 5)
