"""The benchmarks run as documented, and say when their figures are doubtful."""

import os
import subprocess
import sys

import pytest

from benchmarks import page
from tests.support.rendering import ROOT


@pytest.mark.parametrize(
    ("others", "doubtful"), [([0.0, 0.05, 0.9], False), ([0.05, 0.2, 0.3], True)]
)
def test_figures_of_a_busy_machine_are_called_doubtful(others: list[float], doubtful: bool) -> None:
    said = page.judge(others)
    assert said.startswith("**Doubtful") is doubtful, said
    assert f"at most {max(others):.0%}" in said


def test_a_busy_program_takes_a_part_of_the_cpu() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            taken = page.others(1)
        finally:
            busy.kill()
    assert 0.3 / (os.cpu_count() or 1) < taken <= 1


def test_the_documented_command_is_one_of_the_makefile() -> None:
    documented = "make benchmark OPTIONS=--write"
    assert documented in page.PAGE.read_text(), f"{page.PAGE}: document `{documented}`"
    done = subprocess.run(
        [*documented.split(), "--dry-run", "--no-print-directory"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    engine, benchmark = done.stdout.strip().splitlines()[-2:]
    assert engine.split()[0] == "tests/container/engine.sh"
    assert benchmark.endswith("benchmarks/runtime.py --write")
