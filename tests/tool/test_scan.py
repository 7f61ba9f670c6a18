"""The meaning of a response of DescribeImageScanFindings, and whether the image may be deployed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.session import get_session
from infra.tool import scan
from infra.tool.scan import NO_SCAN, Scan, Verdict

Json = dict[str, Any]

DONE = {"imageScanCompletedAt": datetime(2026, 11, 23, tzinfo=UTC)}


def answer(status: str, **found: Any) -> Json:
    """One page of a response. Without findings it has no member for them."""
    page: Json = {"imageScanStatus": {"status": status, "description": "by the test"}}
    return page | ({"imageScanFindings": found} if found else {})


# name of the row: (the pages of the answer, the findings; None: no result)
ANSWERS: dict[str, tuple[list[Json], dict[str, int] | None]] = {
    "basic": (
        [
            answer(
                "COMPLETE",
                findings=[{"severity": "HIGH"}],
                findingSeverityCounts={"LOW": 2, "HIGH": 1},
                **DONE,
            )
        ],
        {"HIGH": 1, "LOW": 2},
    ),
    "basic, without findings": (
        [answer("COMPLETE", findings=[], findingSeverityCounts={}, **DONE)],
        {},
    ),
    "basic, running": ([answer("IN_PROGRESS")], None),
    "basic, not supported": ([answer("FAILED")], None),
    "enhanced": (
        [
            answer(
                "ACTIVE",
                enhancedFindings=[{"severity": "CRITICAL"}],
                findingSeverityCounts={"CRITICAL": 1, "UNTRIAGED": 4},
                **DONE,
            )
        ],
        {"CRITICAL": 1, "UNTRIAGED": 4},
    ),
    "enhanced, on push": (
        [answer("COMPLETE", enhancedFindings=[], findingSeverityCounts={"LOW": 1})],
        {"LOW": 1},
    ),
    "enhanced, complete before it has a result": ([answer("COMPLETE", findings=[])], None),
    "enhanced, active before it has a result": ([answer("ACTIVE", findings=[])], None),
    "no numbers, but findings on two pages": (
        [
            answer("ACTIVE", enhancedFindings=[{"severity": "HIGH"}, {}]),
            answer("ACTIVE", enhancedFindings=[{"severity": "HIGH"}]),
        ],
        {"HIGH": 2, "UNDEFINED": 1},
    ),
    "findings of a scan that is over do not count": (
        [answer("SCAN_ELIGIBILITY_EXPIRED", findingSeverityCounts={"LOW": 1}, **DONE)],
        None,
    ),
    "no status": ([{}], None),
}


@pytest.mark.parametrize("row", ANSWERS)
def test_findings_are_read_from_both_kinds_of_scan(row: str) -> None:
    pages, expected = ANSWERS[row]
    found = scan.as_scan(pages).findings
    assert found == expected
    assert list(found or {}) == list(expected or {}), "the most severe come first"


def result(**findings: int) -> Scan:
    return Scan("COMPLETE", "", findings)


PASSED, TOO_SEVERE = Verdict.PASSED, Verdict.TOO_SEVERE
AWAITED, NOT_SCANNED = Verdict.AWAITED, Verdict.NOT_SCANNED

# name of the row: (scan, [deploy] max_severity, verdict)
TRUTH: dict[str, tuple[Scan, str, Verdict]] = {
    "no limit": (result(CRITICAL=1), "", PASSED),
    "no limit, and no scan": (NO_SCAN, "", PASSED),
    "no limit, and not supported": (Scan("FAILED", ""), "", PASSED),
    "at the limit": (result(HIGH=9), "HIGH", PASSED),
    "one step above": (result(CRITICAL=1), "HIGH", TOO_SEVERE),
    "two steps above": (result(HIGH=1), "LOW", TOO_SEVERE),
    "below": (result(LOW=9, INFORMATIONAL=9), "MEDIUM", PASSED),
    "nothing is above CRITICAL": (result(CRITICAL=9, HIGH=9), "CRITICAL", PASSED),
    "LOW is above INFORMATIONAL": (result(LOW=1), "INFORMATIONAL", TOO_SEVERE),
    "none": (result(), "INFORMATIONAL", PASSED),
    "a number of zero": (result(CRITICAL=0), "INFORMATIONAL", PASSED),
    "not rated, basic": (result(UNDEFINED=3), "INFORMATIONAL", PASSED),
    "not rated, enhanced": (result(UNTRIAGED=3), "INFORMATIONAL", PASSED),
    "an undocumented severity": (result(TERRIBLE=1), "CRITICAL", TOO_SEVERE),
    "not begun": (NO_SCAN, "CRITICAL", AWAITED),
    "running": (Scan("IN_PROGRESS", ""), "CRITICAL", AWAITED),
    "pending": (Scan("PENDING", ""), "CRITICAL", AWAITED),
    "complete without a result": (Scan("COMPLETE", ""), "CRITICAL", AWAITED),
    "active without a result": (Scan("ACTIVE", ""), "CRITICAL", AWAITED),
    "failed": (Scan("FAILED", "UnsupportedImageError"), "CRITICAL", NOT_SCANNED),
    "not supported": (Scan("UNSUPPORTED_IMAGE", ""), "CRITICAL", NOT_SCANNED),
    "no longer scanned": (Scan("SCAN_ELIGIBILITY_EXPIRED", ""), "CRITICAL", NOT_SCANNED),
    "an undocumented status": (Scan("LOST", ""), "CRITICAL", NOT_SCANNED),
}


@pytest.mark.parametrize("row", TRUTH)
def test_the_verdict_on_an_image_is_that_of_the_table(row: str) -> None:
    found, most, expected = TRUTH[row]
    assert scan.verdict(found, most) is expected


def test_every_severity_and_status_of_the_api_is_handled() -> None:
    """If botocore learns of another one, decide about it."""
    model: Any = get_session().get_service_model("ecr")
    assert {*model.shape_for("FindingSeverity").enum} <= {*scan.SEVERITIES, *scan.UNRATED}
    assert {*model.shape_for("ScanStatus").enum} >= scan.HAS_RESULT | scan.IS_RUNNING


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (result(CRITICAL=1, LOW=3), "1 CRITICAL, 3 LOW"),
        (result(LOW=0), "no findings"),
        (NO_SCAN, "no result: ECR has no scan of the image"),
        (Scan("ACTIVE", "Continuous scan is selected for image."), "no result yet (ACTIVE)"),
        (Scan("FAILED", "it is empty"), "no result (FAILED): it is empty"),
        (Scan("FAILED", ""), "no result (FAILED): ECR gives no reason"),
    ],
)
def test_a_scan_in_words(found: Scan, expected: str) -> None:
    assert found.text == expected
