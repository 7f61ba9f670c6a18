"""A copy of the account, in which anything may happen: the account itself stays as it is."""

import multiprocessing
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection

from simulator.simulation import SimulatedAws


def run_in_fork(aws: SimulatedAws, action: Callable[[], object]) -> None:
    """Call it in a copy of this process, which is much faster than to make the same account again.

    Raises AssertionError with what went wrong there.
    """
    processes = multiprocessing.get_context("fork")  # which Windows has not
    here, there = processes.Pipe(duplex=False)
    copy = processes.Process(target=_in_the_copy, args=(aws, action, there), daemon=True)
    with warnings.catch_warnings():
        # Python 3.12 warns of threads, which the copy has not: it starts a server of its own.
        warnings.simplefilter("ignore", DeprecationWarning)
        copy.start()
    there.close()
    try:
        wrong = here.recv()
    except EOFError:
        wrong = "the copy ended before its action did"
    copy.join()
    if wrong:
        raise AssertionError(wrong)


def _in_the_copy(aws: SimulatedAws, action: Callable[[], object], there: Connection) -> None:
    try:
        with aws.scripts.in_a_fork():
            action()
            aws.check()
        there.send("")
    except BaseException:
        there.send(traceback.format_exc(limit=-4))
