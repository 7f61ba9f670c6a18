"""The account of a company: policies that demand a boundary, keys, buckets, a web ACL and tags."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator import boundaries
from simulator.fixtures import Ground
from simulator.policies import Need
from simulator.refusal import Refused
from simulator.resource_policies import lets_in, takes_access_logs

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
    assert lets_in(found, {LOGS}, Need("kms:Encrypt")) == expected


def test_a_log_group_refuses_a_key_that_cloudwatch_logs_may_not_use(ground: Ground) -> None:
    kms, logs = ground.aws.client("kms"), ground.aws.client("logs")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    with refused("AccessDeniedException", "not allowed to be used with Arn"):
        logs.create_log_group(logGroupName="/a", kmsKeyId=key)
    logs.create_log_group(logGroupName="/a")
    with refused("AccessDeniedException", "not allowed to be used with Arn"):
        logs.associate_kms_key(logGroupName="/a", kmsKeyId=key)


def disable(kms: Any, key: str) -> None:
    kms.disable_key(KeyId=key)


def delete(kms: Any, key: str) -> None:
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


@pytest.mark.parametrize("spoil", [disable, delete])
def test_a_key_that_is_not_enabled_is_refused(
    ground: Ground, spoil: Callable[[Any, str], None]
) -> None:
    aws = ground.aws
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]
    spoil(kms, key["KeyId"])
    with refused("InvalidParameterException", "is not enabled"):
        aws.client("logs").create_log_group(logGroupName="/a", kmsKeyId=key["Arn"])
    with refused("KmsException", "cannot be used"):
        aws.client("ecr").create_repository(
            repositoryName="images",
            encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key["Arn"]},
        )


WRITER = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
KEYS_OF_S3, KEY_OF_KMS = "AES256", "aws:kms"


@pytest.mark.parametrize(
    ("region", "principal", "encryption", "is_taken"),
    [
        ("us-east-1", WRITER, KEYS_OF_S3, True),
        ("us-east-1", {"AWS": "arn:aws:iam::127311923021:root"}, KEYS_OF_S3, True),
        ("us-east-1", {"AWS": "arn:aws:iam::123456789012:root"}, KEYS_OF_S3, False),
        ("us-east-1", WRITER, KEY_OF_KMS, False),
        ("eu-west-1", WRITER, KEYS_OF_S3, False),
    ],
    ids=["right", "the account of older regions", "this account", "a KMS key", "another region"],
)
def test_a_load_balancer_writes_access_logs_into_a_bucket_that_lets_it(
    ground: Ground, region: str, principal: Json, encryption: str, is_taken: bool
) -> None:
    s3, name = ground.aws.client("s3"), "access-logs"
    there = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **(there if region != "us-east-1" else {}))
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": encryption}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [default]})
    allowed = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{name}/AWSLogs/123456789012/*",
    }
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Statement": [allowed]}))
    assert takes_access_logs(ground.aws.account, name, "AWSLogs/123456789012/x") == is_taken


def test_prefix_lists_must_exist_and_count_with_all_their_entries(ground: Ground) -> None:
    ec2 = ground.aws.client("ec2")
    with refused("InvalidPrefixListID.NotFound", "pl-0a1b2c3d"):
        ec2.describe_managed_prefix_lists(PrefixListIds=["pl-0a1b2c3d"])
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="a", Description="a", VpcId=vpc)["GroupId"]
    made = ec2.create_managed_prefix_list(
        PrefixListName="all", MaxEntries=60, AddressFamily="IPv4"
    )["PrefixList"]
    lists = [{"PrefixListId": made["PrefixListId"]}]
    with refused("RulesPerSecurityGroupLimitExceeded", "maximum number of rules"):
        ec2.authorize_security_group_egress(
            GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "PrefixListIds": lists}]
        )


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
