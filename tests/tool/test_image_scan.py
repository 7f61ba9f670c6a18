"""`[deploy] max_severity`, and ECR's scan in `deploy`, `deploy --plan` and `status`."""

import json

import pytest

from simulator.image_scans import UNSUPPORTED, ScanResult
from tests.support.checkout import Checkout, Json, Run

READ = "ecr:DescribeImageScanFindings"
SECOND = "ai-assistant-task:2"


def release(checkout: Checkout, result: ScanResult, most: str = "") -> None:
    """A commit whose image is scanned with this result."""
    if most:
        checkout.set("deploy.max_severity", most)
    checkout.aws.scans.upcoming.append(result)
    checkout.release()


def fact(run: Run, name: str = "scan") -> str:
    [line] = [line for line in run.out.splitlines() if line[:12].strip() == name]
    return line[12:].strip()


def refused(checkout: Checkout, error_code: str) -> Run:
    """A deploy that ends before anything of the service changes."""
    run = checkout.run("deploy").expect(2, error_code).expect_no_change()
    assert checkout.revisions == ["ai-assistant-task:1"]
    return run


# --- without a limit ---


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (ScanResult({"HIGH": 2, "LOW": 1}, duration=0), "2 HIGH, 1 LOW"),
        (ScanResult(duration=0), "no findings"),
        (ScanResult(duration=600), "no result (IN_PROGRESS): The scan is in progress."),
        (ScanResult(delay=600), "no result: ECR has no scan of the image"),
        (ScanResult(is_enhanced=True, status="ACTIVE", duration=600), "no result yet (ACTIVE)"),
    ],
)
def test_without_a_limit_a_deploy_shows_the_scan_and_does_not_wait(
    deployed: Checkout, result: ScanResult, expected: str
) -> None:
    release(deployed, result)
    run = deployed.run("deploy").expect(0)
    assert fact(run) == expected
    assert run.operations.count(READ) == 1


def test_without_a_limit_an_unreadable_scan_does_not_stop_a_deploy(
    deployed: Checkout,
) -> None:
    release(deployed, ScanResult())
    deployed.aws.faults.refuse_for_ever(READ, "AccessDeniedException")
    assert "cannot be read" in fact(deployed.run("deploy").expect(0))


# --- with a limit ---


@pytest.mark.parametrize("is_enhanced", [False, True], ids=["basic", "enhanced"])
def test_findings_above_the_limit_end_a_deploy_before_the_service_changes(
    deployed: Checkout, is_enhanced: bool
) -> None:
    findings = {"CRITICAL": 1, "HIGH": 2, "LOW": 3}
    release(deployed, ScanResult(findings, is_enhanced=is_enhanced), "MEDIUM")
    run = refused(deployed, "image-findings")
    assert "max_severity = MEDIUM: 1 CRITICAL, 2 HIGH;" in run.err


def test_an_image_with_findings_at_the_limit_is_deployed(deployed: Checkout) -> None:
    release(deployed, ScanResult({"HIGH": 2, "UNDEFINED": 5}), "HIGH")
    run = deployed.run("deploy").expect(0)
    assert fact(run) == "2 HIGH, 5 UNDEFINED"
    assert deployed.revision == SECOND


def test_a_new_image_stays_in_ecr_if_its_findings_stop_the_deploy(
    deployed: Checkout,
) -> None:
    deployed.docker()
    deployed.set("deploy.max_severity", "LOW")
    deployed.commit("Allow only findings of LOW severity")
    deployed.aws.scans.upcoming.append(ScanResult({"HIGH": 1}))
    summary = deployed.folder.parent / "summary.md"
    summary.touch()
    run = deployed.run("deploy", GITHUB_STEP_SUMMARY=str(summary))
    assert (run.exit_code, run.error_code) == (2, "image-findings"), run.text
    assert "ecr:PutImage" in run.operations
    assert "ecs:RegisterTaskDefinition" not in run.operations
    assert "nothing was changed" not in summary.read_text(), "the image was pushed"
    again = deployed.run("deploy").expect(2, "image-findings").expect_no_change()
    assert "nothing is built" in again.out


@pytest.mark.parametrize(
    "result",
    [
        ScanResult({"LOW": 1}, duration=20),
        ScanResult({"LOW": 1}, delay=20),
        ScanResult({"LOW": 1}, is_enhanced=True, duration=20),
        ScanResult({"LOW": 1}, is_enhanced=True, status="ACTIVE", duration=20),
    ],
    ids=["in progress", "not begun", "complete too early", "active"],
)
def test_a_deploy_waits_for_a_result_and_shows_progress(
    deployed: Checkout, result: ScanResult
) -> None:
    release(deployed, result, "HIGH")
    assert "ok  scan" in deployed.run("check").out
    run = deployed.run("deploy").expect(0)
    assert "waiting for the scan" in run.out
    assert fact(run) == "1 LOW"


def test_no_result_after_a_minute_ends_a_deploy_and_another_run_waits_again(
    deployed: Checkout,
) -> None:
    release(deployed, ScanResult(duration=90), "HIGH")
    began = deployed.aws.clock.now()
    run = refused(deployed, "image-not-scanned")
    assert 60 <= (deployed.aws.clock.now() - began).total_seconds() < 70
    assert "run this again: uv run --frozen -m infra deploy" in run.err
    deployed.run("deploy").expect(0)


ANOTHER_IMAGE = "use a base image that ECR scans"
AGAIN = "aws ecr start-image-scan --region us-east-1 --repository-name ai-assistant --image-id"


@pytest.mark.parametrize(
    ("result", "remedy"),
    [
        (UNSUPPORTED, ANOTHER_IMAGE),
        (ScanResult(status="UNSUPPORTED_IMAGE", description="not supported"), ANOTHER_IMAGE),
        (ScanResult(status="FAILED", description="an internal error"), AGAIN),
        (ScanResult(status="FINDINGS_UNAVAILABLE", description="not now"), AGAIN),
        (ScanResult(status="LIMIT_EXCEEDED", description="too many"), AGAIN),
    ],
    ids=["unsupported", "unsupported by status", "failed", "unavailable", "too many"],
)
def test_a_scan_that_will_have_no_result_ends_a_deploy_at_once_and_says_why(
    deployed: Checkout, result: ScanResult, remedy: str
) -> None:
    release(deployed, result, "CRITICAL")
    deployed.aws.clock.sleep(10)
    run = refused(deployed, "image-not-scanned")
    assert result.description in run.err
    assert remedy in run.err
    assert "waiting for the scan" not in run.out
    assert "NO  scan" in deployed.run("check").expect(2, "check-failed").out


def test_an_image_that_ecr_never_scanned_has_to_be_scanned(deployed: Checkout) -> None:
    release(deployed, ScanResult(delay=500), "HIGH")
    run = refused(deployed, "image-not-scanned")
    assert AGAIN in run.err


def test_for_an_index_the_scan_of_the_image_of_this_platform_counts(deployed: Checkout) -> None:
    """BuildKit makes an index of one image and its attestation, if build_flags ask for one."""
    deployed.set("deploy.max_severity", "HIGH")
    deployed.write("NOTES.md", "an index\n")
    deployed.commit("Release an index")
    registry, repository = deployed.aws.registry, deployed.settings.names.repository
    deployed.aws.scans.upcoming += [ScanResult({"LOW": 1}), ScanResult({"CRITICAL": 1})]
    good, bad = (registry.put_image(repository, f"{name}-image") for name in ("good", "bad"))
    registry.put_index(repository, deployed.head, {"linux/arm64": bad, "linux/amd64": good})
    run = deployed.run("deploy")
    assert fact(run) == "1 LOW"
    assert deployed.revision == SECOND


def test_a_missing_permission_stops_a_deploy_before_the_service_changes(
    deployed: Checkout,
) -> None:
    release(deployed, ScanResult(), "HIGH")
    deployed.aws.faults.refuse_for_ever(READ, "AccessDeniedException")
    refused(deployed, "aws-denied")


def test_lost_responses_are_retried(deployed: Checkout) -> None:
    release(deployed, ScanResult({"LOW": 1}), "HIGH")
    deployed.aws.faults.drop(READ, times=9)
    assert fact(deployed.run("deploy").expect(0)) == "1 LOW"


def test_lasting_lost_responses_stop_a_deploy_before_the_service_changes(
    deployed: Checkout,
) -> None:
    release(deployed, ScanResult(), "HIGH")
    deployed.aws.faults.cut_off(READ)
    refused(deployed, "image-not-scanned")


def test_the_scan_of_a_running_image_is_not_checked_again(deployed: Checkout) -> None:
    release(deployed, ScanResult({"HIGH": 1}), "HIGH")
    deployed.run("deploy").expect(0)
    assert READ not in deployed.run("deploy").expect(0).operations


def test_a_rollback_ignores_the_scan(deployed_twice: Checkout) -> None:
    deployed_twice.set("deploy.max_severity", "INFORMATIONAL")
    assert READ not in deployed_twice.run("rollback").expect(0).operations


# --- plan and status ---


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (ScanResult({"HIGH": 1}, duration=0), "max_severity = LOW would end the deploy"),
        (ScanResult({"LOW": 1}, duration=0), "scan: 1 LOW"),
        (ScanResult(duration=600), "a deploy would wait for it"),
    ],
)
def test_a_plan_says_what_the_scan_would_do(
    deployed: Checkout, result: ScanResult, expected: str
) -> None:
    release(deployed, result, "LOW")
    run = deployed.run("deploy", "--plan", "--json").expect(0).expect_no_change()
    found: Json = json.loads(run.out)
    assert [note for note in found["notes"] if expected in note], found["notes"]


def test_the_status_shows_the_findings_and_is_healthy_with_them(deployed: Checkout) -> None:
    release(deployed, ScanResult({"CRITICAL": 1, "LOW": 2}))
    deployed.run("deploy").expect(0)
    assert fact(deployed.run("status").expect(0)) == "1 CRITICAL, 2 LOW"
    found: Json = json.loads(deployed.run("status", "--json").expect(0).out)
    assert found["scan"] == {
        "status": "COMPLETE",
        "description": "The scan was completed successfully.",
        "findings": {"CRITICAL": 1, "LOW": 2},
    }


def test_the_status_says_why_there_are_no_findings(deployed: Checkout) -> None:
    release(deployed, UNSUPPORTED)
    deployed.run("deploy").expect(0)
    found: Json = json.loads(deployed.run("status", "--json").expect(0).out)
    assert found["scan"]["status"] == "FAILED"
    assert found["scan"]["findings"] is None
