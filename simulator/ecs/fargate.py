"""Refusals of task definitions that Fargate cannot run. moto and the API's model accept all.

Sources: "Task definition parameters for Fargate" (ECS Developer Guide) and RegisterTaskDefinition
(API Reference).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

# The sizes of Fargate, MiB by CPU units (`memory` of RegisterTaskDefinition, API model of ECS).
FARGATE: Mapping[int, Sequence[int]] = {
    256: [512, 1024, 2048],
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}

HEALTH_CHECK = {
    "interval": (5, 300, 30),
    "timeout": (2, 60, 5),
    "retries": (1, 10, 3),
    "startPeriod": (0, 300, 0),
}


def complaint(definition: Json) -> str | None:
    """Why AWS would refuse to register a task definition; None if it would not."""
    return next(complaints(definition), None)


def complaints(definition: Json) -> Iterator[str]:
    return (why for check in CHECKS for why in check(definition))


def _fargate(definition: Json) -> Iterator[str]:
    if "FARGATE" not in definition.get("requiresCompatibilities", []):
        return
    cpu, memory = (str(definition.get(key, "")) for key in ("cpu", "memory"))
    is_number = cpu.isdigit() and memory.isdigit()
    if not is_number or int(memory) not in FARGATE.get(int(cpu), []):
        yield "No Fargate configuration exists for given values."
    if definition.get("networkMode") != "awsvpc":
        yield "Fargate only supports network mode 'awsvpc'."
    drivers = (
        container.get("logConfiguration", {}).get("logDriver")
        for container in definition["containerDefinitions"]
    )
    if "awslogs" in drivers and not definition.get("executionRoleArn"):
        yield (
            "Fargate requires task definition to have execution role ARN to support log driver "
            "awslogs."
        )


def _containers(definition: Json) -> Iterator[str]:
    containers = definition["containerDefinitions"]
    if not containers:
        yield "Container list cannot be empty."
    if not any(container.get("essential", True) for container in containers):
        yield "A task definition must have at least one essential container."
    for container in containers:
        yield from _container(container, definition.get("networkMode"))


def _container(container: Json, network: str | None) -> Iterator[str]:
    if not container.get("image"):
        yield "Container.image should not be null or empty."
    for mapping in container.get("portMappings", []):
        port = mapping.get("containerPort", 0)
        if not 1 <= port <= 65535:
            yield f"Invalid 'containerPort' setting for container '{container['name']}'"
        if network == "awsvpc" and mapping.get("hostPort", port) != port:
            yield (
                "When networkMode=awsvpc, the host ports and container ports in port mappings must "
                "match."
            )
    check = container.get("healthCheck", {"command": ["NONE"]})
    if not check["command"] or check["command"][0] not in {"CMD", "CMD-SHELL", "NONE"}:
        yield "The command of a health check must start with CMD or CMD-SHELL."
    for key, (least, most, usual) in HEALTH_CHECK.items():
        if not least <= check.get(key, usual) <= most:
            yield f"Health check {key} must be between {least} and {most}."
    if not 2 <= container.get("stopTimeout", 30) <= 120:
        yield "stopTimeout must be between 2 and 120."
    log = container.get("logConfiguration", {})
    if log.get("logDriver") == "awslogs" and "awslogs-group" not in log.get("options", {}):
        yield "Log driver awslogs requires options: awslogs-group, awslogs-region"


CHECKS: tuple[Callable[[Json], Iterator[str]], ...] = (_containers, _fargate)
