"""Scans of images, as DescribeImageScanFindings tells of them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator.fixtures import Ground
from simulator.image_scans import UNSUPPORTED, ScanResult

Json = dict[str, Any]


@pytest.fixture
def scanned(ground: Ground) -> Ground:
    ground.aws.client("ecr").put_image_scanning_configuration(
        repositoryName="app", imageScanningConfiguration={"scanOnPush": True}
    )
    return ground


def push(ground: Ground, result: ScanResult) -> str:
    """An image whose scan ends like this; its digest."""
    ground.aws.scans.upcoming.append(result)
    return ground.push("second").partition("@")[2]


def describe(ground: Ground, digest: str) -> Json:
    found: Json = ground.aws.client("ecr").describe_image_scan_findings(
        repositoryName="app", imageId={"imageDigest": digest}
    )
    return found


def refusal(ground: Ground, digest: str) -> str:
    with pytest.raises(ClientError) as caught:
        describe(ground, digest)
    return str(caught.value.response["Error"]["Code"])


def test_a_scan_begins_with_the_push_and_ends_later(scanned: Ground) -> None:
    digest = push(scanned, ScanResult({"HIGH": 2, "LOW": 1}, duration=10))
    before = describe(scanned, digest)
    assert before["imageScanStatus"]["status"] == "IN_PROGRESS"
    assert "imageScanFindings" not in before
    scanned.aws.clock.sleep(10)
    after = describe(scanned, digest)
    assert after["imageScanStatus"]["status"] == "COMPLETE"
    assert after["imageScanFindings"]["findingSeverityCounts"] == {"HIGH": 2, "LOW": 1}
    assert len(after["imageScanFindings"]["findings"]) == 3


def test_an_enhanced_scan_has_other_members_and_is_complete_before_its_result(
    scanned: Ground,
) -> None:
    digest = push(scanned, ScanResult({"UNTRIAGED": 1}, is_enhanced=True, duration=10))
    early = describe(scanned, digest)
    assert early["imageScanStatus"]["status"] == "COMPLETE"
    assert early["imageScanFindings"] == {"findings": []}
    scanned.aws.clock.sleep(10)
    found = describe(scanned, digest)["imageScanFindings"]
    assert [each["severity"] for each in found["enhancedFindings"]] == ["UNTRIAGED"]
    assert "findings" not in found


def test_a_scan_that_fails_says_why_and_has_no_findings(scanned: Ground) -> None:
    digest = push(scanned, UNSUPPORTED)
    scanned.aws.clock.sleep(10)
    found = describe(scanned, digest)
    assert found["imageScanStatus"]["status"] == "FAILED"
    assert found["imageScanStatus"]["description"].startswith("UnsupportedImageError")
    assert "imageScanFindings" not in found


def test_a_scan_that_has_not_begun_is_not_found(scanned: Ground) -> None:
    digest = push(scanned, ScanResult(delay=10))
    assert refusal(scanned, digest) == "ScanNotFoundException"


def test_an_image_that_was_pushed_without_scan_on_push_has_none(ground: Ground) -> None:
    digest = ground.push("second").partition("@")[2]
    assert refusal(ground, digest) == "ScanNotFoundException"


def test_an_index_has_no_scan_but_its_images_do(scanned: Ground) -> None:
    image = push(scanned, ScanResult({"HIGH": 1}))
    index = scanned.aws.registry.put_index("app", "index", {"linux/amd64": image})
    scanned.aws.clock.sleep(10)
    assert refusal(scanned, index) == "ScanNotFoundException"
    assert describe(scanned, image)["imageScanFindings"]["findingSeverityCounts"] == {"HIGH": 1}


@pytest.mark.parametrize(
    ("repository", "code"),
    [("app", "ImageNotFoundException"), ("other", "RepositoryNotFoundException")],
)
def test_a_scan_of_a_missing_image_or_repository_is_refused(
    scanned: Ground, repository: str, code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        scanned.aws.client("ecr").describe_image_scan_findings(
            repositoryName=repository, imageId={"imageDigest": f"sha256:{'0' * 64}"}
        )
    assert caught.value.response["Error"]["Code"] == code
