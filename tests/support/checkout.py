"""A service in a git checkout, and the tool run in it against the simulated AWS."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from infra.tool import cli
from infra.tool.aws import Aws
from infra.tool.console import Console
from infra.tool.errors import ExitCode
from infra.tool.health import Fetch, Response
from infra.tool.runtime import Runtime

from simulator.calls import Call
from simulator.simulation import SimulatedAws
from tests.support.processes import TIMEOUT, TOOL, ProcessesOfService
from tests.support.rendering import Render
from tests.support.repository import ServiceRepository
from tests.support.settings import Value, change

Json = dict[str, Any]

SUBJECT = "repo:my-company@1/ai-assistant@2:ref:refs/heads/main"
UNREADABLE = "Traceback (most recent call last):\n  File", "SimulationAtALoss"
CREATE_PLAN = "cloudformation:CreateChangeSet"
DISCARD_PLAN = {"cloudformation:DeleteChangeSet", "cloudformation:DeleteStack"}  # a planned stack


@dataclass(frozen=True)
class Run:
    """The result of a command."""

    exit_code: int
    out: str
    err: str
    calls: list[Call]

    def __post_init__(self) -> None:
        for text in UNREADABLE:
            assert text not in self.text, f"no user wants to read this:\n{self.text}"

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def operations(self) -> list[str]:
        """The calls to AWS in order, such as "ecs:DescribeServices"."""
        return [call.name for call in self.calls]

    @property
    def changes(self) -> list[str]:
        """The calls that changed something in AWS, in order."""
        return [call.name for call in self.calls if call.changes and not call.error]

    @property
    def error_code(self) -> str:
        """The code of the error that ended it; empty if none did."""
        return self.err.partition("error[")[2].partition("]")[0]

    def expect(self, exit_code: int, error_code: str = "") -> "Run":
        """Assert how the command ended. With exit code 2 it must not have changed AWS."""
        found = (self.exit_code, self.error_code)
        assert found == (exit_code, error_code), (
            f"expected exit code {exit_code} and error {error_code or 'none'}, but it ended with "
            f"{self.exit_code} and {self.error_code or 'none'}:\n{self.text}"
        )
        if exit_code == ExitCode.NOT_READY and not self.has_discarded_a_plan:
            self.expect_no_change()
        return self

    @property
    def has_discarded_a_plan(self) -> bool:
        """Whether the command only created a change set in AWS, and deleted it again."""
        created, discarded = self.changes[:1], set(self.changes[1:])
        return created == [CREATE_PLAN] and set() < discarded <= DISCARD_PLAN

    def expect_no_change(self) -> "Run":
        assert self.changes == [], f"AWS must not be changed, but it was asked for {self.changes}"
        return self

    def expect_text(self, *texts: str) -> "Run":
        """Assert that the output has each of these texts."""
        missing = [text for text in texts if text not in self.text]
        assert missing == [], f"the output must have {missing}:\n{self.text}"
        return self

    def request(self, operation: str, **named: str) -> Json:
        """The parameters of the only call of an operation with these values among them."""
        [call] = [
            call
            for call in self.calls
            if call.name == operation and named.items() <= call.parameters.items()
        ]
        return call.parameters


@dataclass
class Checkout(ServiceRepository, ProcessesOfService):
    """A rendered service in a repository of its own, in an account of the simulated AWS."""

    aws: SimulatedAws
    folder: Path  # of the service
    environment: dict[str, str] = field(default_factory=dict)  # of the commands that are run
    answer: Response | OSError | None = None  # of the URL; None: what the load balancer answers
    terminal: StringIO | None = None  # where output and errors go; None: each to its own
    own_process: bool = False  # each command is run in one, which asks the simulated AWS over HTTP

    def __post_init__(self) -> None:
        git = {name: value for name, value in os.environ.items() if name.startswith("GIT_")}
        self.environment = {**git, "PATH": os.environ["PATH"], **self.environment}

    @classmethod
    def of(
        cls, render: Render, aws: SimulatedAws, folder: Path, *, own_process: bool = False
    ) -> "Checkout":
        """A render in a repository of its own, below `folder`."""
        render.copy_to(folder / "service")
        made = cls(aws, folder / "service", own_process=own_process)
        made.begin()
        return made

    def copy(self, folder: Path) -> "Checkout":
        """Another clone of it, in the same account."""
        shutil.copytree(self.folder, folder)
        return Checkout(self.aws, folder, dict(self.environment), own_process=self.own_process)

    # --- changes by the owner ---

    def set(self, name: str, value: Value) -> None:
        """Change a setting, such as "tasks.min", without a commit."""
        change(self.folder, name, value)

    def release(self, note: str = "Release") -> str:
        """Commit something new to deploy, and push its image. Returns the commit."""
        self.new_commit(note)
        self.push_image()
        return self.head

    def new_commit(self, note: str = "Release") -> str:
        """Commit something new to deploy, of which no image exists."""
        self.write("NOTES.md", f"{note}\nAfter {self.head}.\n")
        self.commit(note)
        return self.head

    def push_image(self) -> None:
        """Leave an image of the commit in ECR, as an earlier deploy would."""
        names = self.settings.names
        self.aws.registry.put_image(names.repository, self.head)

    def docker(self) -> None:
        """Put a stand-in for docker on the PATH that pushes to the simulated registry."""
        self.environment |= {
            name: value
            for name, value in self.aws.environment().items()
            if name in ("PATH", "DOCKER_CONFIG", "SIMULATED_REGISTRY")
        }

    # --- the tool ---

    def run(self, *words: str, principal: str = "", typed: str = "", **environment: str) -> Run:
        """Run a command of the tool, as the deploy role unless another principal is named. `typed`
        answers its question."""
        who = principal or self.deploy_role
        if self.own_process:
            return self.run_program(*TOOL, *words, principal=who, typed=typed, **environment)
        return run_tool(
            self.aws,
            self.folder,
            *words,
            principal=who,
            environment=self.environment | environment,
            answer=self.answer,
            terminal=self.terminal,
            typed=typed,
        )

    def administer(self, *words: str, typed: str = "", **environment: str) -> Run:
        """Run a command of the tool as an administrator."""
        return self.run(*words, principal="root", typed=typed, **environment)

    def run_program(
        self, *words: str, principal: str = "root", typed: str = "", **environment: str
    ) -> Run:
        """Run a program, such as ("aws", "ecs", "list-clusters"), in a process of its own."""
        before = len(self.aws.calls)
        process = self.start(*words, principal=principal, **environment)
        out, err = process.communicate(f"{typed}\n" if typed else "", TIMEOUT)
        self.expect_no_temporary_files()
        return Run(process.returncode, out, err, list(self.aws.calls)[before:])

    # --- its log ---

    def write_log(self, *messages: str, seconds_ago: float = 0) -> None:
        """Write lines of the app into its log group, one millisecond apart."""
        logs, group = self.aws.client("logs"), self.settings.names.log_group
        stream = {"logGroupName": group, "logStreamName": f"ecs/app/{uuid4().hex}"}
        first = round((self.aws.clock.now().timestamp() - seconds_ago) * 1000)
        events = [
            {"timestamp": first + number, "message": message}
            for number, message in enumerate(messages)
        ]
        logs.create_log_stream(**stream)
        logs.put_log_events(**stream, logEvents=events)


def run_tool(
    aws: SimulatedAws,
    root: Path,
    *words: str,
    principal: str,
    environment: Mapping[str, str],
    answer: Response | OSError | None = None,
    terminal: StringIO | None = None,
    typed: str = "",
) -> Run:
    """Run a command of the tool as a principal, in the service in `root`."""
    before = len(aws.calls)
    out, err = terminal or StringIO(), terminal or StringIO()
    console = Console(environment, out, err)
    runtime = runtime_of(aws, root, principal, environment, console, typed)
    if answer:
        runtime = replace(runtime, fetch=always(answer))
    code = cli.run(words, runtime)
    return Run(int(code), out.getvalue(), err.getvalue(), list(aws.calls)[before:])


def always(answer: Response | OSError) -> Fetch:
    """A fetch for which every URL returns this response or raises this error."""

    def fetch(url: str, *, timeout: float, via: str = "") -> Response:  # noqa: ARG001
        if isinstance(answer, OSError):
            raise answer
        return answer

    return fetch


def runtime_of(
    aws: SimulatedAws,
    root: Path,
    principal: str,
    environment: Mapping[str, str],
    console: Console,
    typed: str = "",
) -> Runtime:
    """The runtime of a command in `root`, in this process."""
    return Runtime(
        root=root,
        environment=environment,
        console=console,
        clock=aws.clock,
        connect=lambda region: Aws(aws.session(principal, region=region), region),
        fetch=lambda url, *, timeout, via="": Response(*aws.fetch(url, timeout=timeout, via=via)),
        ask=lambda _: typed,
        resolve=aws.resolve,
    )
