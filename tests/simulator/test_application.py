"""One request becomes one call: logged, made to fail on demand, allowed or not, answered."""

import os
import subprocess
from collections.abc import Callable
from typing import Any, Protocol

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from simulator.fixtures import Ground
from simulator.simulation import SimulatedAws

Json = dict[str, Any]


class OneTryClient(Protocol):
    """A client of a service, by who asks, that asks only once."""

    def __call__(
        self, service: str, principal: str = "root", *, region: str = "us-east-1"
    ) -> Any: ...


@pytest.fixture(params=["over HTTP", "in process"])
def client(request: pytest.FixtureRequest, ground: Ground) -> OneTryClient:
    def in_process(service: str, principal: str = "root", *, region: str = "us-east-1") -> Any:
        session: Any = ground.aws.session(principal, region=region)
        return session.client(service, config=Config(retries={"total_max_attempts": 1}))

    return ground.client if request.param == "over HTTP" else in_process


def cli(aws: SimulatedAws, command: str) -> Any:
    """The command itself, as a script would call it."""
    return subprocess.run(
        ["aws", *command.split()],
        env=os.environ | aws.environment(),
        capture_output=True,
        text=True,
    )


def refusal(ask: Callable[..., object], **parameters: object) -> str:
    with pytest.raises(ClientError) as refused:
        ask(**parameters)
    return str(refused.value)


def test_an_error_has_the_shape_of_its_protocol(client: OneTryClient) -> None:
    found = refusal(client("ecs").describe_services, cluster="nowhere", services=["app"])
    assert "(ClusterNotFoundException) when calling the DescribeServices operation" in found
    assert found.endswith(": Cluster not found.")
    found = refusal(client("iam").get_role, RoleName="missing")
    assert "(NoSuchEntity) when calling the GetRole operation" in found
    assert found.endswith(": Role missing not found")
    found = refusal(client("ec2").describe_subnets, SubnetIds=["subnet-0123"])
    assert "(InvalidSubnetID.NotFound) when calling the DescribeSubnets operation" in found
    found = refusal(client("cloudformation").describe_stacks, StackName="nothing")
    assert "(ValidationError) when calling the DescribeStacks operation" in found
    assert found.endswith(": Stack with id nothing does not exist")


DENIED = {
    ("ecs", "list_task_definitions"): "AccessDeniedException",
    ("ecr", "get_authorization_token"): "AccessDeniedException",
    ("cloudwatch", "describe_alarms"): "AccessDenied",
    ("cloudformation", "describe_stacks"): "AccessDenied",
    ("elbv2", "describe_load_balancers"): "AccessDenied",
}


@pytest.mark.parametrize(("service", "operation"), DENIED)
def test_a_denial_has_the_error_code_of_its_service(
    ground: Ground, client: OneTryClient, service: str, operation: str
) -> None:
    ask = getattr(client(service, "role/execution"), operation)
    if operation != "get_authorization_token":  # which the execution role is allowed
        found = refusal(ask)
        assert f"An error occurred ({DENIED[service, operation]}) when calling the " in found
        assert "because no identity-based policy allows the " in found
    ground.allow("execution", {"Effect": "Deny", "Action": "*", "Resource": "*"})
    explicit = refusal(ask)
    assert f"({DENIED[service, operation]})" in explicit
    assert "with an explicit deny in an identity-based policy" in explicit
    assert "User: arn:aws:sts::123456789012:assumed-role/execution/test is not" in explicit


@pytest.mark.parametrize(
    ("service", "operation", "error"),
    [
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("ecs", "list_clusters", "UnrecognizedClientException"),
    ],
)
def test_unknown_credentials_are_refused(
    client: OneTryClient, service: str, operation: str, error: str
) -> None:
    found = refusal(getattr(client(service, "nobody"), operation))
    assert f"An error occurred ({error}) when calling the " in found
    assert "The security token included in the request is invalid." in found


def test_a_principal_is_the_same_over_http_and_in_process(
    ground: Ground, client: OneTryClient
) -> None:
    ground.aws.client("iam").create_user(UserName="me")
    asked = [client("sts", who).get_caller_identity()["Arn"] for who in ("root", "user/me")]
    asked.append(client("sts", "role/execution").get_caller_identity()["Arn"])
    assert asked == [
        "arn:aws:iam::123456789012:root",
        "arn:aws:iam::123456789012:user/me",
        "arn:aws:sts::123456789012:assumed-role/execution/test",
    ]
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        client("sts", "nobody").get_caller_identity()


def test_permissions_are_the_same_over_http_and_in_process(
    ground: Ground, client: OneTryClient
) -> None:
    ecs = client("ecs", "role/execution")
    with pytest.raises(ClientError) as denied:
        ecs.list_tasks(cluster="cluster")
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
    ground.allow("execution", {"Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*"})
    assert ecs.list_tasks(cluster="cluster")["taskArns"] == []


def test_another_region_has_no_resources(client: OneTryClient) -> None:
    elsewhere = client("cloudformation", region="eu-north-1")
    with pytest.raises(ClientError, match="Stack with id app does not exist"):
        elsewhere.describe_stacks(StackName="app")


def test_a_member_that_is_not_simulated_is_an_error(ground: Ground, client: OneTryClient) -> None:
    with pytest.raises(ClientError, match="SimulationAtALoss"):
        client("cloudformation").describe_stacks(NextToken="2")
    with pytest.raises(AssertionError, match="NextToken"):
        ground.aws.check()


def test_the_call_log_has_principal_operation_and_result(
    ground: Ground, client: OneTryClient
) -> None:
    client("ecs").list_tasks(cluster="cluster")
    with pytest.raises(ClientError):
        client("ecr", "role/execution").describe_images(repositoryName="app")
    listed, described = ground.aws.calls
    assert (listed.name, listed.parameters, listed.status) == (
        "ecs:ListTasks",
        {"cluster": "cluster"},
        200,
    )
    assert (listed.principal, listed.error) == ("arn:aws:iam::123456789012:root", "")
    assert (described.name, described.parameters) == (
        "ecr:DescribeImages",
        {"repositoryName": "app"},
    )
    assert described.principal == "arn:aws:sts::123456789012:assumed-role/execution/test"
    assert (described.status, described.error) == (400, "AccessDeniedException")
    assert ground.aws.calls.changing == []


def test_parameters_are_logged_as_the_api_names_them_in_every_protocol(
    ground: Ground, client: OneTryClient
) -> None:
    client("elbv2").describe_target_groups(Names=["app-tg"])
    client("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": ["vpc-1"]}])
    assert [call.parameters for call in ground.aws.calls] == [
        {"Names": ["app-tg"]},
        {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]},
    ]


def test_a_fault_occurs_as_often_as_requested(ground: Ground, client: OneTryClient) -> None:
    ecs = client("ecs")
    ground.aws.faults.throttle("ecs:ListClusters", times=2)
    ground.aws.faults.refuse("ecs:ListTasks", "ServerException", "Later", status=500, after=1)
    seen = []
    for _ in range(3):
        for ask in ecs.list_clusters, lambda: ecs.list_tasks(cluster="cluster"):
            try:
                ask()
                seen.append("")
            except ClientError as error:
                seen.append(error.response["Error"]["Code"])
    assert seen == ["ThrottlingException", "", "ThrottlingException", "ServerException", "", ""]


def test_the_aws_cli_retries_a_throttled_call(aws: SimulatedAws) -> None:
    aws.faults.throttle("sts:GetCallerIdentity")
    assert cli(aws, "sts get-caller-identity").returncode == 0
    assert [call.error for call in aws.calls] == ["ThrottlingException", ""]


def test_a_token_can_expire_between_two_calls(ground: Ground, client: OneTryClient) -> None:
    ecs, iam = client("ecs"), client("iam")
    ground.aws.faults.expire_tokens(after=1)
    ecs.list_clusters()
    assert "(ExpiredTokenException)" in refusal(ecs.list_clusters)
    assert "(ExpiredToken)" in refusal(iam.list_roles)


def test_a_dropped_connection_returns_no_response(ground: Ground, client: OneTryClient) -> None:
    ecs = client("ecs")
    ground.aws.faults.drop("ecs:CreateCluster")
    with pytest.raises(ConnectionClosedError):
        ecs.create_cluster(clusterName="other")
    assert not ecs.describe_clusters(clusters=["other"])["clusters"], "it was not carried out"
    ground.aws.faults.lose_answer("ecs:CreateCluster")
    with pytest.raises(ConnectionClosedError):
        ecs.create_cluster(clusterName="other")
    assert ecs.describe_clusters(clusters=["other"])["clusters"], (
        "it was created, but the client did not see the response"
    )


def test_an_operation_that_is_not_simulated_is_an_error(
    ground: Ground, client: OneTryClient
) -> None:
    with pytest.raises(ClientError, match="what ecs:RunTask needs"):
        client("ecs", "role/execution").run_task(taskDefinition="app")
    with pytest.raises(AssertionError, match="at a loss"):
        ground.aws.check()


def test_a_response_that_does_not_match_the_api_is_an_error(
    ground: Ground, client: OneTryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground.aws.ecs, "list_tasks", lambda _: {"tasks": []})
    with pytest.raises(ClientError, match="would not answer so"):
        client("ecs").list_tasks(cluster="cluster")
    with pytest.raises(AssertionError, match='Unknown parameter in input: "tasks"'):
        ground.aws.check()


def test_a_reset_leaves_an_empty_account(ground: Ground) -> None:
    ground.serving()
    ground.aws.faults.throttle("ecs:ListClusters")
    ground.aws.reset()
    assert ground.client("ecs").list_clusters()["clusterArns"] == []
    assert ground.client("ecr").describe_repositories()["repositories"] == []
    assert ground.aws.calls.names == ["ecs:ListClusters", "ecr:DescribeRepositories"]
