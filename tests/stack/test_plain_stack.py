"""With default settings, the stack does not change.

plain_stack.json has each resource and output of infra/stack.yml as the example's settings make
them. A setting that is off must leave no trace in it: neither a resource nor a property.
"""

import json
import os
from pathlib import Path
from typing import Any

from tests.stack.rendered_service import RenderedService

PLAIN = Path(__file__).with_name("plain_stack.json")
REGENERATE = "REGENERATE=yes .venv/bin/pytest tests/stack/test_plain_stack.py"


def resolved(service: RenderedService) -> Any:
    """The stack with its functions evaluated, as CloudFormation creates it."""
    stack = service.stack()
    resources = {
        name: {"Type": found.type, "Properties": found.properties, **found.attributes}
        for name, found in stack.resources.items()
    }
    return {"Outputs": stack.outputs, "Resources": resources}


def test_a_setting_that_is_off_leaves_no_trace_in_the_stack(service: RenderedService) -> None:
    text = json.dumps(resolved(service), indent=2, sort_keys=True) + "\n"
    if os.environ.get("REGENERATE"):
        PLAIN.write_text(text, encoding="utf-8")
    assert PLAIN.read_text(encoding="utf-8") == text, (
        "infra/stack.yml makes another stack for the same settings: put what is new behind a "
        f"condition, or, if every service is to get it, {REGENERATE} and review the difference"
    )
