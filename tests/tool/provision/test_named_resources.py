"""Keys, buckets and web ACLs that settings name: those that AWS could not use are refused first."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.checkout import Checkout
from tests.support.company_settings import (
    ACCOUNT,
    BUCKET,
    create_bucket,
    create_key,
    create_log_key,
    create_web_acl,
)

Aws = Any  # simulator.simulation.SimulatedAws
WRITER = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
KEYS = ("security.log_key", "permissions.secrets_key")


def refuse(checkout: Checkout, error: str, *words: str) -> None:
    """Plan and provision end alike, before anything changes."""
    for command in ("provision", "--plan"), ("provision",):
        run = checkout.administer(*command).expect(2, error).expect_no_change()
        for each in words:
            assert each in run.err


def provision(checkout: Checkout) -> str:
    return checkout.administer("provision").expect(0).err


def id_of(key: str) -> str:
    return key.rpartition("/")[2]


# --- keys ---


def disable(aws: Aws, key: str) -> None:
    aws.client("kms").disable_key(KeyId=id_of(key))


def schedule_deletion(aws: Aws, key: str) -> None:
    aws.client("kms").schedule_key_deletion(KeyId=id_of(key), PendingWindowInDays=7)


@pytest.mark.parametrize("setting", KEYS)
def test_a_key_that_does_not_exist(running: Checkout, setting: str) -> None:
    running.set(setting, create_log_key(running.aws)[:-4] + "0000")
    refuse(running, "key-missing", "aws kms list-keys --region us-east-1")


def test_a_key_of_a_new_repository_that_does_not_exist(new: Checkout) -> None:
    new.set("security.repository_key", create_key(new.aws)[:-4] + "0000")
    refuse(new, "key-missing", "[security] repository_key")


@pytest.mark.parametrize("setting", KEYS)
@pytest.mark.parametrize(
    ("spoil", "command"),
    [(disable, "enable-key"), (schedule_deletion, "cancel-key-deletion")],
    ids=["disabled", "to be deleted"],
)
def test_a_key_that_cannot_be_used(
    running: Checkout, setting: str, spoil: Callable[[Aws, str], None], command: str
) -> None:
    key = create_log_key(running.aws)
    spoil(running.aws, key)
    running.set(setting, key)
    refuse(running, "key-unusable", f"aws kms {command} --region us-east-1 --key-id {id_of(key)}")


def test_an_asymmetric_key(running: Checkout) -> None:
    made = running.aws.client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")
    running.set("security.log_key", made["KeyMetadata"]["Arn"])
    refuse(running, "key-unusable", "RSA_2048")


def test_a_key_whose_policy_has_no_statement_for_the_log(running: Checkout) -> None:
    running.set("security.log_key", create_key(running.aws))
    refuse(running, "log-key-closed", "allow the service logs.us-east-1.amazonaws.com")


def test_a_key_that_was_disabled_later_is_a_warning(running: Checkout) -> None:
    """No other change depends on it."""
    key = create_log_key(running.aws)
    running.set("security.log_key", key)
    provision(running)
    disable(running.aws, key)
    running.set("logs.retention_days", 7)
    assert "its state is Disabled" in provision(running)


@pytest.mark.parametrize("operation", ["kms:DescribeKey", "kms:GetKeyPolicy"])
def test_a_key_that_may_not_be_looked_at_is_left_to_aws(running: Checkout, operation: str) -> None:
    running.set("security.log_key", create_log_key(running.aws))
    running.aws.faults.refuse(operation, "AccessDeniedException", "not allowed")
    provision(running)


# --- the bucket of access logs ---


def statement(principal: object, path: str = "") -> dict[str, object]:
    return {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/{path}AWSLogs/{ACCOUNT}/*",
    }


def put_policy(aws: Aws, *statements: dict[str, object]) -> None:
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    aws.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))


def test_a_bucket_that_does_not_exist(running: Checkout) -> None:
    running.set("security.access_logs_bucket", BUCKET)
    refuse(running, "bucket-missing", BUCKET)


def test_a_bucket_without_a_policy(running: Checkout) -> None:
    running.aws.client("s3").create_bucket(Bucket=BUCKET)
    running.set("security.access_logs_bucket", BUCKET)
    refuse(running, "bucket-unusable", f"arn:aws:s3:::{BUCKET}/AWSLogs/{ACCOUNT}/*")


@pytest.mark.parametrize(
    "wrong",
    [
        statement(WRITER, "logs/"),
        statement({"Service": "logs.amazonaws.com"}),
        statement({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        {**statement(WRITER), "Action": "s3:GetObject"},
        {**statement(WRITER), "Effect": "Deny"},
    ],
    ids=["another folder", "another service", "this account", "another action", "denied"],
)
def test_a_bucket_whose_policy_lets_no_load_balancer_in(
    running: Checkout, wrong: dict[str, object]
) -> None:
    create_bucket(running.aws)
    put_policy(running.aws, wrong)
    running.set("security.access_logs_bucket", BUCKET)
    refuse(running, "bucket-unusable", "no statement of its policy allows that")


@pytest.mark.parametrize(
    "right",
    [
        statement({"AWS": "arn:aws:iam::127311923021:root"}),
        statement({"AWS": "127311923021"}),
        statement("*"),
        {**statement(WRITER), "Action": ["s3:Put*"], "Resource": f"arn:aws:s3:::{BUCKET}/*"},
    ],
    ids=["the account of older regions", "its number", "everybody", "with wildcards"],
)
def test_other_ways_to_let_the_load_balancer_in(
    running: Checkout, right: dict[str, object]
) -> None:
    create_bucket(running.aws)
    put_policy(running.aws, right)
    running.set("security.access_logs_bucket", BUCKET)
    provision(running)


def test_a_bucket_in_another_region(running: Checkout) -> None:
    running.aws.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    put_policy(running.aws, statement(WRITER))
    running.set("security.access_logs_bucket", BUCKET)
    refuse(running, "bucket-unusable", "it is in eu-west-1")


def test_a_bucket_with_a_key_of_its_own(running: Checkout) -> None:
    create_bucket(running.aws)
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    running.aws.client("s3").put_bucket_encryption(
        Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [default]}
    )
    running.set("security.access_logs_bucket", BUCKET)
    refuse(running, "bucket-unusable", f"aws s3api delete-bucket-encryption --bucket {BUCKET}")


@pytest.mark.parametrize(
    "operation", ["GetBucketLocation", "GetBucketEncryption", "GetBucketPolicy"]
)
def test_a_bucket_of_another_account_may_not_be_looked_at(
    running: Checkout, operation: str
) -> None:
    create_bucket(running.aws)
    running.set("security.access_logs_bucket", BUCKET)
    running.aws.faults.refuse(f"s3:{operation}", "AccessDenied", "not allowed")
    provision(running)


# --- the web ACL ---


@contextmanager
def another_web_acl(checkout: Checkout) -> Iterator[str]:
    """One that something else than the stack associates, and at last takes away."""
    aws = checkout.aws
    [balancer] = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    arn, other = balancer["LoadBalancerArn"], create_web_acl(aws, "other")
    aws.client("wafv2").associate_web_acl(WebACLArn=other, ResourceArn=arn)
    yield other
    found = aws.client("wafv2").get_web_acl_for_resource(ResourceArn=arn)
    assert found["WebACL"]["ARN"] == other, "without a setting, a web ACL of the owner stays"
    aws.client("wafv2").disassociate_web_acl(ResourceArn=arn)


def test_a_web_acl_that_does_not_exist(running: Checkout) -> None:
    wanted = create_web_acl(running.aws)
    running.set("security.web_acl", wanted.replace("company", "another"))
    refuse(running, "web-acl-missing", "aws wafv2 list-web-acls --scope REGIONAL")


def test_a_web_acl_that_the_load_balancer_has_from_elsewhere_stays(running: Checkout) -> None:
    with another_web_acl(running) as other:
        provision(running)
        for wanted in create_web_acl(running.aws), other:
            running.set("security.web_acl", wanted)
            refuse(running, "web-acl-taken", other, "aws wafv2 disassociate-web-acl")
    provision(running)


def test_a_web_acl_that_took_the_place_of_the_stacks_stays(running: Checkout) -> None:
    own = create_web_acl(running.aws)
    running.set("security.web_acl", own)
    provision(running)
    with another_web_acl(running) as other:
        refuse(running, "web-acl-taken", other)
        running.set("security.web_acl", "")
        refuse(running, "web-acl-taken", other)
