"""[tags] of infra/settings.toml: on the stack, the service, its tasks and its revisions. Pure.

A tag of a document stays as it is, also if [tags] has the key with another value: what is said of
one thing counts more than what is said of all, as CloudFormation does it with tags of a resource.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.tool.shapes import quoted

Json = dict[str, Any]

# Tags of a revision, by which a deploy recognises its own.
COMMIT, DOCUMENT = "commit", "document"
RESERVED = (COMMIT, DOCUMENT)
# Limits that every service of AWS accepts: the models of the APIs of CloudFormation (which accepts
# no empty value), ECS, IAM and Elastic Load Balancing.
LONGEST_KEY, LONGEST_VALUE = 128, 256
MOST = 50 - len(RESERVED)
PUNCTUATION = "_.:/=+-@"
EXAMPLE = 'for example cost-center = "1234"'


@dataclass(frozen=True)
class Retagging:
    """Changes of the tags of an existing resource."""

    to_set: Mapping[str, str]
    to_remove: tuple[str, ...]  # keys

    def __bool__(self) -> bool:
        return bool(self.to_set or self.to_remove)


def tag_table(values: Any) -> Any:
    """A table of tags that AWS accepts. Raises ValueError for anything else."""
    if not isinstance(values, dict):
        raise ValueError(f"expects a value for each key, {EXAMPLE}")
    for key, value in values.items():
        for complaint in about_tag(key, value):
            raise ValueError(f"{quoted(key)} {complaint}: {EXAMPLE}")
    if len({key.casefold() for key in values}) < len(values):
        raise ValueError(f"has two keys that differ in case only, which IAM refuses: {EXAMPLE}")
    if len(values) > MOST:
        raise ValueError(
            f"has {len(values)} tags: AWS takes 50, and a deploy adds {' and '.join(RESERVED)}, so "
            f"keep {MOST}, {EXAMPLE}"
        )
    return values


def about_tag(key: str, value: Any) -> Iterator[str]:
    if key in RESERVED:
        yield "is written by a deploy, so choose another key"
    if not isinstance(value, str):
        yield "expects a text in quotes"
        return
    for text, longest, name in ((key, LONGEST_KEY, "key"), (value, LONGEST_VALUE, "value")):
        if text.casefold().startswith("aws:"):
            yield "has the prefix aws:, which is AWS's own"
        if not 1 <= len(text) <= longest:
            yield f"expects a {name} of 1 to {longest} characters"
        if text != text.strip():
            yield f"has blanks around its {name}, which Elastic Load Balancing does not take"
        if not all(each.isalnum() or each == " " or each in PUNCTUATION for each in text):
            yield f"expects letters, digits, spaces and {PUNCTUATION} in its {name}"


def merged(tags: Mapping[str, str], document: Json) -> Json:
    """The document with these tags beside its own."""
    own = document.get("tags", [])
    keys = {tag.get("key") for tag in own if isinstance(tag, dict)} if isinstance(own, list) else ()
    added = [{"key": key, "value": value} for key, value in tags.items() if key not in keys]
    return document | {"tags": [*own, *added]} if added and isinstance(own, list) else document


def as_table(listed: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Of an answer of ECS, without AWS's own tags."""
    found = {tag["key"]: tag.get("value", "") for tag in listed}
    return {key: value for key, value in found.items() if not key.casefold().startswith("aws:")}


def retagging(
    wanted: Mapping[str, str], present: Mapping[str, str], ours: Collection[tuple[str, str]]
) -> Retagging:
    """From the present tags to the wanted ones. `ours` are keys and values of earlier revisions:
    only what a deploy has set is removed, because other tools may tag the service, too."""
    return Retagging(
        {key: value for key, value in wanted.items() if present.get(key) != value},
        tuple(
            key
            for key, value in present.items()
            if key not in wanted and key not in RESERVED and (key, value) in ours
        ),
    )


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """Each tag that is added, changed or removed, in words."""
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old is None:
            yield f"to add: {key} = {new}"
        elif new is None:
            yield f"to remove: {key} (it is {old})"
        elif old != new:
            yield f"to change: {key} = {new} (it is {old})"
