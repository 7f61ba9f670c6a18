"""Rules of the two lists of infra/autoscaling.json: each item has a name, and a deploy adds the
service that it scales. Pure."""

from collections.abc import Callable, Iterator, Sequence

from infra.tool.api_model import Json
from infra.tool.quotas import Quota

# Members that a deploy adds to each item; the id of the resource stands for any.
ADDED = {
    "ServiceNamespace": "ecs",
    "ResourceId": "added",
    "ScalableDimension": "ecs:service:DesiredCount",
}


def about_items(
    noun: str,
    key: str,
    items: Sequence[Json],
    quota: Quota,
    about_item: Callable[[Json], Iterator[str]],
) -> Iterator[str]:
    """Complaints about a list, and about each item by its name, which is the value of `key`."""
    yield from quota.complaint("it", len(items))
    names = [str(item.get(key)) for item in items]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two {quota.unit} are named {name}: the second would replace the first"
    for name, item in zip(names, items, strict=True):
        for complaint in about_item(item):
            yield f"{noun} {name}: {complaint}"


def about_added(item: Json) -> Iterator[str]:
    for member in sorted(item.keys() & ADDED.keys()):
        yield f"{member} comes from infra/settings.toml: remove it from this file"
