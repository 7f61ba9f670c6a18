"""Play the whole life of the example on a simulated AWS: what `make rehearse` runs.

The commands are those of the render. Nothing leaves this machine but what uv asks the package
index. Exits with 1 if the story does not go as it is told here.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

sys.path.insert(0, os.fspath(Path(__file__).resolve().parents[1]))  # it is run as a file

from scripts.narration import (
    ANSWERS,
    BOLD,
    DIM,
    GREEN,
    RED,
    ROOT,
    UV,
    YELLOW,
    coloured,
    render_example,
    run,
    say,
)
from simulator.calls import Call
from simulator.clock import WallClock
from simulator.deployments import Outcome
from simulator.rollouts import Crashes
from simulator.simulation import SimulatedAws

EXAMPLE = yaml.safe_load(ANSWERS.read_text(encoding="utf-8"))
APP = EXAMPLE["app_name"]
DEPLOY_ROLE = f"role/{APP}-{EXAMPLE['aws_region']}-github-actions"
WIDTH = 100
BOOM = "RuntimeError: DATABASE_URL is not set"


class Astray(Exception):
    """The rehearsal did not go as the story says."""


@dataclass(frozen=True)
class Step:
    """Something that a person types, and what comes of it."""

    title: str
    types: tuple[str, ...]
    says: tuple[str, ...]
    code: int = 0
    who: str = DEPLOY_ROLE  # as CI does
    asked: tuple[str, str] = ("", "")  # the end of a question, and the answer to it
    becomes: tuple[Outcome, ...] = ()  # the outcome of the rollout, unless it is steady state
    note: str = ""


STORY = (
    Step(
        "See what it would stand on, and what that costs",
        ("uv run --frozen -m infra provision --plan",),
        says=("Nothing was changed",),
        who="root",
    ),
    Step(
        "Make it: one CloudFormation stack, and the two documents",
        ("uv run --frozen -m infra provision",),
        says=("url         http://", "is provisioned"),
        who="root",
    ),
    Step(
        "Deploy for the first time, with no more permissions than CI has",
        ("uv run --frozen -m infra deploy",),
        says=(f"is in steady state as {APP}-task:1: http://",),
    ),
    Step(
        "Deploy the next commit",
        (
            "echo '# The second release.' >> app/main.py",
            "git commit --quiet --all --message 'Second release'",
            "uv run --frozen -m infra deploy",
        ),
        says=(f"is in steady state as {APP}-task:2: http://",),
    ),
    Step(
        "Deploy a release that crashes: ECS rolls it back, and the deploy is red",
        (
            """echo 'raise RuntimeError("DATABASE_URL is not set")' >> app/main.py""",
            "git commit --quiet --all --message 'Need a database'",
            "uv run --frozen -m infra deploy",
        ),
        code=1,
        says=(f"rolled back to {APP}-task:2", "exit code 3", BOOM),
        becomes=(Crashes(exit_code=3, says=("Traceback (most recent call last):", BOOM)),),
        note="No container runs here: the simulation is told what becomes of this one.",
    ),
    Step(
        "Go back further by hand, to the first release",
        ("uv run --frozen -m infra rollback 1",),
        says=(f"Rolling back to {APP}-task:1", f"is in steady state as {APP}-task:1"),
    ),
    Step(
        "See what runs now",
        ("uv run --frozen -m infra status",),
        says=(f"revision    {APP}-task:1", ": 200 in"),
    ),
    Step(
        "Take it down",
        ("uv run --frozen -m infra destroy",),
        says=("Kept: the images",),
        who="root",
        asked=(f"type the name of the app ({APP}): ", APP),
    ),
)


@dataclass(frozen=True)
class Told:
    """How a step went."""

    step: Step
    calls: list[Call]
    seconds: float

    @property
    def changing(self) -> int:
        return sum(call.changes for call in self.calls)


@dataclass
class Rehearsal:
    """A service in a folder, whose commands call the simulated AWS."""

    aws: SimulatedAws
    service: Path

    def prepare(self) -> None:
        render_example(self.service)
        run(UV, "sync", "--quiet", "--only-group", "infra", cwd=self.service)
        settings = self.service / "infra" / "settings.toml"
        subject = f"repo:{EXAMPLE['github_repository']}:ref:refs/heads/main"
        text = settings.read_text(encoding="utf-8")
        text = text.replace('\nsubject = ""', f'\nsubject = "{subject}"')  # GitHub is not asked
        text = text.replace("\npoll_seconds = 5", "\npoll_seconds = 1")  # nothing takes long
        settings.write_text(text, encoding="utf-8")
        for line in (
            "git init --quiet --initial-branch main",
            "git add --all",
            "git commit --quiet --message 'Start from the template'",
        ):
            code, _ = self.type(line, "root")
            if code:
                raise Astray(f"`{line}` ended with {code}")

    def environment(self, who: str) -> dict[str, str]:
        """The environment of this process without the variables of AWS, GitHub and git."""
        apart = "AWS_", "GIT_", "GITHUB_", "VIRTUAL_ENV"
        given = {k: v for k, v in os.environ.items() if not k.startswith(apart)}
        given |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        for role in "AUTHOR", "COMMITTER":
            given |= {f"GIT_{role}_NAME": "Me", f"GIT_{role}_EMAIL": "me@example.com"}
        given |= self.aws.environment(who)
        # The simulation is the proxy to the load balancer; `uv run` finds the environment as it is.
        return given | {
            "PATH": f"{given['PATH']}{os.pathsep}{Path(UV).parent}",
            "UV_NO_SYNC": "1",
            "http_proxy": self.aws.environment(who)["AWS_ENDPOINT_URL"],
            "no_proxy": "127.0.0.1",
        }

    def play(self, step: Step) -> Told:
        """Raises Astray if it does not end as the story says."""
        if step.note:
            print(coloured(f"  {step.note}", DIM))
        self.aws.next_rollout(*step.becomes)
        before, started = len(self.aws.calls), time.monotonic()
        for line in step.types:
            code, said = self.type(line, step.who, step.asked)
            if code and line is not step.types[-1]:
                raise Astray(f"`{line}` ended with {code}")
        told = Told(step, list(self.aws.calls)[before:], time.monotonic() - started)
        tell_calls(told)
        if code != step.code:
            raise Astray(f"`{line}` ended with {code}, and should with {step.code}")
        for words in step.says:
            if words not in said:
                raise Astray(f"`{line}` should have said {words!r}")
        return told

    def type(self, line: str, who: str, asked: tuple[str, str] = ("", "")) -> tuple[int, str]:
        """Run a line of a shell as a principal, and show it: its exit code and its output."""
        print(f"  $ {line}", flush=True)
        question, answer = asked
        said = []
        with subprocess.Popen(
            ["bash", "-c", line],
            cwd=self.service,
            env=self.environment(who),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a Ctrl-C comes to this program alone, which passes it on
        ) as process:
            assert process.stdin
            assert process.stdout
            try:
                process.stdin.write(f"{answer}\n" if answer else "")
                process.stdin.close()
                for text in process.stdout:
                    if question:  # the line ends with the answer that is typed
                        text = text.replace(question, f"{question}{answer}\n")
                    said.append(text)
                    for shown in text.splitlines():
                        red = shown.startswith("error")
                        print(f"    {coloured(shown, RED) if red else shown}", flush=True)
            except BaseException:
                end(process)
                raise
        return process.returncode, "".join(said)


def end(process: subprocess.Popen[str]) -> None:
    """Stop a command and its child processes: by Ctrl-C, and by stronger signals if needed."""
    for sent in signal.SIGINT, signal.SIGTERM, signal.SIGKILL:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, sent)
            process.wait(timeout=5)
            return


def counted(calls: Iterable[Call]) -> list[str]:
    """Each operation and how often it was called, in the order of first calls; with errors."""
    names = Counter(f"{c.name} ({c.error})" if c.error else c.name for c in calls)
    return [f"{name} x {n}" if n > 1 else name for name, n in names.items()]


def tell_calls(told: Told) -> None:
    """Print the calls that were sent to AWS: names and numbers, which are not secret."""
    who = "an administrator" if told.step.who == "root" else "the deploy role"
    print(f"  {len(told.calls)} calls were sent to AWS, by {who}:")
    looks = [call for call in told.calls if not call.changes]
    changes = [call for call in told.calls if call.changes]
    for title, calls, colour in ("looks", looks, DIM), ("changes", changes, YELLOW):
        # A name stays in one piece with how often it was called.
        lines = textwrap.wrap(
            ", ".join(word.replace(" ", "\xa0") for word in counted(calls)) or "none",
            width=WIDTH,
            initial_indent=f"    {title:9}",
            subsequent_indent=" " * 13,
            break_on_hyphens=False,
        )
        print("\n".join(coloured(line.replace("\xa0", " "), colour) for line in lines), flush=True)


def tell_end(story: list[Told], service: Path, seconds: float) -> None:
    say(f"It went as told, in {seconds:.0f} s:")
    print()
    for number, told in enumerate(story, start=2):
        step = told.step
        command, code = step.types[-1], coloured(f"exit {step.code}", RED if step.code else GREEN)
        calls = f"{len(told.calls):3} calls, {told.changing:2} to change something"
        print(f"  {number}  {command:44} {code}  {calls}  {told.seconds:4.1f} s")
    say("In a real account it is the same commands. Your own service, from this template:")
    print(f"""
  uvx copier copy {ROOT} ../my-service
  cd ../my-service                             # then as the message after the copy says
  uv run --frozen -m infra provision --plan    # with an administrator's credentials
  uv run --frozen -m infra provision
  git push origin main                         # deploys it; from here: bash infra/deploy-manual.sh

The service of this rehearsal is in {os.path.relpath(service)}: look around.
""")


def rehearse(service: Path, *, engine: bool) -> None:
    """Raises Astray, and AssertionError if a call is not simulated."""
    started = time.monotonic()
    print(coloured("A rehearsal: the real scripts, on an AWS that is only simulated.", BOLD))
    with SimulatedAws(
        account=EXAMPLE["aws_account_id"],
        region=EXAMPLE["aws_region"],
        docker="real" if engine else "recorded",
        clock=WallClock(),
    ) as aws:
        rehearsal = Rehearsal(aws, service)
        say("1. Render the example, lock it, and put it into git")
        rehearsal.prepare()
        story = []
        for number, step in enumerate(STORY, start=2):
            say(f"{number}. {step.title}")
            story.append(rehearsal.play(step))
    tell_end(story, service, time.monotonic() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docker", action="store_true", help="build and push by a real engine")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "rehearsal")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if missing := [tool for tool in ("bash", "git") if not shutil.which(tool)]:
        sys.exit(f"not installed: {', '.join(missing)} (apt-get install {missing[0]})")
    try:
        rehearse(asked.folder.resolve(), engine=asked.docker)
    except KeyboardInterrupt:
        print("\nStopped: nothing is left running.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader closed the pipe, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (Astray, AssertionError) as reason:
        why = str(reason).strip().splitlines()[-1]  # the simulation tells where it was at a loss
        sys.exit(coloured(f"\nThe story goes astray: {why}", RED))


if __name__ == "__main__":
    main()
