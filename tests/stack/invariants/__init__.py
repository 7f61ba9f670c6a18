"""Invariants of infra/stack.yml for all settings, and of the files that must agree with it.

Each function of these modules is one invariant. test_mistakes.py breaks every one of them, to show
that a mistake is noticed.
"""

from tests.stack.invariants import (
    alarms,
    load_balancer,
    names,
    observation,
    outputs,
    permissions,
    reachability,
    template,
)
from tests.stack.invariants.invariant import INVARIANTS, Invariant

__all__ = [
    "INVARIANTS",
    "Invariant",
    "alarms",
    "load_balancer",
    "names",
    "observation",
    "outputs",
    "permissions",
    "reachability",
    "template",
]
