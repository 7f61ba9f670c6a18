"""[security] access_logs_bucket: whether Elastic Load Balancing can write to the bucket.

Source: "Enable access logs for your Application Load Balancer" (Elastic Load Balancing User
Guide). A bucket of another account need not be visible: then CloudFormation finds out.
"""

import json
from collections.abc import Mapping

from infra.tool.aws_errors import AwsError, Kind, tolerating
from infra.tool.errors import Problem, ToolError
from infra.tool.provision.resource_policies import Use, may_allow
from infra.tool.settings import Settings
from infra.tool.target import Target

MISSING = Problem(
    "bucket-missing",
    "the bucket {bucket}, which [security] access_logs_bucket in infra/settings.toml names, does "
    "not exist",
    "name a bucket of {region}: aws s3api list-buckets --bucket-region {region} shows them",
)
UNUSABLE = Problem(
    "bucket-unusable",
    "Elastic Load Balancing cannot write access logs to the bucket {bucket}: {why}",
    "{remedy}",
)
OPEN = (
    "the bucket {bucket} must be in this region, must not use a KMS key, and its policy must allow "
    "the service {service} the action s3:PutObject on {objects}; correct that, or set [security] "
    "access_logs_bucket to another bucket; then {again}"
)
SERVICE = "logdelivery.elasticloadbalancing.amazonaws.com"
# LocationConstraint of GetBucketLocation (S3 API Reference), where it is no name of a region.
REGIONS = {"": "us-east-1", "EU": "eu-west-1"}


def check(target: Target, had: Mapping[str, str]) -> None:
    """Raises ToolError if a bucket that the load balancer is to get cannot be used. `had` are the
    parameters of the stack; a bucket that it has already is a warning."""
    bucket = target.settings.security.access_logs_bucket
    found = problem(target, bucket) if bucket else None
    if found and had.get("AccessLogsBucket") != bucket:
        raise found
    if found:
        target.runtime.console.warn(f"{found.message}. To mend it: {found.remedy}")


def problem(target: Target, bucket: str) -> ToolError | None:
    """Why access logs are certain not to be written; None if S3 does not let this account ask."""
    try:
        return elsewhere(target, bucket) or encrypted(target, bucket) or closed(target, bucket)
    except AwsError as error:
        if error.aws_code == "NoSuchBucket":
            return MISSING(bucket=bucket, region=target.settings.service.region)
        if error.kind in (Kind.DENIED, Kind.REFUSED):
            return None
        raise


def elsewhere(target: Target, bucket: str) -> ToolError | None:
    found = target.aws.s3.get_bucket_location(Bucket=bucket).get("LocationConstraint") or ""
    at, region = REGIONS.get(found, found), target.settings.service.region
    if at == region:
        return None
    return UNUSABLE(
        bucket=bucket,
        why=f"it is in {at}, and the load balancer in {region}",
        remedy=f"name a bucket of {region} in [security] access_logs_bucket; then {target.again}",
    )


def encrypted(target: Target, bucket: str) -> ToolError | None:
    answer = target.aws.s3.get_bucket_encryption(Bucket=bucket)
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    defaults = [each.get("ApplyServerSideEncryptionByDefault", {}) for each in rules]
    if all(each.get("SSEAlgorithm", "AES256") == "AES256" for each in defaults):
        return None
    return UNUSABLE(
        bucket=bucket,
        why="it encrypts with a KMS key",
        remedy="let it encrypt with keys of S3 (SSE-S3): "
        f"aws s3api delete-bucket-encryption --bucket {bucket}; then {target.again}",
    )


def closed(target: Target, bucket: str) -> ToolError | None:
    policy = json.dumps({"Statement": []})
    with tolerating("NoSuchBucketPolicy"):
        policy = target.aws.s3.get_bucket_policy(Bucket=bucket)["Policy"]
    if may_allow(policy, use(target.settings)):
        return None
    return UNUSABLE(
        bucket=bucket,
        why="no statement of its policy allows that",
        remedy=remedy(target.settings, target.again),
    )


# --- pure ---


def use(settings: Settings) -> Use:
    """In older regions the load balancer may write as an account of AWS, which a bucket policy then
    names instead of the service."""
    own = settings.service.account

    def is_writer(principal: str) -> bool:
        return principal == SERVICE or (not principal.endswith(".com") and own not in principal)

    return Use(is_writer, "s3:PutObject", f"{folder(settings)}/ELBAccessLogTestFile")


def folder(settings: Settings) -> str:
    """The ARN that all access logs of the account begin with."""
    service, bucket = settings.service, settings.security.access_logs_bucket
    return f"arn:{service.partition}:s3:::{bucket}/AWSLogs/{service.account}"


def remedy(settings: Settings, again: str) -> str:
    """How Elastic Load Balancing is let in."""
    bucket, objects = settings.security.access_logs_bucket, f"{folder(settings)}/*"
    return OPEN.format(bucket=bucket, objects=objects, service=SERVICE, again=again)
