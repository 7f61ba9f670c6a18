"""Try mutations in copies of this repository, each in a fork that has imported the libraries."""

import importlib
import io
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import pytest

from tests.mutations.mutation import ROOT, Mutation, MutationResult

LIMIT = 300  # seconds for the tests of one mutation
LIBRARIES = "botocore.session", "copier", "fastapi.testclient", "hypothesis", "pydantic", "yaml"


def try_all(mutations: Sequence[Mutation], folder: Path) -> Iterator[MutationResult]:
    """The results in the order of the mutations."""
    for name in LIBRARIES:
        importlib.import_module(name)
    copy_repository(folder / "base")
    forks = multiprocessing.get_context("fork").Pool(os.cpu_count(), maxtasksperchild=1)
    with forks:
        failures = forks.imap(partial(first_failure, folder), mutations)
        yield from map(MutationResult, mutations, failures)


def copy_repository(folder: Path) -> None:
    """The files that git has or would add: the tests make the template of those, too."""
    git = ["git", "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, check=True, encoding="utf-8").stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)


def first_failure(folder: Path, mutation: Mutation) -> str:
    """Which test fails, and why; empty if none does. For a process that ends with it."""
    copy = folder / str(os.getpid())
    shutil.copytree(folder / "base", copy, copy_function=os.link)
    mutation.apply(copy)
    forget_this_repository()
    os.chdir(copy)
    signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT)
    failure = FirstFailure()
    words = ["-k", mutation.words] if mutation.words else []
    options = ["--numprocesses=0", "--exitfirst", "--quiet", "-p", "no:cacheprovider"]
    options += ["-W", "ignore:Module already imported"]
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = pytest.main([*options, mutation.test_file, *words], plugins=[failure])
    shutil.rmtree(copy, ignore_errors=True)
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not failure.text:
        raise RuntimeError(f"{mutation.name}: {code!r} of {mutation.test_file}\n{said.getvalue()}")
    return failure.text


def forget_this_repository() -> None:
    """Let pytest import the tests, and what they test, from the folder that it is started in."""
    here = os.fspath(ROOT) + os.sep
    installed = os.fspath(ROOT / ".venv") + os.sep
    sys.path[:] = [path for path in sys.path if not of_this_repository(path, here, installed)]
    for name, module in list(sys.modules.items()):
        if of_this_repository(getattr(module, "__file__", None) or "", here, installed):
            del sys.modules[name]


def of_this_repository(path: str, here: str, installed: str) -> bool:
    return f"{path}{os.sep}".startswith(here) and not path.startswith(installed)


def end(*_: object) -> None:
    raise TimeoutError(f"no end within {LIMIT} s")


class FirstFailure:
    """A plugin of pytest: which test failed first, and the first line of its message."""

    text = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.text:
            crash = getattr(report.longrepr, "reprcrash", None)
            message = crash.message if crash else str(report.longrepr)
            self.text = f"{report.nodeid}: {message.strip().splitlines()[0]}"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.text:
            self.text = f"{report.nodeid}: {str(report.longrepr).strip().splitlines()[-1]}"
