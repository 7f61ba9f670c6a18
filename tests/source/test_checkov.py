"""docs/security.md answers each finding of checkov on a render, and nothing else."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.rendering import ROOT, Render

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "security.md"
ROW = re.compile(r"^\| `(CKV\w+)`[^|]* \| `([^`]+)` \| .+ \|$", re.MULTILINE)


def documented_command() -> list[str]:
    """The command of the page, without `uvx`: it has the pinned version."""
    [command] = re.findall(r"^uvx (checkov==.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return str(command).split()


def place(finding: dict[str, Any]) -> str:
    """The resource of the stack, or the file if it is no stack."""
    file, resource = str(finding["file_path"]).lstrip("/"), str(finding["resource"])
    return resource.rpartition(".")[2] if file == "infra/stack.yml" else file


def findings(service: Path) -> set[tuple[str, str]]:
    """The failed checks and their places, without a request to the vendor of checkov."""
    uv = os.environ.get("UV", "uv")
    done = subprocess.run(
        [uv, "tool", "run", *documented_command(), "--output", "json"],
        cwd=service,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("["), f"checkov ended with {done.returncode}\n{done.stderr}"
    reports = json.loads(done.stdout)
    assert {report["check_type"] for report in reports} >= {"cloudformation", "dockerfile"}
    return {
        (finding["check_id"], place(finding))
        for report in reports
        for finding in report["results"]["failed_checks"]
    }


def test_each_finding_is_answered_and_each_answer_has_its_finding(example: Render) -> None:
    found, answered = findings(example.path), set(ROW.findall(PAGE.read_text(encoding="utf-8")))
    assert found - answered == set(), "fix these in template/, or answer them in docs/security.md"
    assert answered - found == set(), "checkov does not find these any more: delete their rows"
