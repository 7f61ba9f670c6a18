"""Edits of the documents of a service by its owner."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.checkout import Checkout, Json

SERVICE = "infra/service.json"
SCALING = "infra/autoscaling.json"
TASK = "infra/task-definition.json"
SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]

Edit = Callable[[Json], object]


def edit(checkout: Checkout, name: str, change: Edit) -> None:
    """Change a document, commit it, and leave the image of the commit in ECR."""
    document = checkout.document(name)
    change(document)
    checkout.write(name, json.dumps(document, indent=2))
    checkout.release()


def with_members(**members: Any) -> Edit:
    return lambda document: document.update(members)


def strategy(providers: list[Json]) -> Edit:
    def change(document: Json) -> None:
        document.pop("launchType", None)
        document["capacityProviderStrategy"] = providers

    return change


def launch_type(document: Json) -> None:
    document.pop("capacityProviderStrategy", None)
    document["launchType"] = "FARGATE"
