"""What must hold of infra/stack.yml whatever the settings, and of the files that agree with it.

Each function of these modules is one promise; test_mistakes.py breaks every one of them to see it
noticed.
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
