"""checkov, a linter for infrastructure, and the tables about its findings in docs/security.md."""

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.rendering import ROOT

PAGE = ROOT / "docs" / "security.md"
ROW = re.compile(r"^\| `(CKV\w+)`[^|]* \| `([^`]+)` \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    check: str  # such as CKV_AWS_2
    place: str  # the logical id of a resource, or a file
    text: str  # of the last column


@dataclass(frozen=True)
class Finding:
    check: str
    file: str
    resource: str  # the logical id; of another file than a template, as checkov names it


@dataclass(frozen=True)
class Report:
    kinds: frozenset[str]  # of files that were read, such as cloudformation
    files: frozenset[str]  # of which checkov checked something
    findings: frozenset[Finding]


def rows(heading: str) -> Sequence[Row]:
    """Those of the table below a heading of the page."""
    _, found, section = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")
    assert found, f"docs/security.md has no heading `### {heading}`"
    return [Row(*groups) for groups in ROW.findall(section.partition("\n#")[0])]


def run(folder: Path) -> Report:
    """Read every file below a folder, without a request to the vendor of checkov."""
    # The command of the page, without `uvx`: it has the pinned version. Without --quiet, passed
    # checks are reported too: a file that checkov skips has neither kind.
    [command] = re.findall(r"^uvx (checkov==.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    options = [word for word in command.split() if word != "--quiet"]
    uv = os.environ.get("UV", "uv")
    done = subprocess.run(
        [uv, "tool", "run", *options, "--output", "json"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(("[", "{")), (
        f"checkov ended with {done.returncode}\n{done.stderr}"
    )
    answer = json.loads(done.stdout)
    reports = answer if isinstance(answer, list) else [answer]  # a list if it read several kinds
    failed, passed = (
        [each for report in reports for each in report["results"][f"{how}_checks"]]
        for how in ("failed", "passed")
    )
    return Report(
        frozenset(report["check_type"] for report in reports),
        frozenset(file_of(each) for each in (*failed, *passed)),
        frozenset(
            Finding(each["check_id"], file_of(each), str(each["resource"]).rpartition(".")[2])
            for each in failed
        ),
    )


def file_of(check: Mapping[str, Any]) -> str:
    return str(check["file_path"]).lstrip("/")
