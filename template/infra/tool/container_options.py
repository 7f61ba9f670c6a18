"""A container definition of ECS in the words of `docker run`. Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.tool.api_model import Json
from infra.tool.errors import Problem

WRONG_SIZE = Problem(
    "task-size",
    "infra/task-definition.json: cpu is {cpu} and memory is {memory}",
    "set both, for example cpu 256 and memory 512",
)
WRONG_PORT = Problem(
    "container-port",
    "infra/task-definition.json: the container {container} has no containerPort",
    'add the port on which it listens, for example "containerPort": 8080',
)

STAND_IN = "not-the-secret"  # of a secret that [deploy.test_secrets] does not name

Words = list[str]
AsWords = Callable[[Any], Words]


@dataclass(frozen=True)
class Options:
    """How to start the container as its definition says."""

    words: Sequence[str]  # before the image
    command: Sequence[str]  # after the image
    left_out: Sequence[str]  # members that say more than Docker can express on this machine


def option(name: str) -> AsWords:
    return lambda value: [name, str(value)]


def switch(name: str) -> AsWords:
    return lambda _: [name]


def each(name: str, form: str = "{}") -> AsWords:
    """An option for every item of a list; the form names members of the items."""

    def words(items: Iterable[Any]) -> Words:
        return [word for item in items for word in (name, in_form(form, item))]

    return words


def in_form(form: str, item: Any) -> str:
    if isinstance(item, dict):
        return form.format_map(defaultdict(str, item))  # a member may be absent
    return form.format(item)


def capabilities(value: Json) -> Words:
    return [
        *each("--cap-add")(value.get("add") or []),
        *each("--cap-drop")(value.get("drop") or []),
    ]


def tmpfs(value: Sequence[Json]) -> Words:
    return each("--tmpfs")(
        ",".join([f"{each['containerPath']}:size={each['size']}m", *each.get("mountOptions", [])])
        for each in value
    )


# Members of a container definition, and of its linuxParameters, that have an option of their own.
MEMBERS: Mapping[str, AsWords] = {
    "cpu": option("--cpu-shares"),
    "dnsSearchDomains": each("--dns-search"),
    "dnsServers": each("--dns"),
    "dockerLabels": lambda value: each("--label")(f"{name}={value[name]}" for name in value),
    "dockerSecurityOptions": each("--security-opt"),
    "environment": each("--env", "{name}={value}"),
    "extraHosts": each("--add-host", "{hostname}:{ipAddress}"),
    "hostname": option("--hostname"),
    "interactive": switch("--interactive"),
    "memoryReservation": lambda mebibytes: ["--memory-reservation", f"{mebibytes}m"],
    "pseudoTerminal": switch("--tty"),
    "readonlyRootFilesystem": switch("--read-only"),
    "stopTimeout": option("--stop-timeout"),
    "systemControls": each("--sysctl", "{namespace}={value}"),
    "ulimits": each("--ulimit", "{name}={softLimit}:{hardLimit}"),
    "user": option("--user"),
    "workingDirectory": option("--workdir"),
}
LINUX_MEMBERS: Mapping[str, AsWords] = {
    "capabilities": capabilities,
    "initProcessEnabled": switch("--init"),
    "sharedMemorySize": lambda mebibytes: ["--shm-size", f"{mebibytes}m"],
    "tmpfs": tmpfs,
}
# Members that other functions here express, or that say nothing about one container alone.
ELSEWHERE = frozenset(
    {
        *("command", "entryPoint", "essential", "healthCheck", "image", "linuxParameters"),
        *("memory", "mountPoints", "name", "portMappings", "secrets"),
    }
)
TASK_MEMBERS = frozenset(
    {
        *("containerDefinitions", "cpu", "executionRoleArn", "family", "memory", "networkMode"),
        *("requiresCompatibilities", "runtimePlatform", "tags", "taskRoleArn", "volumes"),
    }
)


def options(
    task: Json, container: Json, stand_ins: Mapping[str, str], platform: str, cpus: int
) -> Options:
    """How a machine with so many CPUs starts a container of a task definition."""
    entry_point = container.get("entryPoint") or []
    linux = container.get("linuxParameters") or {}
    words = [
        *("--platform", platform),
        *expressed(container, MEMBERS),
        *expressed(linux, LINUX_MEMBERS),
        *secrets(container, stand_ins),
        *resources(task, container, cpus),
        *("--publish", f"127.0.0.1::{port_of(container)}/tcp"),
        *volumes(task, container),
        *(["--entrypoint", entry_point[0]] if entry_point else []),
    ]
    command = [*entry_point[1:], *(container.get("command") or [])]
    return Options(words, command, [*left_out(task, container, cpus)])


def expressed(members: Json, known: Mapping[str, AsWords]) -> Iterator[str]:
    """The words of those members that have a value."""
    for name, value in members.items():
        if value and name in known:
            yield from known[name](value)


def secrets(container: Json, stand_ins: Mapping[str, str]) -> Words:
    names = [secret["name"] for secret in container.get("secrets") or []]
    return each("--env")(f"{name}={stand_ins.get(name, STAND_IN)}" for name in names)


def port_of(container: Json) -> int:
    """The port that the load balancer sends requests to. Raises ToolError."""
    port = container["portMappings"][0].get("containerPort")
    if not port:
        raise WRONG_PORT(container=container["name"])
    return int(port)


def resources(task: Json, container: Json, cpus: int) -> Words:
    """On Fargate a container without its own limit may use all memory of the task. No swap."""
    wanted, most = size_of(task)
    memory = f"{container.get('memory') or most}m"
    return [
        *("--cpus", f"{min(wanted, cpus):g}"),
        *("--memory", memory),
        *("--memory-swap", memory),
    ]


def size_of(task: Json) -> tuple[float, int]:
    """The vCPUs and the MiB of a task. Raises ToolError if it has none."""
    cpu, memory = task.get("cpu", "absent"), task.get("memory", "absent")
    try:
        return vcpus(cpu), mebibytes(memory)
    except ValueError:
        raise WRONG_SIZE(cpu=cpu, memory=memory) from None


def vcpus(cpu: str) -> float:
    """The CPU of a task, which may be written as "256", ".25 vCPU" or "0.25vcpu"."""
    number = re.sub(r"\s*vcpu\s*$", "", cpu, flags=re.IGNORECASE)
    return float(number) if number != cpu else float(cpu) / 1024


def mebibytes(memory: str) -> int:
    """The memory of a task, which may be written as "512", ".5 GB" or "0.5gb"."""
    number = re.sub(r"\s*gb\s*$", "", memory, flags=re.IGNORECASE)
    return round(float(number) * 1024) if number != memory else int(memory)


def plain_volumes(task: Json) -> set[str]:
    """Names of the volumes that are empty when a task starts."""
    return {
        volume.get("name", "")
        for volume in task.get("volumes") or []
        if not any(value for name, value in volume.items() if name != "name")
    }


def volumes(task: Json, container: Json) -> Words:
    plain = plain_volumes(task)
    return each("--mount")(
        f"type=volume,destination={mount['containerPath']}"
        + (",readonly" if mount.get("readOnly") else "")
        for mount in container.get("mountPoints") or []
        if mount.get("sourceVolume") in plain
    )


def left_out(task: Json, container: Json, cpus: int) -> Iterator[str]:
    """Members of the task definition that take effect on ECS, but not here."""
    wanted, _ = size_of(task)
    if wanted > cpus:
        yield f"cpu: {wanted:g}, this machine has {cpus}"
    for name, value in container.items():
        if value and name not in MEMBERS and name not in ELSEWHERE:
            yield name
    for name, value in (container.get("linuxParameters") or {}).items():
        if value and name not in LINUX_MEMBERS:
            yield f"linuxParameters.{name}"
    plain = plain_volumes(task)
    for mount in container.get("mountPoints") or []:
        if mount.get("sourceVolume") not in plain:
            yield f"volume {mount.get('sourceVolume')}"
    for name, value in task.items():
        if value and name not in TASK_MEMBERS:
            yield f"{name} of the task"
    for other in task["containerDefinitions"]:
        if other is not container:
            yield f"container {other.get('name')}"
