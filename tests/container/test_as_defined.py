"""`test-image`: the image of a service, run as its task definition says, on a real engine."""

import copy
import io
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from infra.tool import cli, documents, image_check
from infra.tool.aws import Aws
from infra.tool.clock import SystemClock
from infra.tool.console import Console
from infra.tool.errors import ExitCode, ToolError
from infra.tool.health import addresses, fetch
from infra.tool.runtime import Runtime
from infra.tool.settings import Settings
from infra.tool.target import Target

from tests.container.conftest import COMMIT
from tests.container.containers import succeed
from tests.support.installed_service import InstalledService
from tests.support.settings import change

pytestmark = pytest.mark.container

SERVE = "import os; os.execvp('gunicorn', ['gunicorn'])"
ASK = "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health')"
# The limits in the example's task definition: 512 MiB, a quarter of a CPU.
AS_DEFINED = """
import os
from pathlib import Path
def one_of(*files):
    return next(Path(file).read_text().split() for file in files if Path(file).exists())
assert os.getuid() == os.getgid() == 10001, os.getuid()
status = Path("/proc/self/status").read_text()
assert int(status.partition("CapBnd:")[2].split()[0], 16) == 0, "capabilities are dropped"
cgroup = "/sys/fs/cgroup"
[memory] = one_of(f"{cgroup}/memory.max", f"{cgroup}/memory/memory.limit_in_bytes")
assert int(memory) == 512 << 20, memory
quota = int(one_of(f"{cgroup}/cpu.max", f"{cgroup}/cpu/cpu.cfs_quota_us")[0])
assert quota == 25_000, quota
assert Path("/proc/1/comm").read_text().strip() in ("docker-init", "tini"), "an init is PID 1"
assert os.environ["APP_TITLE"] == "ai-assistant"
"""


def python(script: str) -> list[str]:
    return ["python", "-c", script]


class Trial:
    """Run `test-image` with an image and with a changed container definition."""

    def __init__(self, service: InstalledService, image: str) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.image = image
        self.target = Target(
            Runtime(
                root=service.path,
                environment=os.environ,
                console=Console(os.environ, self.out, self.err),
                clock=SystemClock(),
                connect=self.never,
                fetch=fetch,
                ask=input,
                resolve=addresses,
            )
        )

    def never(self, _: str) -> Aws:
        raise AssertionError("test-image asks nothing of AWS")

    def with_secrets(self, stand_ins: Mapping[str, str]) -> "Trial":
        settings: Settings = self.target.settings
        deploy = settings.deploy.model_copy(update={"test_secrets": dict(stand_ins)})
        self.target.settings = settings.model_copy(update={"deploy": deploy})
        return self

    def run(self, commit: str = COMMIT, **members: Any) -> None:
        found = documents.read(self.target.runtime.root, self.target.settings)
        task = copy.deepcopy(found.task_definition)
        task["containerDefinitions"][0].update(members)
        image_check.check_image(
            self.target, replace(found, task_definition=task), self.image, commit
        )

    def fails(self, code: str, *says: str, commit: str = COMMIT, **members: Any) -> ToolError:
        with pytest.raises(ToolError) as caught:
            self.run(commit, **members)
        assert caught.value.code == code, f"{caught.value}\n{self.out.getvalue()}"
        assert caught.value.exit == ExitCode.FAILED
        for words in says:
            assert words in caught.value.message, caught.value
        return caught.value


@pytest.fixture
def trial(service: InstalledService, image: str) -> Iterator[Trial]:
    yield Trial(service, image)
    left = succeed("ps", "--all", "--quiet", "--filter", "name=infra-test-")
    assert left == "", "the container is removed, however the test of the image ends"


def test_the_image_of_a_fresh_service_passes(trial: Trial) -> None:
    trial.run()
    said = trial.out.getvalue()
    assert COMMIT in said
    assert "logConfiguration" in said, "what Docker cannot express is named"


def test_the_container_is_what_its_definition_says(trial: Trial) -> None:
    trial.run(command=python(AS_DEFINED + SERVE))


def test_the_root_file_system_is_read_only_exactly_if_the_definition_says_so(
    trial: Trial,
) -> None:
    writes = python("open('/tmp/x', 'w'); " + SERVE)
    trial.fails("container-exited", "Read-only file system", command=writes)
    trial.run(command=writes, readonlyRootFilesystem=False)


def test_an_app_that_needs_more_memory_than_the_task_has_is_named(trial: Trial) -> None:
    error = trial.fails("container-exited", command=python("x = b'x' * (700 << 20); " + SERVE))
    assert "out of memory" in error.message


def test_a_secret_in_a_certain_format_needs_a_test_value(trial: Trial) -> None:
    secret: dict[str, Any] = {
        "command": python("import os; int(os.environ['LIMIT']); " + SERVE),
        "secrets": [
            {"name": "LIMIT", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/x"}
        ],
    }
    error = trial.fails("container-exited", "invalid literal for int()", **secret)
    assert "[deploy.test_secrets]" in error.remedy
    trial.with_secrets({"LIMIT": "8"}).run(**secret)


def test_a_health_check_may_be_a_line_for_the_shell(trial: Trial) -> None:
    line = f'test -n "$HOSTNAME" && python -c "{ASK}" || exit 1'
    trial.run(healthCheck={"command": ["CMD-SHELL", line]})


def test_without_a_health_check_the_url_is_asked(trial: Trial) -> None:
    trial.run(healthCheck={"command": ["NONE"]})


def test_a_container_that_exits_ends_the_wait_at_once(trial: Trial) -> None:
    started = time.monotonic()
    script = "print('::error::no database'); raise SystemExit(3)"
    trial.fails("container-exited", "exit code 3", "no database", command=python(script))
    assert time.monotonic() - started < 30, "the health check had 75 s"
    assert "  ::error::no database" in trial.out.getvalue(), "its log is shown"


def test_a_container_that_never_becomes_healthy_is_named_with_the_last_answer(
    trial: Trial,
) -> None:
    check = ["CMD", *python("raise SystemExit('still warming up')")]
    trial.fails(
        "container-unhealthy",
        "exit code 1, still warming up",
        healthCheck={"command": check, "interval": 5, "retries": 1},
    )


def test_a_health_check_that_hangs_is_cut_off(trial: Trial) -> None:
    check = {"command": ["CMD", "sleep", "60"], "interval": 5, "retries": 1, "timeout": 2}
    trial.fails("container-unhealthy", "more than 2 s", healthCheck=check)


def test_an_image_with_another_commit_fails(trial: Trial) -> None:
    trial.fails("commit-differs", COMMIT, commit="f" * 40)


def test_a_command_that_does_not_exist_is_named(trial: Trial) -> None:
    lost = ["no-such-program"]
    trial.fails("container-not-started", lost[0], command=lost, linuxParameters={})
    trial.fails("container-exited", "exit code 127", lost[0], command=lost)  # by the init process


def test_an_app_that_listens_on_another_port_is_named(trial: Trial) -> None:
    """Its own health check passes, and no request of the load balancer would arrive."""
    error = trial.fails("health-no-answer", portMappings=[{"containerPort": 9090}])
    assert "9090" in error.message


def test_an_image_that_docker_does_not_have_is_never_pulled(trial: Trial) -> None:
    trial.image = "no-such-image"
    with pytest.raises(ToolError, match="image-missing"):
        trial.run()


def test_the_command_builds_the_commit_and_tests_it(
    service: InstalledService, tmp_path: Path, trial: Trial
) -> None:
    """A file that git ignores is in the folder, and must not be in the image."""
    owned = service.copy(tmp_path / "ai-assistant").path
    (owned / "app" / "local.py").write_text("1 / 0\n")
    (owned / ".gitignore").write_text("app/local.py\n.venv\n")
    change(owned, "deploy.build_flags", ["--network=host"])
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "Start"]):
        subprocess.run(["git", *words], cwd=owned, check=True)
    runtime = replace(
        trial.target.runtime,
        root=owned,
        environment=os.environ,
    )
    assert cli.run(["test-image"], runtime) == ExitCode.DONE, trial.err.getvalue()
    commit = trial.out.getvalue().split()[-1]
    image = f"ai-assistant:{commit}"
    listed = json.loads(
        succeed(
            *("run", "--rm", "--network", "none", image),
            *python("import json, os; print(json.dumps(os.listdir('/srv/app')))"),
        )
    )
    assert "main.py" in listed
    assert "local.py" not in listed
    succeed("rmi", image)
