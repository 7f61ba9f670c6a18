"""The account of a company: policies that demand a boundary, keys, buckets, a web ACL and tags."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator import boundaries
from simulator.fixtures import Ground
from simulator.policies import Need
from simulator.refusal import Refused
from simulator.resource_policies import lets_in

Json = dict[str, Any]
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
LOGS = "logs.us-east-1.amazonaws.com"


def refused(code: str, message: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\).*{message}")


def policy(ground: Ground, name: str, *actions: str) -> str:
    allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    made = ground.aws.client("iam").create_policy(
        PolicyName=name,
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )
    return str(made["Policy"]["Arn"])


def test_a_policy_of_the_organisation_denies_roles_without_its_boundary(ground: Ground) -> None:
    iam, demanded = ground.aws.client("iam"), policy(ground, "demanded", "*")
    ground.aws.world.service_control_policies.append(boundaries.demand(demanded))
    other = policy(ground, "other", "*")
    role = {"RoleName": "new", "AssumeRolePolicyDocument": TRUST}
    for more in {}, {"PermissionsBoundary": other}:
        with refused("AccessDenied", "explicit deny in a service control policy"):
            iam.create_role(**role, **more)
    iam.create_role(**role, PermissionsBoundary=demanded)
    with refused("AccessDenied", "iam:DeleteRolePermissionsBoundary"):
        iam.delete_role_permissions_boundary(RoleName="new")
    with refused("AccessDenied", "iam:PutRolePermissionsBoundary"):
        iam.put_role_permissions_boundary(RoleName="new", PermissionsBoundary=other)


def test_a_boundary_must_exist_and_limits_what_policies_allow(ground: Ground) -> None:
    iam, role = ground.aws.client("iam"), "execution"
    with refused("NoSuchEntity", "does not exist or is not attachable"):
        iam.put_role_permissions_boundary(
            RoleName=role, PermissionsBoundary="arn:aws:iam::123456789012:policy/none"
        )
    principals = ground.aws.world.principals
    asked = [Need("ecr:GetAuthorizationToken")]
    principals.check(principals.as_role(role, "test"), asked)
    boundary = policy(ground, "narrow", "logs:*")
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=boundary)
    with pytest.raises(Refused, match="no permissions boundary allows"):
        principals.check(principals.as_role(role, "test"), asked)
    iam.delete_role_permissions_boundary(RoleName=role)
    principals.check(principals.as_role(role, "test"), asked)


@pytest.mark.parametrize(
    ("statement", "decision", "missing"),
    [
        ({"Effect": "Allow", "Action": "*", "Resource": "*"}, "allowed", []),
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, "implicitDeny", []),
        (
            {
                "Effect": "Allow",
                "Action": "*",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
            },
            "implicitDeny",
            ["aws:RequestedRegion"],
        ),
    ],
)
def test_iam_simulates_a_policy_within_a_boundary(
    ground: Ground, statement: Json, decision: str, missing: list[str]
) -> None:
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    answer = ground.aws.client("iam").simulate_custom_policy(
        PolicyInputList=[json.dumps(everything)],
        PermissionsBoundaryPolicyInputList=[json.dumps({"Statement": [statement]})],
        ActionNames=["ecr:GetAuthorizationToken"],
        ResourceArns=["*"],
    )
    [result] = answer["EvaluationResults"]
    assert result["EvalDecision"] == decision
    assert result.get("MissingContextValues", []) == missing


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Principal": {"Service": LOGS}, "Action": "kms:*", "Resource": "*"}, True),
        ({"Principal": "*", "Action": "kms:Encrypt", "Resource": "*"}, True),
        (
            {"Principal": {"Service": "ecr.amazonaws.com"}, "Action": "kms:*", "Resource": "*"},
            False,
        ),
        ({"Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "kms:*", "Resource": "*"}, False),
        ({"Principal": {"Service": LOGS}, "Action": "kms:Decrypt", "Resource": "*"}, False),
    ],
)
def test_a_policy_allows_the_service_that_it_names(statement: Json, expected: bool) -> None:
    found = {"Statement": [{"Effect": "Allow"} | statement]}
    assert lets_in(found, LOGS, Need("kms:Encrypt")) == expected


def test_a_log_group_refuses_a_key_that_cloudwatch_logs_may_not_use(ground: Ground) -> None:
    kms, logs = ground.aws.client("kms"), ground.aws.client("logs")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    with refused("AccessDeniedException", "not allowed to be used with Arn"):
        logs.create_log_group(logGroupName="/a", kmsKeyId=key)
    logs.create_log_group(logGroupName="/a")
    with refused("AccessDeniedException", "not allowed to be used with Arn"):
        logs.associate_kms_key(logGroupName="/a", kmsKeyId=key)


def test_tasks_have_the_tags_that_their_service_had_when_they_started(ground: Ground) -> None:
    ecs = ground.aws.client("ecs")
    tags = [{"key": "team", "value": "a"}]
    ground.create_service(ground.register(), propagateTags="SERVICE", tags=tags)
    ground.watch()
    service = {"cluster": "cluster", "services": ["app"], "include": ["TAGS"]}
    [found] = ecs.describe_services(**service)["services"]
    assert found["tags"] == tags
    ecs.tag_resource(resourceArn=found["serviceArn"], tags=[{"key": "team", "value": "b"}])
    [task] = ecs.list_tasks(cluster="cluster")["taskArns"]
    asked = {"cluster": "cluster", "tasks": [task], "include": ["TAGS"]}
    [described] = ecs.describe_tasks(**asked)["tasks"]
    assert described["tags"] == tags
    ecs.untag_resource(resourceArn=found["serviceArn"], tagKeys=["team"])
    [found] = ecs.describe_services(**service)["services"]
    assert "tags" not in found
