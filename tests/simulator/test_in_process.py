"""A boto3 session that asks the simulation in this process: no socket, and no waiting."""

import socket
import time
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)

from simulator.fixtures import Ground
from simulator.forked_copy import run_in_fork
from simulator.simulation import SimulatedAws

ONCE = Config(retries={"total_max_attempts": 1})
STANDARD = Config(retries={"mode": "standard", "total_max_attempts": 3})


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(seconds: float) -> None:
        raise AssertionError(f"it slept {seconds} s of real time")

    monkeypatch.setattr(time, "sleep", refuse)


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("service", ["sts", "iam", "ecr", "elbv2", "logs", "cloudwatch", "ec2"])
def test_every_protocol_works_without_a_socket(aws: SimulatedAws, service: Any) -> None:
    asks = {
        "sts": "get_caller_identity",
        "iam": "list_roles",
        "ecr": "describe_repositories",
        "elbv2": "describe_load_balancers",
        "logs": "describe_log_groups",
        "cloudwatch": "describe_alarms",
        "ec2": "describe_subnets",
    }
    answer = getattr(aws.session().client(service), asks[service])()
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert len(aws.calls) == 1


def test_a_member_that_the_api_does_not_know_is_not_sent(aws: SimulatedAws) -> None:
    ecs: Any = aws.session().client("ecs")
    with pytest.raises(ParamValidationError, match="clusterNam"):
        ecs.create_cluster(clusterNam="other")
    assert aws.calls.names == []


def test_a_region_that_aws_lacks_cannot_be_reached(aws: SimulatedAws) -> None:
    ecs = aws.session(region="us-west-9").client("ecs", config=ONCE)
    with pytest.raises(EndpointConnectionError, match=r"ecs\.us-west-9\.amazonaws\.com"):
        ecs.list_clusters()
    assert aws.calls.names == []


def test_an_endpoint_that_is_not_of_aws_cannot_be_reached(aws: SimulatedAws) -> None:
    ecs = aws.session().client("ecs", config=ONCE, endpoint_url="http://127.0.0.1:9")
    with pytest.raises(EndpointConnectionError):
        ecs.list_clusters()


def test_without_a_network_nothing_is_carried_out(aws: SimulatedAws) -> None:
    ecs = aws.session().client("ecs", config=ONCE)
    aws.faults.cut_off(after=1)
    ecs.create_cluster(clusterName="first")
    with pytest.raises(EndpointConnectionError):
        ecs.create_cluster(clusterName="second")
    aws.faults.clear()
    assert len(ecs.list_clusters()["clusterArns"]) == 1


def test_a_call_with_a_late_response_was_carried_out(aws: SimulatedAws) -> None:
    ecs = aws.session().client("ecs", config=ONCE)
    aws.faults.time_out("ecs:CreateCluster")
    with pytest.raises(ReadTimeoutError):
        ecs.create_cluster(clusterName="other")
    assert len(ecs.list_clusters()["clusterArns"]) == 1


@pytest.mark.usefixtures("no_sleep")
def test_a_retry_takes_no_time(aws: SimulatedAws) -> None:
    ecs = aws.session().client("ecs", config=STANDARD)
    before = aws.clock.now()
    aws.faults.throttle("ecs:ListClusters")
    ecs.list_clusters()
    aws.faults.lose_answer("ecs:ListClusters")
    ecs.list_clusters()
    assert [call.error for call in aws.calls] == [
        *("ThrottlingException", ""),
        *("ConnectionDropped", ""),
    ]
    assert (aws.clock.now() - before).total_seconds() < 0.01


@pytest.mark.usefixtures("no_sleep")
def test_a_back_off_that_takes_time_moves_the_clock(aws: SimulatedAws) -> None:
    aws.back_off.takes_time = True
    before = aws.clock.now()
    aws.faults.throttle("ecs:ListClusters", times=2)
    aws.session().client("ecs", config=STANDARD).list_clusters()
    assert (aws.clock.now() - before).total_seconds() > 0.01


@pytest.mark.usefixtures("no_sleep")
def test_the_number_of_retries_is_limited(aws: SimulatedAws) -> None:
    ecs = aws.session().client("ecs", config=STANDARD)
    aws.faults.drop("ecs:ListClusters", times=9)
    with pytest.raises(ConnectionClosedError):
        ecs.list_clusters()
    assert len(aws.calls) == 3


def test_a_hook_can_interrupt_the_caller(aws: SimulatedAws) -> None:
    def press_ctrl_c() -> None:
        raise KeyboardInterrupt

    ecs = aws.session().client("ecs")
    aws.moments.when("ecs:CreateCluster", press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        ecs.create_cluster(clusterName="other")
    assert len(ecs.list_clusters()["clusterArns"]) == 1, "it was carried out before"


def test_a_hook_may_ask_the_simulation_meanwhile(aws: SimulatedAws) -> None:
    ecs = aws.session().client("ecs")
    aws.moments.when("ecs:CreateCluster", lambda: ecs.delete_cluster(cluster="other"))
    ecs.create_cluster(clusterName="other")
    assert aws.calls.names == ["ecs:CreateCluster", "ecs:DeleteCluster"]


def test_a_forked_copy_of_the_account_is_used_in_its_own_process(aws: SimulatedAws) -> None:
    ecs = aws.session().client("ecs")

    def play() -> None:
        ecs.create_cluster(clusterName="other")
        assert len(ecs.list_clusters()["clusterArns"]) == 1

    run_in_fork(aws, play)
    assert ecs.list_clusters()["clusterArns"] == []


def test_the_configuration_of_this_machine_is_not_read(
    aws: SimulatedAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in "config", "credentials":
        (tmp_path / name).write_text("[default]\nregion = eu-north-1\nnonsense")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    assert aws.session().client("ecs").meta.region_name == "us-east-1"


def test_sessions_do_not_share_permissions(ground: Ground) -> None:
    root, role = (ground.aws.session(who).client("ecs") for who in ("root", "role/execution"))
    root.list_tasks(cluster="cluster")
    with pytest.raises(ClientError, match="AccessDenied"):
        role.list_tasks(cluster="cluster")
    root.list_tasks(cluster="cluster")
