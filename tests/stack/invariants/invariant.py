"""An invariant of infra/stack.yml: a function that is called with a rendered service."""

from collections.abc import Callable

from simulator.cloudformation.template import Stack
from simulator.cloudformation.template_text import BadTemplate
from tests.stack.rendered_service import (
    RenderedService,
)

Invariant = Callable[[RenderedService], None]
INVARIANTS: dict[str, Invariant] = {}


def invariant(function: Invariant) -> Invariant:
    INVARIANTS[function.__name__] = function
    return function


def refusal(stack: Stack) -> str:
    """The error of CloudFormation about the parameters."""
    try:
        return "\n".join(stack.broken_rules) if stack.parameters else ""
    except BadTemplate as refused:
        return str(refused)
