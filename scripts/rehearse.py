"""Run every command of a service, from provision to destroy, on a simulated AWS: `make rehearse`.

The commands are those of a render of the example. Only uv uses the network, for the package index.
Exits with 1 if a command does not end as expected here.
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
    print_uv_hint,
    render_example,
    run,
    say,
)
from simulator.calls import Call
from simulator.clock import WallClock
from simulator.ecs.deployments import Outcome
from simulator.ecs.rollouts import Crashes
from simulator.simulation import SimulatedAws

EXAMPLE = yaml.safe_load(ANSWERS.read_text(encoding="utf-8"))
APP = EXAMPLE["app_name"]
DEPLOY_ROLE = f"role/{APP}-{EXAMPLE['aws_region']}-github-actions"
WIDTH = 100
BOOM = "RuntimeError: DATABASE_URL is not set"


class UnexpectedResult(Exception):
    """A command of the rehearsal did not end as expected."""


@dataclass(frozen=True)
class Step:
    """Commands, and the expected result of the last one."""

    title: str
    commands: tuple[str, ...]
    prints: tuple[str, ...]
    code: int = 0
    who: str = DEPLOY_ROLE  # as CI does
    question: tuple[str, str] = ("", "")  # the end of a question, and the answer to it
    outcomes: tuple[Outcome, ...] = ()  # of the rollout, unless it is steady state
    note: str = ""


STORY = (
    Step(
        "Plan: see the resources that it would create, and their cost",
        ("uv run --frozen -m infra provision --plan",),
        prints=("Nothing was changed",),
        who="root",
    ),
    Step(
        "Provision: create the CloudFormation stack, and apply the two documents",
        ("uv run --frozen -m infra provision",),
        prints=("url         http://", "is provisioned"),
        who="root",
    ),
    Step(
        "Deploy for the first time, with the permissions of CI",
        ("uv run --frozen -m infra deploy",),
        prints=(f"is in steady state as {APP}-task:1: http://",),
    ),
    Step(
        "Deploy the next commit",
        (
            "echo '# The second release.' >> app/main.py",
            "git commit --quiet --all --message 'Second release'",
            "uv run --frozen -m infra deploy",
        ),
        prints=(f"is in steady state as {APP}-task:2: http://",),
    ),
    Step(
        "Deploy a release that crashes: ECS rolls it back, and the deploy fails",
        (
            """echo 'raise RuntimeError("DATABASE_URL is not set")' >> app/main.py""",
            "git commit --quiet --all --message 'Need a database'",
            "uv run --frozen -m infra deploy",
        ),
        code=1,
        prints=(f"rolled back to {APP}-task:2", "exit code 3", BOOM),
        outcomes=(Crashes(exit_code=3, says=("Traceback (most recent call last):", BOOM)),),
        note="No container runs here: the simulation is told to crash this one.",
    ),
    Step(
        "Roll back by hand, to the first release",
        ("uv run --frozen -m infra rollback 1",),
        prints=(f"Rolling back to {APP}-task:1", f"is in steady state as {APP}-task:1"),
    ),
    Step(
        "See the status",
        ("uv run --frozen -m infra status",),
        prints=(f"revision    {APP}-task:1", ": 200 in"),
    ),
    Step(
        "Take the service down",
        ("uv run --frozen -m infra destroy",),
        prints=("Kept: the images",),
        who="root",
        question=(f"type the name of the app ({APP}): ", APP),
    ),
)


@dataclass(frozen=True)
class Result:
    """The calls and the duration of a step."""

    step: Step
    calls: list[Call]
    seconds: float

    @property
    def changing(self) -> int:
        return sum(call.changes for call in self.calls)


@dataclass
class Rehearsal:
    """A service in a folder; its commands call the simulated AWS."""

    aws: SimulatedAws
    service: Path

    def prepare(self) -> None:
        render_example(self.service)
        run(UV, "sync", "--quiet", "--only-group", "infra", cwd=self.service)
        settings = self.service / "infra" / "settings.toml"
        subject = f"repo:{EXAMPLE['github_repository']}:ref:refs/heads/main"
        text = settings.read_text(encoding="utf-8")
        # Without a subject the tool would ask GitHub. Rollouts are quick here.
        text = text.replace('\nsubject = ""', f'\nsubject = "{subject}"')
        text = text.replace("\npoll_seconds = 5", "\npoll_seconds = 1")
        settings.write_text(text, encoding="utf-8")
        for line in (
            "git init --quiet --initial-branch main",
            "git add --all",
            "git commit --quiet --message 'Start from the template'",
        ):
            code, _ = self.type(line, "root")
            if code:
                raise UnexpectedResult(f"`{line}` ended with {code}")

    def environment(self, who: str) -> dict[str, str]:
        """The environment of this process without the variables of AWS, GitHub and git."""
        ignored = "AWS_", "GIT_", "GITHUB_", "VIRTUAL_ENV"
        given = {k: v for k, v in os.environ.items() if not k.startswith(ignored)}
        given |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        for role in "AUTHOR", "COMMITTER":
            given |= {f"GIT_{role}_NAME": "Me", f"GIT_{role}_EMAIL": "me@example.com"}
        given |= self.aws.environment(who)
        # The simulation is the HTTP proxy, because it answers for the load balancer.
        return given | {
            "PATH": f"{given['PATH']}{os.pathsep}{Path(UV).parent}",
            "UV_NO_SYNC": "1",
            "http_proxy": self.aws.environment(who)["AWS_ENDPOINT_URL"],
            "no_proxy": "127.0.0.1",
        }

    def play(self, step: Step) -> Result:
        """Raises UnexpectedResult if the step does not end as expected."""
        if step.note:
            print(coloured(f"  {step.note}", DIM))
        self.aws.next_rollout(*step.outcomes)
        before, started = len(self.aws.calls), time.monotonic()
        for line in step.commands:
            code, said = self.type(line, step.who, step.question)
            if code and line is not step.commands[-1]:
                raise UnexpectedResult(f"`{line}` ended with {code}")
        result = Result(step, list(self.aws.calls)[before:], time.monotonic() - started)
        print_calls(result)
        if code != step.code:
            raise UnexpectedResult(f"`{line}` ended with {code}, expected {step.code}")
        for words in step.prints:
            if words not in said:
                raise UnexpectedResult(f"`{line}` did not print {words!r}")
        return result

    def type(self, line: str, who: str, asked: tuple[str, str] = ("", "")) -> tuple[int, str]:
        """Run a shell command as a principal, and show it. Returns its exit code and output."""
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
            start_new_session=True,  # a Ctrl-C reaches only this program, which passes it on
        ) as process:
            assert process.stdin
            assert process.stdout
            try:
                process.stdin.write(f"{answer}\n" if answer else "")
                process.stdin.close()
                for text in process.stdout:
                    if question:  # the prompt, to which the answer is added
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
    """Stop a command and its child processes: by Ctrl-C, then by stronger signals."""
    for sent in signal.SIGINT, signal.SIGTERM, signal.SIGKILL:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, sent)
            process.wait(timeout=5)
            return


def counted(calls: Iterable[Call]) -> list[str]:
    """Each operation with its error and its number of calls, in the order of first calls."""
    names = Counter(f"{c.name} ({c.error})" if c.error else c.name for c in calls)
    return [f"{name} x {n}" if n > 1 else name for name, n in names.items()]


def print_calls(result: Result) -> None:
    """Print the calls that were sent to AWS: only names and numbers."""
    who = "an administrator" if result.step.who == "root" else "the deploy role"
    print(f"  {len(result.calls)} calls were sent to AWS, by {who}:")
    reads = [call for call in result.calls if not call.changes]
    changes = [call for call in result.calls if call.changes]
    for title, calls, colour in ("reads", reads, DIM), ("changes", changes, YELLOW):
        # No line break between a name and its number of calls.
        lines = textwrap.wrap(
            ", ".join(word.replace(" ", "\xa0") for word in counted(calls)) or "none",
            width=WIDTH,
            initial_indent=f"    {title:9}",
            subsequent_indent=" " * 13,
            break_on_hyphens=False,
        )
        print("\n".join(coloured(line.replace("\xa0", " "), colour) for line in lines), flush=True)


def print_end(story: list[Result], service: Path, seconds: float) -> None:
    say(f"All steps ended as expected, in {seconds:.0f} s:")
    print()
    for number, result in enumerate(story, start=2):
        step = result.step
        command = step.commands[-1]
        code = coloured(f"exit {step.code}", RED if step.code else GREEN)
        calls = f"{len(result.calls):3} calls, {result.changing:2} to change something"
        print(f"  {number}  {command:44} {code}  {calls}  {result.seconds:4.1f} s")
    say("In a real account the commands are the same. Your own service, from this template:")
    print(f"""
  uvx copier copy {ROOT} ../my-service
  cd ../my-service                             # then as the message after the copy says
  uv run --frozen -m infra provision --plan    # with an administrator's credentials
  uv run --frozen -m infra provision
  git push origin main                         # deploys it; from here: bash infra/deploy-manual.sh

The service of this rehearsal is in {os.path.relpath(service)}.
""")
    print_uv_hint()


def rehearse(service: Path, *, engine: bool) -> None:
    """Raises UnexpectedResult, and AssertionError if a call is not simulated."""
    started = time.monotonic()
    print(coloured("A rehearsal: the real commands, on a simulated AWS.", BOLD))
    with SimulatedAws(
        account=EXAMPLE["aws_account_id"],
        region=EXAMPLE["aws_region"],
        docker="real" if engine else "recorded",
        clock=WallClock(),
    ) as aws:
        rehearsal = Rehearsal(aws, service)
        say("1. Render the example, lock its dependencies, and commit it")
        rehearsal.prepare()
        story = []
        for number, step in enumerate(STORY, start=2):
            say(f"{number}. {step.title}")
            story.append(rehearsal.play(step))
    print_end(story, service, time.monotonic() - started)


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
    except (UnexpectedResult, AssertionError) as reason:
        why = str(reason).strip().splitlines()[-1]  # an unknown call of the simulation
        sys.exit(coloured(f"\nThe rehearsal failed: {why}", RED))


if __name__ == "__main__":
    main()
