"""The findings of ECR or Amazon Inspector in an image, and whether it may be deployed. Pure.

Basic scans list `findings` and end as COMPLETE. Enhanced ones list `enhancedFindings` and are
COMPLETE or ACTIVE, also before they have a result: so a result counts only if the answer has its
time, a number by severity, or a finding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from infra.tool.text import one_line

# The most severe first: of "FindingSeverity" (ECR API Reference) and "Severity" (Amazon Inspector
# API Reference), those that are an assessment.
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL")
# Those that are none: the source of the vulnerability has not rated it.
UNRATED = frozenset({"UNDEFINED", "UNTRIAGED"})

HAS_RESULT = frozenset({"ACTIVE", "COMPLETE"})
IS_RUNNING = frozenset({"IN_PROGRESS", "PENDING"})


class Lack(Enum):
    """Why a scan has no result, as far as the remedies differ."""

    LATE = "it is in progress"
    UNSUPPORTED = "ECR cannot scan this image"
    NOT_MADE = "it failed, or never began"


@dataclass(frozen=True)
class Scan:
    """The scan of one image."""

    status: str  # in the words of ECR; empty if ECR has no scan
    description: str  # of the status, likewise
    findings: Mapping[str, int] | None = None  # by severity, the worst first; None: no result

    @property
    def is_awaited(self) -> bool:
        """Whether a result may come without anything being done for it."""
        may_come = not self.status or self.status in IS_RUNNING | HAS_RESULT
        return self.findings is None and may_come

    @property
    def lack(self) -> Lack:
        """Why there is no result. Basic scans say in the description alone that an image is not
        supported ("Troubleshooting image scanning", ECR User Guide)."""
        if self.status in IS_RUNNING | HAS_RESULT:
            return Lack.LATE
        is_unsupported = "UNSUPPORTED" in self.status or "UnsupportedImage" in self.description
        return Lack.UNSUPPORTED if is_unsupported else Lack.NOT_MADE

    @property
    def text(self) -> str:
        """The numbers by severity, or why there is no result."""
        if self.findings is None:
            return self.why
        return in_words(self.findings) or "no findings"

    @property
    def why(self) -> str:
        """Why there is no result."""
        if not self.status:
            return "no result: ECR has no scan of the image"
        if self.status in HAS_RESULT:
            return f"no result yet ({self.status})"
        return f"no result ({self.status}): {self.description or 'ECR gives no reason'}"


NO_SCAN = Scan("", "")


class Verdict(Enum):
    """Whether an image may be deployed under [deploy] max_severity."""

    PASSED = "it may"
    TOO_SEVERE = "it has more severe findings"
    AWAITED = "the result is not there yet"
    NOT_SCANNED = "there is no result, and none will come"


def verdict(scan: Scan, most: str) -> Verdict:
    """`most` is [deploy] max_severity; empty: there is no limit."""
    if not most:
        return Verdict.PASSED
    if scan.findings is None:
        return Verdict.AWAITED if scan.is_awaited else Verdict.NOT_SCANNED
    return Verdict.TOO_SEVERE if above(scan.findings, most) else Verdict.PASSED


def above(findings: Mapping[str, int], most: str) -> Mapping[str, int]:
    """The findings that are more severe than a limit. A severity that is neither known nor unrated
    counts as the most severe."""
    allowed = {*SEVERITIES[SEVERITIES.index(most) :], *UNRATED}
    return {name: count for name, count in findings.items() if count and name not in allowed}


def as_scan(pages: Sequence[Mapping[str, Any]]) -> Scan:
    """A scan of the pages of an answer of DescribeImageScanFindings."""
    status = pages[0].get("imageScanStatus", {})
    name = one_line(status.get("status", ""))
    found = [page.get("imageScanFindings", {}) for page in pages]
    return Scan(
        status=name,
        description=one_line(status.get("description", "")),
        findings=counts(found) if name in HAS_RESULT else None,
    )


def has_counts(page: Mapping[str, Any]) -> bool:
    """Whether a page has the numbers by severity, which are those of all pages."""
    return bool(page.get("imageScanFindings", {}).get("findingSeverityCounts"))


def counts(found: Sequence[Mapping[str, Any]]) -> Mapping[str, int] | None:
    """How many findings of each severity there are; None if there is no result."""
    numbers: dict[str, int] = dict(found[0].get("findingSeverityCounts", {}))
    if not numbers:
        listed = [
            each.get("severity", "UNDEFINED")
            for page in found
            for member in ("findings", "enhancedFindings")
            for each in page.get(member, [])
        ]
        numbers = {name: listed.count(name) for name in listed}
    if not numbers and "imageScanCompletedAt" not in found[0]:
        return None
    rank = {name: number for number, name in enumerate(SEVERITIES)}
    ordered = sorted(numbers, key=lambda name: (rank.get(name, len(rank)), name))
    return {one_line(name): numbers[name] for name in ordered}


def in_words(findings: Mapping[str, int]) -> str:
    """For example "1 CRITICAL, 3 LOW"; empty without findings."""
    return ", ".join(f"{count} {name}" for name, count in findings.items() if count)
