"""ECR's scans of images: each begins with a push, and its result is there some seconds later.

Sources: "Scan images for software vulnerabilities in Amazon ECR" and "Troubleshooting image
scanning" (ECR User Guide), "DescribeImageScanFindings" (API Reference). An image index is not
scanned, its images are (alexjurkiewicz/ecr-scan-image#43). Amazon Inspector answers COMPLETE or
ACTIVE, and that also while there are no findings yet (aws/aws-sdk#289, aws/aws-cli#6759).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulator.clock import Clock
from simulator.refusal import Refused

Json = dict[str, Any]

INDEXES = frozenset(
    {
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
    }
)


@dataclass(frozen=True)
class ScanResult:
    """The course of one scan."""

    findings: Mapping[str, int] = field(default_factory=dict)  # how many, by severity
    status: str = "COMPLETE"  # a status such as FAILED or UNSUPPORTED_IMAGE has no findings
    description: str = "The scan was completed successfully."
    is_enhanced: bool = False  # whether Amazon Inspector made it
    delay: float = 0  # seconds until ECR lists the scan
    duration: float = 3  # seconds until its result is there


UNSUPPORTED = ScanResult(
    status="FAILED",
    description="UnsupportedImageError: The operating system and/or package manager are not "
    "supported.",
)


@dataclass
class Scan:
    result: ScanResult
    pushed: datetime

    def described(self, now: datetime) -> Json:
        """The findings and the status, as DescribeImageScanFindings shows them."""
        result = self.result
        done = self.pushed + timedelta(seconds=result.delay + result.duration)
        if now < done and not result.is_enhanced:
            return status("IN_PROGRESS", "The scan is in progress.")
        if now < done:
            return status(result.status, result.description) | {
                "imageScanFindings": {"findings": []}
            }
        if result.status not in {"ACTIVE", "COMPLETE"}:
            return status(result.status, result.description)
        return status(result.status, result.description) | {
            "imageScanFindings": {
                "imageScanCompletedAt": done,
                "vulnerabilitySourceUpdatedAt": self.pushed,
                "findingSeverityCounts": dict(result.findings),
                **self._findings(),
            }
        }

    def _findings(self) -> Json:
        severities = [
            severity for severity, count in self.result.findings.items() for _ in range(count)
        ]
        if self.result.is_enhanced:
            arn = "arn:aws:inspector2:us-east-1:123456789012:finding/"
            return {
                "enhancedFindings": [
                    {"findingArn": f"{arn}{number}", "severity": severity, "status": "ACTIVE"}
                    for number, severity in enumerate(severities)
                ]
            }
        return {
            "findings": [
                {"name": f"CVE-2026-{number:04}", "severity": severity}
                for number, severity in enumerate(severities)
            ]
        }


def status(name: str, description: str) -> Json:
    return {"imageScanStatus": {"status": name, "description": description}}


@dataclass
class Scans:
    """Of the images of all repositories."""

    clock: Clock
    upcoming: list[ScanResult] = field(default_factory=list)  # of the next pushes, in their order
    known: dict[tuple[str, str], Scan] = field(default_factory=dict)  # by repository and digest

    def push(self, repository: str, digest: str, kind: str) -> None:
        """Scan an image that was not there before, and is no index."""
        if kind in INDEXES or (repository, digest) in self.known:
            return
        result = self.upcoming.pop(0) if self.upcoming else ScanResult()
        self.known[repository, digest] = Scan(result, self.clock.now())

    def describe(self, repository: str, digest: str) -> Json:
        """Raises Refused if there is no scan."""
        scan = self.known.get((repository, digest))
        if not scan or self.clock.now() < scan.pushed + timedelta(seconds=scan.result.delay):
            raise Refused(
                "ScanNotFoundException",
                f"Image scan does not exist for the image with '{digest}' in the repository with "
                f"name '{repository}'",
            )
        return scan.described(self.clock.now())
