"""ECR's lifecycle policies in the simulation, and what the policy of a service expires."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from simulator.lifecycle import Image, expired
from tests.support.rendering import Render

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def image(name: str, *tags: str, days: float) -> Image:
    return Image(name, tags, NOW - timedelta(days=days))


def rule(priority: int, status: str, **selection: object) -> dict[str, object]:
    chosen = {"tagStatus": status, "countType": "imageCountMoreThan", "countNumber": 1}
    return {"rulePriority": priority, "selection": chosen | selection}


def test_the_oldest_images_beyond_the_count_expire() -> None:
    images = [image("old", "a", days=3), image("older", "b", days=4), image("new", "c", days=1)]
    assert expired(images, {"rules": [rule(1, "any")]}, NOW) == {"old", "older"}


def test_an_image_of_a_rule_of_higher_priority_does_not_expire_by_a_lower_one() -> None:
    rules = [rule(1, "tagged", tagPrefixList=["live-"]), rule(2, "any")]
    images = [image("kept", "live-1", days=9), image("b", "b", days=2), image("c", "c", days=1)]
    assert expired(images, {"rules": rules}, NOW) == {"b"}


@pytest.mark.parametrize(("days", "is_expired"), [(6, False), (8, True)])
def test_an_image_without_a_tag_expires_by_its_age(days: int, is_expired: bool) -> None:
    age = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7}
    rules = [rule(1, "untagged", **age)]
    assert bool(expired([image("a", days=days)], {"rules": rules}, NOW)) is is_expired


# --- the policy of a service ---


@pytest.mark.parametrize("failed", [31, 300])
def test_no_number_of_failed_deploys_expires_what_was_deployed(
    example: Render, failed: int
) -> None:
    policy = json.loads(example.text("infra/ecr-lifecycle-policy.json"))
    deployed = [image(f"deployed {n}", f"{n}", f"deployed-{n}", days=90 + n) for n in range(30)]
    others = [image(f"failed {n}", f"f{n}", days=n / 10) for n in range(failed)]
    gone = expired([*deployed, *others], policy, NOW)
    assert gone == {f"failed {n}" for n in range(30, failed)}


def test_the_31st_deployed_image_expires(example: Render) -> None:
    policy = json.loads(example.text("infra/ecr-lifecycle-policy.json"))
    deployed = [image(f"{n}", f"{n}", f"deployed-{n}", days=n) for n in range(31)]
    assert expired(deployed, policy, NOW) == {"30"}
