"""The images of a repository that a lifecycle policy of ECR expires. Pure.

Source: "How the lifecycle policy evaluation works" (ECR User Guide). An image expires by one rule
or by none; an image with the tags that a rule is for cannot expire by a rule of lower priority;
rules count all images, also those that another rule expires.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Rule = Mapping[str, Any]


@dataclass(frozen=True)
class Image:
    digest: str
    tags: tuple[str, ...]
    pushed: datetime


def expired(images: Sequence[Image], policy: Mapping[str, Any], now: datetime) -> set[str]:
    """The digests of the images that expire."""
    found: set[str] = set()
    claimed: set[str] = set()  # by the tags of a rule of higher priority
    for rule in sorted(policy["rules"], key=lambda rule: int(rule["rulePriority"])):
        candidates = [image for image in images if is_for(rule["selection"], image)]
        beyond = {image.digest for image in outdated(rule["selection"], candidates, now)}
        found |= beyond - claimed
        claimed |= {image.digest for image in candidates}
    return found


def is_for(selection: Rule, image: Image) -> bool:
    match selection["tagStatus"]:
        case "any":
            return True
        case "untagged":
            return not image.tags
        case "tagged":
            prefixes = selection["tagPrefixList"]  # each of them must be the start of a tag
            return all(any(tag.startswith(prefix) for tag in image.tags) for prefix in prefixes)
        case other:
            raise NotImplementedError(f"the tag status {other}")


def outdated(selection: Rule, images: Sequence[Image], now: datetime) -> Sequence[Image]:
    count = selection["countNumber"]
    if selection["countType"] == "imageCountMoreThan":
        return sorted(images, key=lambda image: image.pushed, reverse=True)[count:]
    if (selection["countType"], selection["countUnit"]) == ("sinceImagePushed", "days"):
        return [image for image in images if now - image.pushed > timedelta(days=count)]
    raise NotImplementedError(f"the count {selection['countType']}")
