"""docs/performance.md: programs write what they measure between its markers."""

import datetime
import os
import platform
import re
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"


def provenance() -> str:
    """What a figure is worth nothing without: command, machine and date."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    machine = f"{os.cpu_count()} x {found[1] if found else platform.machine()}"
    command = f"uv run python benchmarks/{' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])}"
    return f"`{command}`, {machine}, {datetime.date.today():%Y-%m-%d}"


def spread(values: Sequence[float], digits: int) -> str:
    """The median, and between which values it lies."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def write(section: str, text: str) -> None:
    """Replace what stands between the markers of a section."""
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    page = PAGE.read_text()
    before, found, rest = page.partition(begin)
    _, also, after = rest.partition(end)
    if not (found and also):
        sys.exit(f"{PAGE} has no section {section}: write {begin} and {end} where it belongs.")
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")
