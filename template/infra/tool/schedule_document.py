"""The member scheduledActions of infra/autoscaling.json: bounds that hold from a time on. Pure.

If one of them exists, the bounds and a count of zero belong to it: a deploy between two of them
sets neither. Without the member, scheduled actions in AWS are left alone, because a person may have
made them; with it, those that it does not name are deleted. An empty list gives the bounds back to
[tasks].
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from infra.tool import quotas
from infra.tool.api_model import Json, about_shape
from infra.tool.scaling_items import ADDED, about_added, about_items

MEMBER = "scheduledActions"
# The three forms of "Schedule" of PutScheduledAction.
SCHEDULE = re.compile(r"(at|rate|cron)\(([^()]+)\)")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
RATE = re.compile(r"[1-9]\d* (minute|hour|day)s?")
FIELDS = 6  # of a cron expression, where crontab has five: the last is the year


def names(autoscaling: Json) -> set[str]:
    return {action["ScheduledActionName"] for action in autoscaling.get(MEMBER, [])}


def owners(found: Sequence[Json], autoscaling: Json) -> list[str]:
    """The actions in AWS that set bounds, and that a deploy of the document leaves there."""
    of_bounds = [each["ScheduledActionName"] for each in found if each.get("ScalableTargetAction")]
    if MEMBER not in autoscaling:
        return of_bounds
    return [name for name in of_bounds if name in names(autoscaling)]


def complaints(autoscaling: Json) -> Iterator[str]:
    """Complaints about the member of the document."""
    found = autoscaling.get(MEMBER, [])
    if not isinstance(found, list) or not all(isinstance(action, dict) for action in found):
        yield f'{MEMBER} must be a list of scheduled actions, for example "{MEMBER}": []'
        return
    yield from about_items(
        "scheduled action",
        "ScheduledActionName",
        found,
        quotas.SCHEDULED_ACTIONS,
        about_action,
    )


def about_action(action: Json) -> Iterator[str]:
    yield from about_added(action)
    if wrong := about_shape("PutScheduledAction", action | ADDED):
        yield from wrong
        return
    yield from about_schedule(action.get("Schedule", ""))
    bounds = action.get("ScalableTargetAction", {})
    if not {"MinCapacity", "MaxCapacity"} <= bounds.keys():
        yield "its ScalableTargetAction needs MinCapacity and MaxCapacity"
    elif not 0 <= bounds["MinCapacity"] <= bounds["MaxCapacity"]:
        yield "MinCapacity must be 0 or more, and MaxCapacity at least MinCapacity"


def about_schedule(schedule: str) -> Iterator[str]:
    """Source: "Schedule recurring scaling actions" (Application Auto Scaling User Guide), and "Cron
    expressions reference" (EventBridge User Guide), which it refers to."""
    example = 'such as "cron(0 8 ? * MON-FRI *)"'
    found = SCHEDULE.fullmatch(schedule)
    kind, text = found.groups() if found else ("", "")
    match kind:
        case "at":
            if not is_time(text):
                yield f'its Schedule {schedule} has no time such as "at(2026-12-24T20:00:00)"'
        case "rate":
            if not RATE.fullmatch(text):
                yield f'its Schedule {schedule} has no rate such as "rate(12 hours)"'
        case "cron":
            fields = text.split()
            if len(fields) != FIELDS:
                yield f"its Schedule {schedule} has {len(fields)} fields, and needs six, {example}"
            elif [fields[2], fields[4]].count("?") != 1:
                yield (
                    f"its Schedule {schedule} needs ? as the day of the month, its third field, or "
                    f"of the week, its fifth, {example}"
                )
        case _:
            yield f"it needs a Schedule {example}"


def is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return TIME.fullmatch(text) is not None
