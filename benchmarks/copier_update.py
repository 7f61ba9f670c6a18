"""The duration of `copier update`, compared with a template of one file, which is the minimum.

    uv run python benchmarks/copier_update.py [ROUNDS] [--write]

Both templates release one more line in their README; both services come from the release before.
Rounds are interleaved, so that a busy machine slows both sides. Prints the medians of each and of
their ratios, and with --write puts them into docs/performance.md.

The rest is Copier's own work: three renders, each with a `git config` process for every file and a
compiled template for every part of every path, and five clones of the repository. Without the files
outside of copier.yml and template/ it would be a tenth less.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).resolve().parents[1]))  # it is run as a file

from benchmarks import page
from benchmarks.copier_copy import COPIER, ROOT, one_file


def git(folder: Path, *words: str | Path) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)


def release_twice(template: Path, readme: str) -> None:
    """Tag the template, and then a version with one more line."""
    git(template, "tag", "v1.0.0")
    with (template / "template" / readme).open("a") as file:
        file.write("\nOne more line.\n")
    git(template, "commit", "-qam", "One more line")
    git(template, "tag", "v1.1.0")
    git(template, "gc", "--quiet")  # packed, as a server keeps it


def service(template: Path, folder: Path, *answers: str | Path) -> Path:
    words = "copy", "--quiet", "--defaults", "--vcs-ref", "v1.0.0"
    subprocess.run([COPIER, *words, *answers, template, folder], check=True)
    for commit in ["init", "-q"], ["add", "-A"], ["commit", "-qm", "Start"]:
        git(folder, *commit)
    return folder


def seconds(made: Path, copy: Path) -> float:
    """How long the update of a copy of a service takes."""
    shutil.copytree(made, copy)
    started = time.perf_counter()
    subprocess.run([COPIER, "update", "--quiet", "--defaults"], cwd=copy, check=True)
    return time.perf_counter() - started


def main() -> None:
    wanted = page.arguments(str(__doc__), rounds=15)
    os.environ |= {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "Benchmark"), ("EMAIL", "benchmark@example.com"))
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        floor = one_file(folder)
        answers_file = floor / "template" / "{{ _copier_conf.answers_file }}.jinja"
        answers_file.write_text("{{ _copier_answers | to_nice_yaml -}}\n")
        git(floor, "add", "-A")
        git(floor, "commit", "-qm", "With answers, or nothing could be updated")
        release_twice(floor, "README.md")
        clone = folder / "template"
        git(folder, "clone", "-q", "--no-tags", ROOT, clone)
        release_twice(clone, "README.md.jinja")

        small = service(floor, folder / "small")
        large = service(clone, folder / "large", "--data-file", ROOT / "example-answers.yml")
        pairs = [
            (seconds(small, folder / f"small-{n}"), seconds(large, folder / f"large-{n}"))
            for n in range(wanted.rounds)
        ]
    text = page.timings(
        {
            "one file": [a for a, _ in pairs],
            "this template": [b for _, b in pairs],
            "times the floor": [b / a for a, b in pairs],
        }
    )
    print(text)
    if wanted.write:
        page.write("copier update", text)


if __name__ == "__main__":
    main()
