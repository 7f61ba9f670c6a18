"""docs/performance.md: benchmarks write their results between its markers."""

import argparse
import datetime
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"

LOAD = os.getloadavg()[0]  # of the minute before the benchmark

# The part of the machine's CPU that other programs may take before figures are doubtful. A subject
# with a quarter of a CPU and the client that loads it take less than one of two.
BUSY = 0.1


def provenance() -> str:
    """The origin of a figure: command, machine, its load at the start, and date."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    machine = f"{os.cpu_count()} x {found[1] if found else platform.machine()}"
    command = f"uv run python benchmarks/{' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])}"
    return f"`{command}`, {machine}, at a load of {LOAD:.1f}, {datetime.date.today():%Y-%m-%d}"


def cpu_times() -> tuple[int, int]:
    """The machine's CPU time since it started, in ticks: in use, stolen time included; and all."""
    with Path("/proc/stat").open() as statistics:
        times = [int(ticks) for ticks in statistics.readline().split()[1:9]]
    idle = times[3] + times[4]  # the latter waits for disks
    return sum(times) - idle, sum(times)


def others(seconds: float = 0.5) -> float:
    """The part of the machine's CPU that other programs take while this one sleeps."""
    used, total = cpu_times()
    time.sleep(seconds)
    used_after, total_after = cpu_times()
    return (used_after - used) / max(1, total_after - total)


def judge(samples: Sequence[float]) -> str:
    """Whether the figures are doubtful, by the part of the CPU that other programs took."""
    median, most = statistics.median(samples), max(samples)
    said = f"Other programs took {median:.0%} of the machine's CPU, at most {most:.0%}."
    if median <= BUSY:
        return said
    return (
        f"**Doubtful: measure again on an idle machine.** {said} More than {BUSY:.0%} is too much."
    )


def spread(values: Sequence[float], digits: int) -> str:
    """The median, with the smallest and the largest value."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def timings(seconds: Mapping[str, Sequence[float]]) -> str:
    """A table of durations by name, with the origin of the figures."""
    rounds = len(next(iter(seconds.values())))
    rows = [f"| {what} | {spread(values, 2)} |" for what, values in seconds.items()]
    unit = "in seconds unless another unit is given"
    made = f"Medians of {rounds} interleaved rounds, {unit}. Made by {provenance()}."
    return "\n".join([made, "", "| | |", "| --- | ---: |", *rows])


def arguments(what: str, rounds: int) -> argparse.Namespace:
    """The arguments of a benchmark with rounds."""
    parser = argparse.ArgumentParser(description=what.splitlines()[0])
    parser.add_argument("rounds", type=int, nargs="?", default=rounds, help=f"how many ({rounds})")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    return parser.parse_args()


def write(section: str, text: str) -> None:
    """Replace the text between the markers of a section."""
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    page = PAGE.read_text()
    before, found, rest = page.partition(begin)
    _, also, after = rest.partition(end)
    if not (found and also):
        sys.exit(f"{PAGE} has no section {section}: write {begin} and {end} where it belongs.")
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")
