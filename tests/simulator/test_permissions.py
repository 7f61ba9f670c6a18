"""Who may do what: policies with resources, conditions and roles that are passed on."""

import json
import re
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator import permissions
from simulator.account import Account
from simulator.fixtures import Ground, policy
from simulator.permissions import TABLES
from simulator.policies import Need, Unknown, conditions_hold, denial, matches_arn

Json = dict[str, Any]

SERVICE = "arn:aws:ecs:us-east-1:123456789012:service/cluster/app"


def allow(*actions: str, resource: str = "*", **condition: Json) -> Json:
    statement: Json = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


# --- how IAM decides ---


def document(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_only_a_matching_statement_allows() -> None:
    need = Need("ecs:UpdateService", SERVICE)
    fitting = [
        allow("ecs:UpdateService", resource=SERVICE),
        allow("ECS:update*", resource="*"),
        allow("*", resource="arn:aws:ecs:*:123456789012:service/cluster/*"),
    ]
    others = [
        allow("ecs:UpdateServices", resource=SERVICE),
        allow("ecs:UpdateService", resource=SERVICE + "2"),
        allow("ecs:UpdateService", resource="arn:aws:ecs:*"),
    ]
    assert [denial([document(s)], need) for s in fitting] == [None] * 3
    assert all(denial([document(s)], need) for s in others)
    assert denial([document(*others), document(fitting[0])], need) is None


def test_a_denial_takes_precedence_over_an_allowance() -> None:
    policies = [document(allow("*")), document(allow("ecs:*") | {"Effect": "Deny"})]
    assert denial(policies, Need("ecs:UpdateService", SERVICE)) == (
        "with an explicit deny in an identity-based policy"
    )
    assert denial(policies, Need("ecr:PutImage", "arn:aws:ecr:r:a:repository/x")) is None


def test_an_action_without_resources_is_not_allowed_on_one() -> None:
    need = Need("ecr:GetAuthorizationToken")
    on_one = allow("ecr:GetAuthorizationToken", resource="arn:aws:ecr:r:1:repository/app")
    assert denial([document(on_one)], need)


def test_a_wildcard_does_not_leave_its_part_of_an_arn() -> None:
    assert matches_arn("arn:aws:ecs:us-east-1:*:service/cluster/a*", SERVICE)
    assert not matches_arn("arn:aws:ecs:*:service/cluster/app", SERVICE)


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "holds"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", "b", False),
        ("StringLike", "a*", "ab", True),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", "a", None, True),
        ("ArnLike", "arn:aws:ecs:*:*:service/cluster/*", SERVICE, True),
        ("ArnEquals", SERVICE, SERVICE, True),
        ("ArnLikeIfExists", "arn:aws:ecs:*:*:cluster/*", SERVICE, False),
        ("Bool", "true", "True", True),
        ("Null", "true", None, True),
        ("Null", "true", ["a"], False),
        ("Null", "false", "a", True),
        ("ForAnyValue:StringEquals", ["a"], ["a", "b"], True),
        ("ForAnyValue:StringEquals", ["a"], None, False),
        ("ForAnyValue:StringNotEquals", ["a", "b"], ["a", "c"], True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], ["b", "a"], False),
        ("ForAnyValue:StringNotEquals", ["a", "b"], None, False),
        ("ForAllValues:StringLike", ["a*"], ["a", "ab"], True),
        ("ForAllValues:StringLike", ["a*"], ["a", "b"], False),
        ("ForAllValues:StringLike", ["a*"], None, True),
        ("ForAllValues:StringEquals", ["a"], "a", True),
    ],
)
def test_conditions(operator: str, wanted: Any, found: Any, holds: bool) -> None:
    context = {"ECS:Key": found} if found else {}
    assert conditions_hold({operator: {"ecs:key": wanted}}, context) is holds


def test_an_unsupported_statement_is_an_error() -> None:
    need = Need("ecs:UpdateService", SERVICE, {"aws:username": "me", "key": "1", "keys": ["1"]})
    for odd in (
        allow("ecs:*", NumericLessThan={"key": "2"}),
        allow("ecs:*", NumericLessThan={"absent": "2"}),
        allow("ecs:*", StringEquals={"keys": "1"}),
        allow("ecs:*") | {"Condition": {"ForSomeValues:StringEquals": {"keys": "1"}}},
        allow("ecs:*") | {"Condition": {"ForAnyValue:NumericLessThan": {"keys": "1"}}},
        allow("ecs:*", resource=SERVICE.replace("app", "${aws:username}")),
        allow("ecs:*") | {"NotAction": "ecs:DeleteService"},
    ):
        with pytest.raises(Unknown):
            denial([document(odd)], need)


# --- what calls need ---

PARAMETERS: Json = {
    "cluster": "cluster",
    "clusters": ["cluster"],
    "family": "app",
    "service": "app",
    "serviceName": "app",
    "services": ["app"],
    "tasks": ["task"],
    "taskDefinition": "app:1",
    "resourceArn": SERVICE,
    "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
    "tags": [{"key": "commit", "value": "1"}],
    "enableExecuteCommand": True,
    "serviceDeploymentArns": ["arn:aws:ecs:us-east-1:123456789012:service-deployment/c/s/1"],
    "serviceRevisionArns": ["arn:aws:ecs:us-east-1:123456789012:service-revision/c/s/1"],
    "repositoryName": "app",
    "StackName": "app",
    "logGroupName": "/ecs/app",
    "logStreamName": "ecs/app/1",
    "ServiceNamespace": "ecs",
    "ScalableDimension": "ecs:service:DesiredCount",
    "ResourceId": "service/cluster/app",
    "SecretId": "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-abcdef",
    "Names": ["/app/key"],
    "AlarmName": "app",
}
# Actions for which IAM decides otherwise than its reference says; permissions.py says why.
OTHERWISE = {"ecs:ListTasks", "ecs:ListServices"}


@cache
def reference() -> list[Json]:
    """The Service Authorization Reference, as parliament brings it; to import that takes long."""
    package = find_spec("parliament")
    assert package
    assert package.origin
    services: list[Json] = json.loads(
        Path(package.origin).with_name("iam_definition.json").read_text()
    )
    return services


def every_need() -> list[Need]:
    account = Account("123456789012", "us-east-1")
    return list(
        chain.from_iterable(
            permissions.needs(service, operation, PARAMETERS, account)
            for service, table in TABLES.items()
            for operation in table
        )
    )


@pytest.mark.parametrize("need", every_need(), ids=lambda need: need.action)
def test_the_reference_has_each_action_on_a_resource_of_this_type(need: Need) -> None:
    prefix, name = need.action.split(":")
    services = [service for service in reference() if service["prefix"] == prefix]
    actions = {a["privilege"]: a for service in services for a in service["privileges"]}
    assert name in actions, f"{need.action} is no action: correct simulator/permissions.py"
    kinds = {r["resource_type"].rstrip("*") for r in actions[name]["resource_types"]} - {""}
    resources = chain.from_iterable(service["resources"] for service in services)
    patterns = [resource["arn"] for resource in resources if resource["resource"] in kinds]
    if need.resource == "*":
        assert not kinds or need.action in OTHERWISE, f"{need.action} takes {sorted(kinds)}"
        return
    globs = [re.sub(r"\$\{[^}]+\}", "*", pattern) for pattern in patterns]
    assert any(matches_arn(glob, need.resource) for glob in globs), f"{globs} for {need}"


def test_a_call_needs_every_resource_that_the_reference_requires() -> None:
    asked: dict[str, set[str]] = {}
    for need in every_need():
        asked.setdefault(need.action, set()).add(need.resource)
    for service in reference():
        for action in service["privileges"]:
            name = f"{service['prefix']}:{action['privilege']}"
            kinds = {r["resource_type"] for r in action["resource_types"]}
            required = {kind.rstrip("*") for kind in kinds if kind.endswith("*")}
            for kind in service["resources"]:
                if kind["resource"] in required and name in asked.keys() - OTHERWISE:
                    glob = re.sub(r"\$\{[^}]+\}", "*", kind["arn"])
                    assert any(matches_arn(glob, arn) for arn in asked[name]), (
                        f"{name} is about a {kind['resource']}, too: add it to permissions.py"
                    )


def test_passing_a_role_needs_permission(ground: Ground) -> None:
    ground.role("deploy", {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"})
    register = allow("ecs:RegisterTaskDefinition")
    role = "arn:aws:iam::123456789012:role/execution"
    to_ecs = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    to_ec2 = {"iam:PassedToService": "ec2.amazonaws.com"}
    ecs = ground.client("ecs", "role/deploy")
    for passing, denied in (
        ([], True),
        ([allow("iam:PassRole", resource=role + "2")], True),
        ([allow("iam:PassRole", resource=role, StringEquals=to_ec2)], True),
        ([allow("iam:PassRole", resource=role, StringEquals=to_ecs)], False),
    ):
        ground.allow("deploy", register, *passing)
        if denied:
            with pytest.raises(ClientError, match=f"iam:PassRole on resource: {role}"):
                ecs.register_task_definition(**ground.definition())
        else:
            ecs.register_task_definition(**ground.definition())


def test_conditions_can_refer_to_tags_and_the_revision(ground: Ground) -> None:
    ground.role("deploy", {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"})
    ground.serving()
    family = "arn:aws:ecs:us-east-1:123456789012:task-definition/app:*"
    ecs = ground.client("ecs", "role/deploy")
    ground.allow("deploy", allow("ecs:RegisterTaskDefinition"), allow("iam:PassRole"))
    tags = [{"key": "commit", "value": "1"}]
    with pytest.raises(ClientError, match=r"ecs:TagResource on resource: .*task-definition/app:\*"):
        ecs.register_task_definition(**ground.definition(), tags=tags)
    revision = {"ecs:task-definition": family}
    ground.allow("deploy", allow("ecs:UpdateService", resource=SERVICE, ArnLike=revision))
    ecs.update_service(cluster="cluster", service="app", taskDefinition="app:1")
    with pytest.raises(ClientError, match="ecs:UpdateService on resource"):
        ecs.update_service(cluster="cluster", service="app", taskDefinition="other:1")


NETWORK = {"subnets": ["subnet-1", "subnet-2"], "assignPublicIp": "ENABLED"}


@pytest.mark.parametrize("operation", ["CreateService", "UpdateService"])
@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ({}, {}),
        (
            {"networkConfiguration": {"awsvpcConfiguration": NETWORK}},
            {"ecs:subnet": ["subnet-1", "subnet-2"], "ecs:auto-assign-public-ip": "true"},
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}},
            {"ecs:subnet": ["subnet-1"], "ecs:auto-assign-public-ip": "false"},
        ),
        ({"enableExecuteCommand": True}, {"ecs:enable-execute-command": "true"}),
    ],
)
def test_a_request_has_the_condition_keys_of_its_parameters(
    operation: str, given: Json, keys: Json
) -> None:
    account = Account("123456789012", "us-east-1")
    named = {"cluster": "c", "service": "s", "serviceName": "s"}
    [need] = permissions.needs("ecs", operation, named | given, account)
    cluster = "arn:aws:ecs:us-east-1:123456789012:cluster/c"
    assert need.context == {"ecs:cluster": cluster} | keys


def test_the_alarm_of_a_scaling_policy_has_the_key_of_its_action() -> None:
    account = Account("123456789012", "us-east-1")
    asked = PARAMETERS | {"PolicyName": "cpu"}
    needs = permissions.needs("application-autoscaling", "PutScalingPolicy", asked, account)
    contexts = [each.context for each in needs if each.action == "cloudwatch:PutMetricAlarm"]
    resource = "resource/ecs/service/cluster/app:policyName/cpu"
    policy = f"arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:0-0:{resource}"
    assert contexts == [{}, {"cloudwatch:AlarmActions": [policy]}], "the probe names no alarm"


def test_a_user_has_the_permissions_of_its_groups(ground: Ground) -> None:
    iam = ground.aws.client("iam")
    iam.create_user(UserName="deployer")
    ecs = ground.client("ecs", "user/deployer")
    with pytest.raises(ClientError, match="arn:aws:iam::123456789012:user/deployer is not"):
        ecs.describe_services(cluster="cluster", services=["app"])
    iam.create_group(GroupName="deployers")
    document = policy(allow("ecs:DescribeServices", resource=SERVICE))
    iam.put_group_policy(GroupName="deployers", PolicyName="p", PolicyDocument=document)
    iam.add_user_to_group(GroupName="deployers", UserName="deployer")
    assert ecs.describe_services(cluster="cluster", services=["app"])["failures"]
    with pytest.raises(ClientError, match="service/cluster/neighbour"):
        ecs.describe_services(cluster="cluster", services=["neighbour"])


# --- how GitHub gets in ---

HOST = "token.actions.githubusercontent.com"


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (f"{HOST}|sts.amazonaws.com|repo:me/app:ref:refs/heads/main", None),
        (f"{HOST}|sts.amazonaws.com|repo:me/app:ref:refs/heads/other", "Not authorized to perform"),
        (f"{HOST}|elsewhere|repo:me/app:ref:refs/heads/main", "Incorrect token audience"),
        ("example.com|sts.amazonaws.com|x", "No OpenIDConnect provider found"),
    ],
)
def test_a_role_trusts_one_subject_of_one_provider(
    ground: Ground, token: str, error: str | None
) -> None:
    iam = ground.aws.client("iam")
    provider = iam.create_open_id_connect_provider(
        Url=f"https://{HOST}", ClientIDList=["sts.amazonaws.com"]
    )["OpenIDConnectProviderArn"]
    subject = {
        f"{HOST}:aud": "sts.amazonaws.com",
        f"{HOST}:sub": "repo:me/app:ref:refs/heads/main",
    }
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": subject},
    }
    role = ground.role("github", trust, allow("ecs:ListTaskDefinitions"))
    asked = {"RoleArn": role, "RoleSessionName": "run-1", "WebIdentityToken": token}
    sts = ground.client("sts")
    if error:
        with pytest.raises(ClientError, match=error):
            sts.assume_role_with_web_identity(**asked)
        return
    given = sts.assume_role_with_web_identity(**asked)
    assert given["SubjectFromWebIdentityToken"] == "repo:me/app:ref:refs/heads/main"
    assert given["AssumedRoleUser"]["Arn"].endswith(":assumed-role/github/run-1")
    assert given["Credentials"]["AccessKeyId"] in ground.aws.world.principals.sessions


def test_only_a_trusted_principal_can_assume_a_role(ground: Ground) -> None:
    me = "arn:aws:iam::123456789012:root"
    trusting = {"Effect": "Allow", "Principal": {"AWS": me}, "Action": "sts:AssumeRole"}
    role = ground.role("admin", trusting)
    sts = ground.client("sts")
    assert sts.assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]["SessionToken"]
    execution = "arn:aws:iam::123456789012:role/execution"
    for arn in execution, execution + "2":
        with pytest.raises(ClientError, match="sts:AssumeRole on resource: "):
            sts.assume_role(RoleArn=arn, RoleSessionName="me")
