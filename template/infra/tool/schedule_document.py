"""The member scheduledActions of infra/autoscaling.json: bounds that hold from a time on. Pure.

If one of them exists, the bounds and a count of zero belong to it: a deploy between two of them
sets neither. Without the member, scheduled actions in AWS are left alone, because a person may have
made them; with it, those that it does not name are deleted. An empty list gives the bounds back to
[tasks].
"""

import re
from collections.abc import Iterator, Sequence

from infra.tool import quotas
from infra.tool.api_model import Json, about_shape

MEMBER = "scheduledActions"
# The three forms of "Schedule" of PutScheduledAction.
SCHEDULE = re.compile(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)|(rate|cron)\([^()]+\)")
# Members that a deploy adds to each.
ADDED = {
    "ServiceNamespace": "ecs",
    "ResourceId": "added",
    "ScalableDimension": "ecs:service:DesiredCount",
}


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
    yield from quotas.SCHEDULED_ACTIONS.complaint("it", len(found))
    listed = [str(action.get("ScheduledActionName")) for action in found]
    for name in sorted({name for name in listed if listed.count(name) > 1}):
        yield f"two scheduled actions are named {name}: the second would replace the first"
    for name, action in zip(listed, found, strict=True):
        for complaint in about_action(action):
            yield f"scheduled action {name}: {complaint}"


def about_action(action: Json) -> Iterator[str]:
    for member in sorted(action.keys() & ADDED.keys()):
        yield f"{member} comes from infra/settings.toml: remove it from this file"
    if wrong := about_shape("PutScheduledAction", action | ADDED):
        yield from wrong
        return
    if not SCHEDULE.fullmatch(action.get("Schedule", "")):
        yield 'it needs a Schedule such as "cron(0 8 ? * MON-FRI *)"'
    bounds = action.get("ScalableTargetAction", {})
    if not {"MinCapacity", "MaxCapacity"} <= bounds.keys():
        yield "its ScalableTargetAction needs MinCapacity and MaxCapacity"
    elif not 0 <= bounds["MinCapacity"] <= bounds["MaxCapacity"]:
        yield "MinCapacity must be 0 or more, and MaxCapacity at least MinCapacity"
