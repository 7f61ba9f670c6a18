"""A container definition as arguments of `docker run`."""

import copy
import itertools
from typing import Any

import pytest
from botocore.session import get_session
from infra.tool import container_options
from infra.tool.container_options import mebibytes, options, vcpus
from infra.tool.errors import ToolError
from infra.tool.health_check import health_command, patience, probe_timeout

Json = dict[str, Any]

CONTAINER: Json = {"name": "web", "portMappings": [{"containerPort": 8080}]}
SHELL = ["/bin/sh", "-c"]


def chosen(
    container: Json, *, task: Json | None = None, cpus: int = 4, **stand_ins: str
) -> container_options.Options:
    definition = copy.deepcopy(CONTAINER | container)
    whole = {"cpu": "256", "memory": "512", "containerDefinitions": [definition], **(task or {})}
    return options(whole, definition, stand_ins, "linux/arm64", cpus)


def pairs(found: container_options.Options) -> list[str]:
    return [" ".join(pair) for pair in itertools.pairwise(found.words)]


ALWAYS = chosen({}).words


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("user", "10001:10001", ["--user", "10001:10001"]),
        ("readonlyRootFilesystem", True, ["--read-only"]),
        ("readonlyRootFilesystem", False, []),
        ("environment", [{"name": "A", "value": "b c=d\n"}], ["--env", "A=b c=d\n"]),
        ("environment", [{"name": "EMPTY"}], ["--env", "EMPTY="]),
        ("workingDirectory", "/srv", ["--workdir", "/srv"]),
        ("stopTimeout", 45, ["--stop-timeout", "45"]),
        ("cpu", 128, ["--cpu-shares", "128"]),
        ("cpu", 0, []),
        ("memoryReservation", 128, ["--memory-reservation", "128m"]),
        ("hostname", "web", ["--hostname", "web"]),
        ("interactive", True, ["--interactive"]),
        ("pseudoTerminal", True, ["--tty"]),
        ("dnsServers", ["10.0.0.2"], ["--dns", "10.0.0.2"]),
        ("dnsSearchDomains", ["corp"], ["--dns-search", "corp"]),
        ("dockerLabels", {"a": "b", "c": ""}, ["--label", "a=b", "--label", "c="]),
        ("dockerSecurityOptions", ["no-new-privileges"], ["--security-opt", "no-new-privileges"]),
        (
            "extraHosts",
            [{"hostname": "db", "ipAddress": "10.0.0.3"}],
            ["--add-host", "db:10.0.0.3"],
        ),
        (
            "systemControls",
            [{"namespace": "net.core.somaxconn", "value": "1024"}],
            ["--sysctl", "net.core.somaxconn=1024"],
        ),
        (
            "ulimits",
            [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}],
            ["--ulimit", "nofile=1024:4096"],
        ),
        ("linuxParameters", {"initProcessEnabled": True}, ["--init"]),
        ("linuxParameters", {"sharedMemorySize": 128}, ["--shm-size", "128m"]),
        (
            "linuxParameters",
            {"capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE"]}},
            ["--cap-add", "SYS_PTRACE", "--cap-drop", "ALL"],
        ),
        (
            "linuxParameters",
            {"tmpfs": [{"containerPath": "/tmp", "size": 64, "mountOptions": ["noexec"]}]},
            ["--tmpfs", "/tmp:size=64m,noexec"],
        ),
    ],
)
def test_a_member_becomes_its_own_option(member: str, value: Any, words: list[str]) -> None:
    found = chosen({member: value})
    rest = list(found.words)
    for word in ALWAYS:
        rest.remove(word)
    assert rest == words
    assert found.left_out == []


def test_every_member_that_ecs_knows_is_expressed_or_listed_as_left_out() -> None:
    """botocore's model lists all members. A member that AWS adds is listed as left out until the
    tool has an option for it."""
    task = get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition")
    assert task.input_shape is not None
    shape: Any = task.input_shape.members["containerDefinitions"]
    known = {*container_options.MEMBERS, *container_options.ELSEWHERE}
    assert known <= set(shape.member.members), "a name here is misspelt"
    assert set(container_options.LINUX_MEMBERS) <= set(
        shape.member.members["linuxParameters"].members
    )
    assert set(container_options.TASK_MEMBERS) <= set(task.input_shape.members)
    for name in set(shape.member.members) - known:
        assert chosen({name: "something"}).left_out == [name]


@pytest.mark.parametrize(
    ("container", "task", "named"),
    [
        ({"privileged": True}, {}, "privileged"),
        (
            {"environmentFiles": [{"value": "arn:aws:s3:::x/y", "type": "s3"}]},
            {},
            "environmentFiles",
        ),
        ({"linuxParameters": {"devices": [{"hostPath": "/dev/x"}]}}, {}, "linuxParameters.devices"),
        ({}, {"ephemeralStorage": {"sizeInGiB": 30}}, "ephemeralStorage of the task"),
        ({}, {"cpu": "8192", "memory": "16384"}, "cpu: 8, this machine has 4"),
    ],
)
def test_a_member_that_docker_cannot_express_is_listed(
    container: Json, task: Json, named: str
) -> None:
    assert chosen(container, task=task).left_out == [named]


def test_another_container_of_the_task_is_named() -> None:
    container = CONTAINER
    task = {
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container, {"name": "xray", "image": "example/xray"}],
    }
    assert options(task, container, {}, "linux/amd64", 4).left_out == ["container xray"]


def test_a_member_without_a_value_is_not_named() -> None:
    assert chosen({"links": [], "privileged": False, "dependsOn": None}).left_out == []


def test_memory_is_that_of_the_task_unless_the_container_has_a_limit() -> None:
    assert {"--memory 512m", "--memory-swap 512m"} <= {*pairs(chosen({}))}
    assert {"--memory 300m", "--memory-swap 300m"} <= {*pairs(chosen({"memory": 300}))}


@pytest.mark.parametrize(("cpu", "cpus", "words"), [("256", 4, "0.25"), ("4096", 2, "2")])
def test_the_cpu_is_that_of_the_task_but_at_most_that_of_the_machine(
    cpu: str, cpus: int, words: str
) -> None:
    assert f"--cpus {words}" in pairs(chosen({}, task={"cpu": cpu}, cpus=cpus))


@pytest.mark.parametrize(
    ("text", "number"), [("256", 0.25), (".25 vCPU", 0.25), ("0.5vcpu", 0.5), ("2 vCPU", 2)]
)
def test_cpu_may_be_written_in_vcpus(text: str, number: float) -> None:
    assert vcpus(text) == number


@pytest.mark.parametrize(
    ("text", "number"), [("512", 512), ("1 GB", 1024), (".5gb", 512), ("2GB", 2048)]
)
def test_memory_may_be_written_in_gigabytes(text: str, number: int) -> None:
    assert mebibytes(text) == number


@pytest.mark.parametrize(
    "task", [{"cpu": "much"}, {"memory": "512MB"}, {"cpu": ""}, {"memory": "1.5"}]
)
def test_a_size_that_is_no_number_is_refused(task: Json) -> None:
    with pytest.raises(ToolError, match="task-size"):
        chosen({}, task=task)


def test_a_port_that_is_not_named_is_refused() -> None:
    with pytest.raises(ToolError, match="container-port"):
        chosen({"portMappings": [{"containerPortRange": "80-90"}]})


def test_the_port_is_published_on_this_machine_alone() -> None:
    assert "--publish 127.0.0.1::8080/tcp" in pairs(chosen({}))


def test_entry_point_and_command_are_those_of_the_definition() -> None:
    found = chosen({"entryPoint": ["sh", "-c"], "command": ["echo $A", "b"]})
    assert "--entrypoint sh" in pairs(found)
    assert found.command == ["-c", "echo $A", "b"]
    assert chosen({"entryPoint": [], "command": []}).command == []


def test_secrets_get_test_values() -> None:
    secrets = [{"name": name, "valueFrom": "arn:x"} for name in ("URL", "TOKEN")]
    found = chosen({"secrets": secrets}, URL="postgres://u:p@h/d")
    assert {"--env URL=postgres://u:p@h/d", "--env TOKEN=not-the-secret"} <= {*pairs(found)}


def test_empty_volumes_are_mounted_and_others_are_named() -> None:
    found = chosen(
        {
            "mountPoints": [
                {"sourceVolume": "scratch", "containerPath": "/scratch"},
                {"sourceVolume": "plain", "containerPath": "/plain", "readOnly": True},
                {"sourceVolume": "shared", "containerPath": "/shared"},
            ]
        },
        task={
            "volumes": [
                {"name": "scratch"},
                {"name": "plain", "host": {}},
                {"name": "shared", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}},
            ]
        },
    )
    assert "--mount type=volume,destination=/scratch" in pairs(found)
    assert "--mount type=volume,destination=/plain,readonly" in pairs(found)
    assert found.left_out == ["volume shared"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["CMD", "curl", "-f", "http://localhost"], ["curl", "-f", "http://localhost"]),
        (["CMD-SHELL", "curl -f x || exit 1"], ["/bin/sh", "-c", "curl -f x || exit 1"]),
        (["NONE"], None),
        ([], None),
    ],
)
def test_a_health_check_is_run_as_docker_would(command: list[str], words: list[str] | None) -> None:
    assert health_command(CONTAINER | {"healthCheck": {"command": command}}, SHELL) == words
    assert health_command(CONTAINER, SHELL) is None


@pytest.mark.parametrize(
    "command", [["curl", "-f", "x"], ["CMD-SHELL, curl -f x"], ["CMD"], ["CMD-SHELL"], ["cmd", "x"]]
)
def test_a_health_check_that_ecs_cannot_run_is_refused(command: list[str]) -> None:
    with pytest.raises(ToolError, match="health-check-form") as caught:
        health_command(CONTAINER | {"healthCheck": {"command": command}}, SHELL)
    assert caught.value.exit is None


def test_the_wait_for_health_is_that_of_ecs() -> None:
    check = {"interval": 15, "timeout": 5, "retries": 3, "startPeriod": 30}
    assert patience({"healthCheck": check}) == 75
    assert patience({}) == 90
    assert (probe_timeout({"healthCheck": {"timeout": 2}}), probe_timeout({})) == (2, 5)
