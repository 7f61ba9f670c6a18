"""The text of a template: YAML with short forms, and the names that a part of it refers to."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from simulator.refusal import Refused


class BadTemplate(Refused):
    """CloudFormation would not take this template, or these values."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationError", message)


class Loader(yaml.CSafeLoader):
    """YAML with the short forms: `!Ref x` is {"Ref": "x"}, `!Sub x` is {"Fn::Sub": "x"}."""


def _short_form(loader: yaml.CSafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    else:
        raise BadTemplate(f"!{name} of a mapping, {node.start_mark}")
    if name == "GetAtt":
        value = value.split(".", 1)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


Loader.add_multi_constructor("!", _short_form)


@cache
def load(text: str) -> dict[str, Any]:
    """A template. It is read once for all tests, so no test may change it."""
    loaded: dict[str, Any] = yaml.load(text, Loader)
    sections = {
        "AWSTemplateFormatVersion",
        "Description",
        "Parameters",
        "Rules",
        "Conditions",
        "Resources",
        "Outputs",
    }
    if unknown := loaded.keys() - sections:
        raise BadTemplate(f"unknown sections: {sorted(unknown)}")
    return loaded


def references(value: Any) -> Iterator[str]:
    """Every name that a part of a template refers to, whatever the conditions."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key in {"Ref", "Condition"} and isinstance(member, str):
                yield member
            elif key == "Fn::GetAtt":
                yield member[0]
            elif key == "Fn::If":
                yield member[0]
                yield from references(member[1:])
            elif key == "Fn::Sub":
                text, own = (member, {}) if isinstance(member, str) else member
                yield from (name.split(".")[0] for name in re.findall(r"\$\{([^}]*)\}", text))
                yield from references(own)
            else:
                yield from references(member)
