"""The log of the service in CloudWatch."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain

from infra.tool.aws import Aws
from infra.tool.aws_errors import AwsError
from infra.tool.clock import Clock
from infra.tool.patience import MOST, Patience
from infra.tool.text import one_line

LATE = timedelta(seconds=15)  # the longest time after which a line appears behind later ones


@dataclass(frozen=True)
class Line:
    id: str
    time: datetime
    message: str  # on one line, without control characters

    @property
    def short(self) -> str:
        """The line for people: of a JSON record, its level, message and last line of exception."""
        try:
            record = json.loads(self.message)
        except (ValueError, RecursionError):  # the latter if it is nested too deeply
            return self.message
        if not isinstance(record, dict) or "message" not in record:
            return self.message
        text = f"{record.get('level', '')} {record['message']}"
        if exception := str(record.get("exception") or "").rstrip():
            text += f": {exception.splitlines()[-1]}"
        return one_line(text)


def pages(aws: Aws, log_group: str, since: datetime) -> Iterator[Sequence[Line]]:
    """The lines since a time, a page of at most 10,000 at a time, so that a long log is printed
    while it is read. CloudWatch sorts them by time (FilterLogEvents, API Reference). Raises
    AwsError."""
    answers = aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=log_group, startTime=round(since.timestamp() * 1000)
    )
    for answer in answers:
        lines = [
            Line(
                event.get("eventId", ""),
                datetime.fromtimestamp(event.get("timestamp", 0) / 1000, UTC),
                one_line(event.get("message", "")),
            )
            for event in answer["events"]
        ]
        yield sorted(lines, key=lambda line: line.time)


def read(aws: Aws, log_group: str, since: datetime) -> Sequence[Line]:
    """All lines since a time, oldest first. Raises AwsError."""
    lines = chain.from_iterable(pages(aws, log_group, since))
    return sorted(lines, key=lambda line: line.time)


def follow(
    aws: Aws, log_group: str, since: datetime, clock: Clock, pause: float
) -> Iterator[Sequence[Line] | str]:
    """New lines each `pause` seconds, without end; each line once, also one that appears late.

    Yields a warning instead if a call failed. Raises AwsError if the first call fails, or several
    in a row.
    """
    patience = Patience(failures=MOST - 1)  # until the first answer
    told: set[str] = set()
    while True:
        try:
            lines = read(aws, log_group, since)
        except AwsError as error:
            yield patience.failed(error)
        else:
            patience.answered()
            yield [line for line in lines if line.id not in told]
            since = max([since, *(line.time - LATE for line in lines)])
            told = {line.id for line in lines if line.time >= since}
        clock.sleep(pause)
