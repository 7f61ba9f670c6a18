"""Policies of buckets and keys that let a service of AWS in."""

import json
from collections.abc import Collection
from typing import Any

from simulator.account import Account
from simulator.policies import Need, denial, listed
from simulator.refusal import Refused

Json = dict[str, Any]

# As which Elastic Load Balancing writes access logs, too, in the regions that had it before August
# 2022 ("Enable access logs for your Application Load Balancer", legacy bucket policies).
BALANCER_ACCOUNTS = {
    "af-south-1": "098369216593",
    "ap-east-1": "754344448648",
    "ap-northeast-1": "582318560864",
    "ap-northeast-2": "600734575887",
    "ap-northeast-3": "383597477331",
    "ap-south-1": "718504428378",
    "ap-southeast-1": "114774131450",
    "ap-southeast-2": "783225319266",
    "ap-southeast-3": "589379963580",
    "ca-central-1": "985666609251",
    "eu-central-1": "054676820928",
    "eu-north-1": "897822967062",
    "eu-south-1": "635631232127",
    "eu-west-1": "156460612806",
    "eu-west-2": "652711504416",
    "eu-west-3": "009996457667",
    "me-south-1": "076674570225",
    "sa-east-1": "507241528517",
    "us-east-1": "127311923021",
    "us-east-2": "033677994240",
    "us-west-1": "027434742980",
    "us-west-2": "797873946194",
}
BALANCER = "logdelivery.elasticloadbalancing.amazonaws.com"


def takes_access_logs(account: Account, bucket: str, key: str) -> bool:
    """Whether a bucket exists, in the region of the load balancers, encrypts with keys of S3, and
    has a policy that lets Elastic Load Balancing write an object."""
    try:
        policy = account.moto("s3", "GetBucketPolicy", {"Bucket": bucket})["Policy"]
        place = account.moto("s3", "GetBucketLocation", {"Bucket": bucket})["LocationConstraint"]
    except Refused:
        return False
    arn = f"arn:{account.partition}:s3:::{bucket}/{key}"
    old = BALANCER_ACCOUNTS.get(account.region, "")
    return (
        (place or "us-east-1") == account.region
        and not has_key(account, bucket)
        and lets_in(
            json.loads(policy),
            {BALANCER, old, f"arn:{account.partition}:iam::{old}:root"},
            Need("s3:PutObject", arn),
        )
    )


def has_key(account: Account, bucket: str) -> bool:
    """Whether a bucket encrypts with a KMS key."""
    try:
        found = account.moto("s3", "GetBucketEncryption", {"Bucket": bucket})
    except Refused:
        return False
    [rule] = found["ServerSideEncryptionConfiguration"]["Rules"]
    return bool(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] != "AES256")


def key_lets_in(account: Account, key: str, service: str, context: Json) -> bool:
    """Whether a key exists and its policy lets a service encrypt with it."""
    try:
        asked = {"KeyId": key, "PolicyName": "default"}
        text = account.moto("kms", "GetKeyPolicy", asked)["Policy"]
    except Refused:
        return False
    policy = json.loads(text)
    return all(
        lets_in(policy, {service}, Need(action, "*", context))
        for action in ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey")
    )


def key_is_enabled(account: Account, key: str) -> bool:
    """Whether a key exists, and is neither disabled nor about to be deleted."""
    try:
        found = account.moto("kms", "DescribeKey", {"KeyId": key})["KeyMetadata"]
    except Refused:
        return False
    return bool(found["KeyState"] == "Enabled")


def lets_in(policy: Json, who: Collection[str], need: Need) -> bool:
    """Whether statements for one of these principals, or for all, allow it."""
    statements = []
    for statement in listed(policy["Statement"]):
        named = statement["Principal"]
        every = [named] if named == "*" else [p for each in named.values() for p in listed(each)]
        if any(each == "*" or each in who for each in every):
            statements.append({k: each for k, each in statement.items() if k != "Principal"})
    return denial([{"Statement": statements}], need) is None
