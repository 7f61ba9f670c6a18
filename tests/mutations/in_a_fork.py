"""Try mutations of the tool in forks of one pytest: a second each, and not twenty.

Before a test of a mutation runs, a fork of the process imports the tool anew, with the edit, and
runs the test. So the account of the test is made once.
"""

import importlib
import os
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.mutations.mutation import ROOT, Mutation, MutationResult

IMPORT_THE_TOOL = {
    "tests.support",
    *(
        f"tests.support.{name}"
        for name in (
            *(
                "alarms",
                "answers",
                "checkout",
                "document_edits",
                "network",
                "processes",
                "service_state",
            ),
            *("stack_by_calls", "targets"),
        )
    ),
}
LIMIT = 120  # seconds for a test with a mutation; one that hangs is noticed


def try_all(mutations: Sequence[Mutation], folder: Path) -> Iterator[MutationResult]:
    """The results, the survivors last. `folder` becomes a root that has the tool alone."""
    tool = Path("template", "infra")
    shutil.copytree(ROOT / tool, folder / tool, ignore=shutil.ignore_patterns("__pycache__"))
    mutator = Mutator(mutations, folder)
    files = sorted({each.test_file for each in mutations})
    options = ["--numprocesses=0", "--quiet", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    options += ["-W", "ignore:Module already imported"]  # by in_a_copy, in the same run
    os.chdir(ROOT)
    pytest.main([*options, *files], plugins=[mutator])
    yield from mutator.noticed
    yield from (MutationResult(each) for each in mutator.left)
    for mutation in set(mutator.left) - mutator.tried:
        print(f"no test has this name: {mutation.tests} for {mutation.name}")
    for name in mutator.unusable:
        print("fails without a mutation:", name)


class Mutator:
    """A plugin of pytest that runs each test of a mutation with that mutation."""

    def __init__(self, mutations: Sequence[Mutation], root: Path) -> None:
        self.root = root
        self.left = list(mutations)  # not noticed yet
        self.noticed: list[MutationResult] = []
        self.tried: set[Mutation] = set()
        self.unusable: list[str] = []  # tests that fail when they are run in this way

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if any(concerns(each, item) for each in self.left)]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        concerned = [each for each in self.left if concerns(each, pyfuncitem)]
        if concerned and failure(pyfuncitem, self.root):
            self.unusable.append(pyfuncitem.nodeid)
        elif concerned:
            for mutation in concerned:
                self.try_out(mutation, pyfuncitem)
        return (yield)

    def try_out(self, mutation: Mutation, item: pytest.Function) -> None:
        self.tried.add(mutation)
        text = mutation.apply(self.root)
        if failed := failure(item, self.root):
            self.left.remove(mutation)
            self.noticed.append(MutationResult(mutation, f"{item.nodeid}: {failed}"))
        (self.root / mutation.file).write_text(text, encoding="utf-8")


def concerns(mutation: Mutation, item: pytest.Item) -> bool:
    alternatives = [each.split(" and ") for each in mutation.words.split(" or ")]
    return item.nodeid.startswith(mutation.test_file) and any(
        all(word in item.name for word in words) for words in alternatives
    )


def failure(item: pytest.Function, root: Path) -> str:
    """Why a test fails in a fork that imports the tool from another root; empty if it passes."""
    before = files_of(item)
    message = root / "failure"
    message.unlink(missing_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, about threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(LIMIT)
            run(item, root / "template")
            code = 0
        except BaseException as error:
            [first, *_] = str(error).splitlines() or [""]
            message.write_text(f"{type(error).__name__}: {first}", encoding="utf-8")
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    for path in files_of(item) - before:  # the next run begins with the same files
        path.unlink()
    if os.waitstatus_to_exitcode(status) == 0:
        return ""
    return message.read_text(encoding="utf-8") if message.exists() else f"no end within {LIMIT} s"


def files_of(item: pytest.Function) -> set[Path]:
    """The files in the temporary folder of a test."""
    scratch = item.funcargs.get("tmp_path")
    return set(scratch.iterdir()) if isinstance(scratch, Path) else set()


def run(item: pytest.Function, folder: Path) -> None:
    """Run a test with the tool, and all that imports it, imported anew."""
    sys.dont_write_bytecode = True
    for name in list(sys.modules):
        package = name.partition(".")[0]
        if name == item.module.__name__ or package == "infra" or name in IMPORT_THE_TOOL:
            del sys.modules[name]
    sys.path.insert(0, os.fspath(folder))
    importlib.invalidate_caches()
    module = importlib.import_module(item.module.__name__)
    fresh = importlib.import_module("tests.support.checkout").Checkout
    arguments: dict[str, Any] = {}
    for name in item._fixtureinfo.argnames:
        value: Any = item.funcargs[name]
        if type(value).__name__ == "Checkout":
            value = fresh(value.aws, value.folder, dict(value.environment))
            value = value.copy(Path(tempfile.mkdtemp(dir=folder), "service"))  # a test may edit it
        arguments[name] = value
    test: Callable[..., object] = getattr(module, item.originalname)
    aws = getattr(item.funcargs.get("staged_account"), "aws", None)
    if aws is None:
        test(**arguments)
        return
    with aws.scripts.in_a_fork():
        test(**arguments)
        aws.check()
