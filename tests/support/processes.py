"""Programs in a service, each in a process of its own, that ask the simulated AWS over HTTP."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.service_state import ServiceState

# The tool with simulated time and a simulated URL. A command follows.
TOOL = sys.executable, os.fspath(Path(__file__).with_name("tool_process.py"))
TIMEOUT = 120  # seconds for a process that takes a few


class ProcessesOfService(ServiceState):
    environment: dict[str, str]
    process: subprocess.Popen[str]  # the one that was started last

    def start(self, *words: str, principal: str, **environment: str) -> subprocess.Popen[str]:
        """Start a program, which Ctrl-C interrupts even if it does not interrupt the tests."""
        self.process = subprocess.Popen(
            words,
            cwd=self.folder,
            env=self.process_environment(principal) | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        return self.process

    def start_tool(
        self, *words: str, principal: str = "", **environment: str
    ) -> subprocess.Popen[str]:
        """Start the tool exactly as a user does, by default as the deploy role: its clock is this
        machine's, which is ahead of that of the simulated AWS."""
        proxy = {"http_proxy": f"http://{self.aws.address}", "no_proxy": "127.0.0.1"}
        words = (sys.executable, "-m", "infra", *words)
        who = principal or self.deploy_role
        return self.start(*words, principal=who, **proxy, **environment)

    def press_ctrl_c(self) -> None:
        """As a terminal does: every process of the program gets the signal."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(TIMEOUT)

    def expect_no_temporary_files(self) -> None:
        left = [path.name for path in (self.home / "tmp").iterdir()]
        assert left == [], f"these temporary files are left: {left}"

    @property
    def home(self) -> Path:
        """The home of a program. It finds what is in `bin` there, and nothing else of this machine:
        bash, git, and what the simulated AWS brings."""
        home = self.folder.with_name(f"{self.folder.name}-home")
        if not home.exists():
            (home / "tmp").mkdir(parents=True)
            (home / "bin").mkdir()
            programs = [Path(found) for name in ("bash", "git") if (found := shutil.which(name))]
            for program in *programs, *(self.aws.scripts.folder / "bin").iterdir():
                (home / "bin" / program.name).symlink_to(program.resolve())
        return home

    def process_environment(self, principal: str) -> dict[str, str]:
        own = {"HOME": f"{self.home}", "TMPDIR": f"{self.home / 'tmp'}"}
        if self.environment["PATH"] == os.environ["PATH"]:  # unless a test has set another
            own["PATH"] = f"{self.home / 'bin'}"
        return self.aws.environment(principal) | self.environment | own
