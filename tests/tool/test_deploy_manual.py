"""infra/deploy-manual.sh checks, then deploys; a stand-in for uv records what it runs."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.rendering import Render

CHECK, DEPLOY = "uv run --frozen -m infra check", "uv run --frozen -m infra deploy"


@dataclass(frozen=True)
class Laptop:
    """A machine with bash, and with what a test puts on its PATH."""

    service: Path
    programs: Path
    calls: Path

    def put_uv(self, check: int = 0, deploy: int = 0) -> None:
        """A stand-in that notes how and where it was called, and ends with these exit codes."""
        uv = self.programs / "uv"
        uv.write_text(
            f"""#!/bin/bash
echo "uv $* in $PWD" >>"{self.calls}"
case "$*" in
  *" check") exit {check} ;;
  *" deploy") exit {deploy} ;;
esac
""",
            encoding="utf-8",
        )
        uv.chmod(0o755)

    def run(self, *command: str, folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=folder,
            env={"PATH": os.fspath(self.programs)},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    @property
    def called(self) -> list[str]:
        """Each call, with the folder that it was made in."""
        return self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []


@pytest.fixture
def laptop(example: Render, tmp_path: Path) -> Laptop:
    service = tmp_path / "a service"
    example.copy_to(service)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in "bash", "dirname":
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    laptop = Laptop(service, programs, tmp_path / "calls")
    laptop.put_uv()
    return laptop


@pytest.mark.parametrize("where", [".", "infra", ".."])
@pytest.mark.parametrize("starter", [(), ("bash",)], ids=["as a program", "by bash"])
def test_the_script_checks_and_deploys_from_the_root_in_any_folder(
    laptop: Laptop, where: str, starter: tuple[str, ...]
) -> None:
    folder = (laptop.service / where).resolve()
    script = os.path.relpath(laptop.service / "infra" / "deploy-manual.sh", folder)
    words = (*starter, script if starter or "/" in script else f"./{script}")
    done = laptop.run(*words, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    root = laptop.service
    assert laptop.called == [f"{CHECK} in {root}", f"{DEPLOY} in {root}"]


def test_a_failed_check_ends_the_script_before_the_deploy(laptop: Laptop) -> None:
    laptop.put_uv(check=2)
    done = laptop.run("infra/deploy-manual.sh", folder=laptop.service)
    assert done.returncode == 2
    assert laptop.called == [f"{CHECK} in {laptop.service}"]


@pytest.mark.parametrize("code", [1, 3, 130])
def test_the_exit_code_is_that_of_the_deploy(laptop: Laptop, code: int) -> None:
    laptop.put_uv(deploy=code)
    assert laptop.run("infra/deploy-manual.sh", folder=laptop.service).returncode == code


def test_without_uv_the_script_says_where_to_get_it(laptop: Laptop) -> None:
    (laptop.programs / "uv").unlink()
    done = laptop.run("infra/deploy-manual.sh", folder=laptop.service)
    assert done.returncode == 2
    assert "https://docs.astral.sh/uv/" in done.stderr
    assert laptop.called == []
