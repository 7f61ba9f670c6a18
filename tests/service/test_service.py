"""A fresh render passes its own CI, on the oldest Python that it supports."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.installed_service import InstalledService, own
from tests.support.rendering import Render


@pytest.fixture(scope="module")
def service(example: Render, tmp_path_factory: pytest.TempPathFactory) -> InstalledService:
    return own(example, tmp_path_factory.mktemp("service"))


def test_linters_and_type_checks_pass(service: InstalledService, tmp_path: Path) -> None:
    """The linters that the workflow of the service runs, on the files that git tracks."""
    tracked = service.copy(tmp_path / "tracked")
    for words in ["init", "--quiet"], ["add", "--all"]:
        subprocess.run(["git", *words], cwd=tracked.path, check=True)
    tracked.uv("run", "--locked", "pre-commit", "run", "--all-files")


def test_its_tests_pass_and_none_is_skipped(service: InstalledService) -> None:
    last = service.uv("run", "--locked", "pytest").splitlines()[-1]
    assert re.fullmatch(r"=+ \d+ passed in .*", last), last


@pytest.mark.slow
def test_the_tests_of_a_service_pass_in_the_template_too(
    service: InstalledService, template: Path, tmp_path: Path
) -> None:
    """All but the contract, which is about answers, run where the template is edited."""
    unrendered = shutil.copytree(template / "template", tmp_path / "template")
    words = "run", "--no-sync", "--directory", str(unrendered), "--project", str(service.path)
    passed = service.uv(*words, "pytest", "--ignore", "tests/test_contract.py")
    assert re.fullmatch(r"=+ \d+ passed in .*", passed.splitlines()[-1]), passed
