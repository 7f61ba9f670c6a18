"""How much longer `copier copy` takes than the floor: a template of one file.

    uv run python benchmarks/copier_copy.py [ROUNDS] [--write]

Rounds are interleaved, so that a busy machine slows both sides. Prints the medians of each and of
their differences, and with --write puts them into docs/performance.md.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).resolve().parents[1]))  # it is run as a file

from benchmarks import page

ROOT = Path(__file__).resolve().parents[1]
COPIER = Path(sys.executable).parent / "copier"


def one_file(folder: Path) -> Path:
    template = folder / "one-file"
    (template / "template").mkdir(parents=True)
    (template / "copier.yml").write_text("_subdirectory: template\n")
    (template / "template" / "README.md").write_text("# One file\n")
    for words in ["init", "-q"], ["add", "-A"], ["commit", "-qm", "One file"]:
        subprocess.run(["git", *words], cwd=template, check=True)
    return template


def seconds(template: Path, destination: Path, *answers: str | Path) -> float:
    words = "copy", "--quiet", "--defaults", "--vcs-ref", "HEAD"
    started = time.perf_counter()
    subprocess.run([COPIER, *words, *answers, template, destination], check=True)
    return time.perf_counter() - started


def main() -> None:
    wanted = page.arguments(str(__doc__), rounds=15)
    os.environ |= {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "Benchmark"), ("EMAIL", "benchmark@example.com"))
    }
    with tempfile.TemporaryDirectory() as folder:
        floor = one_file(Path(folder))
        clone = Path(folder) / "template"
        subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
        answers = "--data-file", ROOT / "example-answers.yml"
        pairs = [
            (
                seconds(floor, Path(folder) / f"floor-{n}"),
                seconds(clone, Path(folder) / f"service-{n}", *answers),
            )
            for n in range(wanted.rounds)
        ]
    text = page.timings(
        {
            "one file": [a for a, _ in pairs],
            "this template": [b for _, b in pairs],
            "difference": [b - a for a, b in pairs],
        }
    )
    print(text)
    if wanted.write:
        page.write("copier copy", text)


if __name__ == "__main__":
    main()
