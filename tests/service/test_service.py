"""What CI asks of a service holds for a fresh render, on the oldest Python that it supports.

The files in suite/ test what the template keeps for each service: the server and the limits. They
run in the environment of a fresh render, as if they were among its own tests.
"""

import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from owned import Service, own
from rendering import Render

SUITE = Path(__file__).with_name("suite")


@pytest.fixture(scope="module")
def service(example: Render, tmp_path_factory: pytest.TempPathFactory) -> Service:
    return own(example, tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def extended(example: Render, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The service with the tests in suite/ beside its own."""
    extended = own(example, tmp_path_factory.mktemp("extended"))
    extended.uv("add", "--quiet", "--dev", f"hypothesis=={version('hypothesis')}")
    shutil.copytree(SUITE, extended.path / "tests", dirs_exist_ok=True)
    return extended


@pytest.mark.parametrize("name", sorted(path.name for path in SUITE.glob("test_*.py")))
def test_the_app_and_its_server_keep_their_promises(extended: Service, name: str) -> None:
    last = extended.uv("run", "--no-sync", "pytest", f"tests/{name}").splitlines()[-1]
    assert re.fullmatch(r"=+ \d+ passed in .*", last), last


@pytest.mark.parametrize("command", ["ruff check", "ruff format --check", "mypy"])
def test_the_suite_is_as_clean_as_the_service(extended: Service, command: str) -> None:
    extended.uv("run", "--no-sync", *command.split())


def test_linters_and_types_have_nothing_to_say(service: Service, tmp_path: Path) -> None:
    """What the workflow of the service runs; it looks at what git tracks."""
    tracked = service.copy(tmp_path / "tracked")
    for words in ["init", "--quiet"], ["add", "--all"]:
        subprocess.run(["git", *words], cwd=tracked.path, check=True)
    tracked.uv("run", "--locked", "pre-commit", "run", "--all-files")


def test_its_tests_pass_and_none_is_left_out(service: Service) -> None:
    last = service.uv("run", "--locked", "pytest").splitlines()[-1]
    assert re.fullmatch(r"=+ \d+ passed in .*", last), last


@pytest.mark.slow
def test_they_pass_in_the_template_too(service: Service, template: Path, tmp_path: Path) -> None:
    """All but the contract, which is about answers, run where the template is edited."""
    unrendered = shutil.copytree(template / "template", tmp_path / "template")
    words = "run", "--no-sync", "--directory", str(unrendered), "--project", str(service.path)
    passed = service.uv(*words, "pytest", "--ignore", "tests/test_contract.py")
    assert re.fullmatch(r"=+ \d+ passed in .*", passed.splitlines()[-1]), passed
