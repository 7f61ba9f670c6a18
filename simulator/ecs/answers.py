"""The forms of ECS's answers: pages, tags, and what is missing."""

from collections.abc import Sequence
from typing import Any

from simulator.refusal import Refused

Json = dict[str, Any]


def no_such_service() -> Refused:
    return Refused("ServiceNotFoundException", "Service not found.")


def as_table(tags: Sequence[Json]) -> Json:
    return {tag["key"]: tag.get("value", "") for tag in tags}


def as_list(tags: Json) -> list[Json]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def page(parameters: Json, key: str, found: Sequence[Any], *, size: int) -> Json:
    """One page of a List operation, of `size` unless `maxResults` is given."""
    first = int(parameters.get("nextToken", "0"))
    end = first + int(parameters.get("maxResults", size))
    answer: Json = {key: found[first:end]}
    if end < len(found):
        answer["nextToken"] = str(end)
    return answer


def found_and_missing(asked: list[str], known: dict[str, Json], key: str) -> Json:
    """The answer of a Describe operation: those that exist, and a failure for each other."""
    return {
        key: [known[arn] for arn in asked if arn in known],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known],
    }
