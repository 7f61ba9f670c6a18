"""Output of the demo and the rehearsal: titles, and commands as a person types them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ANSWERS = ROOT / "example-answers.yml"
UV = os.environ.get("UV", "uv")  # set by `uv run`

IN_COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"


def coloured(text: str, colour: str) -> str:
    """The text in a colour (an ANSI code) on a terminal, and as it is elsewhere."""
    return f"\033[{colour}m{text}\033[0m" if IN_COLOUR else text


def print_uv_hint() -> None:
    """On a machine without uv, `make` installs one that is not on the PATH."""
    if not shutil.which("uv"):
        print("These commands need uv on your PATH: https://docs.astral.sh/uv/\n")


def say(title: str) -> None:
    print(f"\n{coloured(title, BOLD)}", flush=True)


def show(*command: str | Path) -> None:
    program, *words = command
    short = [os.path.relpath(word, ROOT) if isinstance(word, Path) else word for word in words]
    print(f"  $ {Path(program).name} {' '.join(short)}", flush=True)


def run(*command: str | Path, cwd: Path) -> None:
    """Show a command and run it. Ends this program with its exit code when it fails."""
    show(*command)
    # Not the virtual environment of this script: the service has its own.
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def program_of(environment: Path, name: str) -> Path:
    """A program of a virtual environment; on Windows it has another folder, and an ending."""
    folder = environment / ("Scripts" if os.name == "nt" else "bin")
    found = shutil.which(name, path=os.fspath(folder))
    return Path(found) if found else sys.exit(f"{name} is not in {folder}: uv sync puts it there")


def render_example(service: Path) -> None:
    """Answer the questions with example-answers.yml, and render into a folder made anew."""
    shutil.rmtree(service, ignore_errors=True)
    copier = program_of(Path(sys.prefix), "copier")
    quiet = "--quiet", "--defaults", "--vcs-ref", "HEAD", "--data-file", ANSWERS
    run(copier, "copy", *quiet, ROOT, service, cwd=ROOT)
