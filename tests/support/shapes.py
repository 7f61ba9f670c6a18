"""Valid values for every member of a request, made from botocore's model of the AWS API."""

from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

SCALARS: dict[str, Any] = {"boolean": True, "double": 1.5, "float": 1.5}


def simplest(shape: Shape) -> Any:
    """A value with only the members that the model requires."""
    if isinstance(shape, StructureShape):
        return {name: simplest(shape.members[name]) for name in shape.required_members}
    if isinstance(shape, ListShape):
        return [simplest(shape.member)]
    if isinstance(shape, MapShape):
        return {"key": simplest(shape.value)}
    least = shape.metadata.get("min", 1)
    if shape.type_name == "string":
        return (shape.metadata.get("enum") or ["x" * max(least, 1)])[0]
    return SCALARS.get(shape.type_name, max(least, 1))


def variants(shape: Shape) -> Iterator[tuple[str, Any]]:
    """Each member at any depth once, and each value of an enumeration: its path, and a value that
    has only this member and the required ones. A shape within itself is skipped."""
    yield from _variants(shape, ())


def _variants(shape: Shape, above: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if shape.name in above:
        return
    above = (*above, shape.name)
    if isinstance(shape, StructureShape):
        beside = simplest(shape)
        for name, member in shape.members.items():
            for path, value in _variants(member, above):
                yield f".{name}{path}", beside | {name: value}
    elif isinstance(shape, ListShape):
        if not shape.metadata.get("min"):
            yield "", []
        for path, value in _variants(shape.member, above):
            yield path, [value]
    elif isinstance(shape, MapShape):
        for path, value in _variants(shape.value, above):
            yield path, {"key": value}
    elif allowed := shape.metadata.get("enum"):
        for value in allowed:
            yield f"={value}", value
    else:
        yield "", simplest(shape)
        if shape.type_name == "boolean":
            yield "=False", False
