"""Policies of buckets and keys that let a service of AWS in."""

import json
from typing import Any

from simulator.account import Account
from simulator.policies import Need, denial, listed
from simulator.refusal import Refused

Json = dict[str, Any]


def bucket_lets_in(account: Account, bucket: str, service: str, action: str, key: str) -> bool:
    """Whether a bucket exists and its policy lets a service do something with an object."""
    try:
        text = account.moto("s3", "GetBucketPolicy", {"Bucket": bucket})["Policy"]
    except Refused:
        return False
    arn = f"arn:{account.partition}:s3:::{bucket}/{key}"
    return lets_in(json.loads(text), service, Need(action, arn))


def key_lets_in(account: Account, key: str, service: str, context: Json) -> bool:
    """Whether a key exists and its policy lets a service encrypt with it."""
    try:
        asked = {"KeyId": key, "PolicyName": "default"}
        text = account.moto("kms", "GetKeyPolicy", asked)["Policy"]
    except Refused:
        return False
    policy = json.loads(text)
    return all(
        lets_in(policy, service, Need(action, "*", context))
        for action in ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey")
    )


def key_exists(account: Account, key: str) -> bool:
    try:
        account.moto("kms", "DescribeKey", {"KeyId": key})
    except Refused:
        return False
    return True


def lets_in(policy: Json, service: str, need: Need) -> bool:
    """Whether statements for this service, or for all principals, allow it."""
    statements = []
    for statement in listed(policy["Statement"]):
        who = statement["Principal"]
        if who == "*" or service in listed(who.get("Service", [])):
            statements.append({k: each for k, each in statement.items() if k != "Principal"})
    return denial([{"Statement": statements}], need) is None
