"""ECR's scan of the service's image: read, and awaited if [deploy] max_severity sets a limit."""

import json

from infra.tool import scan
from infra.tool.aws import Aws
from infra.tool.aws_errors import AwsError, Kind
from infra.tool.errors import ExitCode, Problem, ToolError
from infra.tool.progress import View, progress
from infra.tool.scan import NO_SCAN, Lack, Scan, Verdict, as_scan
from infra.tool.target import Target

TOO_SEVERE = Problem(
    "image-findings",
    "the image of commit {commit} has findings above [deploy] max_severity = {most}: {findings}; "
    "it is in ECR, and the service was not changed",
    "update the base image or the packages that have findings, and commit that; this lists them: "
    "aws ecr describe-image-scan-findings --region {region} --repository-name {repository} "
    "--image-id imageDigest={digest}",
    ExitCode.NOT_READY,
)
NO_RESULT = Problem(
    "image-not-scanned",
    "[deploy] max_severity = {most} needs the scan result of the image of commit {commit}: {why}; "
    "the image is in ECR, and the service was not changed",
    "{remedy}",
    ExitCode.NOT_READY,
)
REMEDIES = {
    Lack.LATE: "if the scan is still running, {again}",
    Lack.UNSUPPORTED: 'use a base image that ECR scans, or set max_severity = "" and commit that',
    Lack.NOT_MADE: (
        "scan it: aws ecr start-image-scan --region {region} --repository-name {repository} "
        "--image-id imageDigest={digest}; then {again}"
    ),
}

LONGEST = 60  # seconds
POLL = 5  # seconds

INDEXES = frozenset(
    {
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
    }
)


def read(aws: Aws, repository: str, digest: str, platform: str) -> Scan:
    """The scan of an image. Of an index, whose images ECR scans one by one, that of the image for a
    platform, such as linux/amd64. Raises AwsError."""
    found = read_one(aws, repository, digest)
    if found.findings is not None or found.status in scan.IS_RUNNING:
        return found
    child = image_in_index(aws, repository, digest, platform)
    return read_one(aws, repository, child) if child else found


def read_one(aws: Aws, repository: str, digest: str) -> Scan:
    pages = []
    try:
        for page in aws.ecr.get_paginator("describe_image_scan_findings").paginate(
            repositoryName=repository, imageId={"imageDigest": digest}
        ):
            pages.append(dict(page))
            if scan.has_counts(pages[0]):
                break
    except AwsError as error:
        if error.aws_code == "ScanNotFoundException":
            return NO_SCAN
        raise
    return as_scan(pages)


def image_in_index(aws: Aws, repository: str, digest: str, platform: str) -> str:
    """The digest of the image for a platform; empty if the image is no index, or has none."""
    answer = aws.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    manifests = [
        manifest
        for image in answer["images"]
        if image.get("imageManifestMediaType") in INDEXES
        for manifest in json.loads(image["imageManifest"])["manifests"]
    ]
    for manifest in manifests:
        found = manifest.get("platform", {})
        if f"{found.get('os')}/{found.get('architecture')}" == platform:
            return str(manifest["digest"])
    return ""


def require(target: Target, commit: str, digest: str, platform: str) -> None:
    """Show the scan of an image. Raises ToolError if [deploy] max_severity is set and the image has
    more severe findings, or no result within a minute."""
    most = target.settings.deploy.max_severity
    if not most:
        target.fact("scan", known(target, digest, platform))
        return
    found = awaited(target, digest, platform)
    target.fact("scan", found.text)
    if refused := refusal(target, commit, digest, found):
        raise refused


def refusal(target: Target, commit: str, digest: str, found: Scan) -> ToolError | None:
    """The error if an image may not be deployed with this scan, and waiting has an end."""
    settings, most = target.settings, target.settings.deploy.max_severity
    region, repository = settings.service.region, settings.names.repository
    result = scan.verdict(found, most)
    if result is Verdict.PASSED:
        return None
    if result is Verdict.TOO_SEVERE:
        return TOO_SEVERE(
            commit=commit[:7],
            most=most,
            findings=scan.in_words(scan.above(found.findings or {}, most)),
            region=region,
            repository=repository,
            digest=digest,
        )
    why = f"{found.why}, after {LONGEST} s" if result is Verdict.AWAITED else found.why
    remedy = REMEDIES[found.lack].format(
        region=region, repository=repository, digest=digest, again=target.again
    )
    return NO_RESULT(commit=commit[:7], most=most, why=why, remedy=remedy)


def prospect(target: Target, digest: str, platform: str) -> str:
    """The effect of the present scan on a deploy, in words. Raises AwsError."""
    found = read(target.aws, target.settings.names.repository, digest, platform)
    most = target.settings.deploy.max_severity
    result = scan.verdict(found, most)
    if result is Verdict.PASSED:
        return found.text
    if result is Verdict.AWAITED:
        return f"{found.text}; a deploy would wait for it, for at most {LONGEST} s"
    return f"{found.text}; [deploy] max_severity = {most} would end the deploy"


def known(target: Target, digest: str, platform: str) -> str:
    """The present state of a scan, in words."""
    try:
        return read(target.aws, target.settings.names.repository, digest, platform).text
    except AwsError as error:
        return f"cannot be read: {error.message}"


def awaited(target: Target, digest: str, platform: str) -> Scan:
    """The scan once it has ended, or after a minute. Raises ToolError if it may not be read."""
    clock, began = target.runtime.clock, target.runtime.clock.now()
    with progress(target.runtime.console) as shown:
        while True:
            found = look(target, digest, platform)
            seconds = round((clock.now() - began).total_seconds())
            if not found.is_awaited or seconds >= LONGEST:
                return found
            shown.show(View("scan of the image", seconds, f"waiting for the scan: {found.why}"))
            clock.sleep(POLL)


def look(target: Target, digest: str, platform: str) -> Scan:
    """The scan as it is. A lost answer is one more reason to wait. A refusal is raised: the service
    is not changed, whether or not the image has been pushed."""
    try:
        return read(target.aws, target.settings.names.repository, digest, platform)
    except AwsError as error:
        if error.kind in (Kind.LOST, Kind.UNREACHABLE):
            return Scan("PENDING", error.message)
        error.exit = ExitCode.NOT_READY
        raise
