"""Scheduled actions in AWS, and infra/autoscaling.json: schedule_document.py has the rules."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.utils import parse_timestamp

from infra.tool import schedule_document
from infra.tool.api_model import Json
from infra.tool.aws import Aws
from infra.tool.aws_errors import tolerating
from infra.tool.schedule_document import MEMBER

TIMES = ("StartTime", "EndTime")


def read(aws: Aws, target: Json) -> list[Json]:
    """Those of the service. Raises AwsError."""
    pages = aws.scaling.get_paginator("describe_scheduled_actions").paginate(**target)
    return [dict(action) for page in pages for action in page["ScheduledActions"]]


def put(aws: Aws, target: Json, autoscaling: Json) -> None:
    """Put every action that the document names. Raises AwsError."""
    for action in autoscaling.get(MEMBER, []):
        aws.scaling.put_scheduled_action(**target, **action)


def delete_others(aws: Aws, target: Json, autoscaling: Json) -> Sequence[str]:
    """Delete those that the document does not name, unless it has no word of them. Raises
    AwsError."""
    if MEMBER not in autoscaling:
        return []
    found = [each["ScheduledActionName"] for each in read(aws, target)]
    others = [name for name in found if name not in schedule_document.names(autoscaling)]
    for name in others:
        # Another deploy has deleted it, or this call did before its first answer was lost.
        with tolerating("ObjectNotFoundException"):
            aws.scaling.delete_scheduled_action(**target, ScheduledActionName=name)
    return others


def comparable(actions: Sequence[Json]) -> list[Json]:
    """Actions of the document, or of AWS, with their times in one form."""
    return [
        {key: in_utc(value) if key in TIMES else value for key, value in action.items()}
        for action in actions
    ]


def in_utc(time: Any) -> str:
    found = time if isinstance(time, datetime) else parse_timestamp(time)
    return found.astimezone(UTC).isoformat()
