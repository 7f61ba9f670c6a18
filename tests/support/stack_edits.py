"""Edits of infra/stack.yml by its owner."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from simulator.cloudformation.resources.kind import schema
from simulator.cloudformation.template_text import load

OUTPUTS = "\n# `provision`, `deploy` and `status` read these."
ANOTHER = {
    "array": ["another"],
    "integer": 4040,
    "object": {"EncryptionType": "KMS"},
    "string": "another",
}


def with_property(template: str, resource: str, name: str, value: object) -> str:
    """The template with another value of one property of a resource."""
    block = re.search(rf"^  {resource}:\n(?:    .*\n|\n)+", template, re.MULTILINE)
    assert block, f"{resource} must be a resource of the template"
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).splitlines()[0]
    line = f"      {name}: {text}\n"
    old = re.search(rf"^      {name}:.*\n(?:       .*\n)*", block[0], re.MULTILINE)
    if old:
        new = block[0].replace(old[0], line)
    else:
        new = block[0].replace("    Properties:\n", "    Properties:\n" + line)
    assert new != block[0], f"{resource} must have properties"
    return template.replace(block[0], new)


def without_resource(template: str, resource: str) -> str:
    found = re.sub(rf"^  {resource}:\n(?:    .*\n|\n)+", "", template, flags=re.MULTILINE)
    assert found != template, f"{resource} must be a resource of the template"
    return found


def with_resource(template: str, body: str) -> str:
    """The template with one more resource, whose name is at the first line."""
    indented = "".join(f"  {line}\n" for line in body.strip("\n").splitlines())
    assert OUTPUTS in template
    return template.replace(OUTPUTS, f"{indented}{OUTPUTS}")


def create_only(template: str) -> Iterator[tuple[str, str, object]]:
    """Each property that replaces a resource, or may, with the resource and another value."""
    for resource, body in load(template)["Resources"].items():
        types = schema(body["Type"])
        for path in [
            *types.get("createOnlyProperties", []),
            *types.get("conditionalCreateOnlyProperties", []),
        ]:
            _, _, name, *member = path.split("/")
            if not member:
                yield resource, name, ANOTHER[kind(types, types["properties"][name])]


def kind(types: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
    """The type of a property in a schema."""
    if "$ref" in rule:
        return kind(types, types["definitions"][rule["$ref"].rpartition("/")[2]])
    found = rule["type"]
    return str(found if isinstance(found, str) else found[0])
