"""The alarms that end a deployment, from infra/settings.toml and infra/service.json. Pure.

With `[alarms] roll_back = true` an update of the service sends `deploymentConfiguration.alarms`:

- the names of infra/service.json in their order, then those of the stack that it does not name;
- `enable` and `rollback` true, if a deployment that is complete still runs tasks. Otherwise ECS has
  nothing to roll back to, and an alarm would only end the deployment that repairs the service: then
  both are false. A service is created as infra/service.json says, for the same reason.

Of the stack's alarms, `no-healthy-task` is left out. It is in ALARM before the first deploy and
while the service is scaled to zero, and ECS watches no alarm at all if one is in ALARM at the
start. A deployment without a healthy task is ended by the circuit breaker.

If the setting is turned off and infra/service.json names no alarms, the next update turns off those
that the service has, if one of the stack's is among them. UpdateService would keep them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.tool.api_model import Json
from infra.tool.settings import Settings

# Alarms of infra/stack.yml, without the name of the service before them.
OF_THE_STACK = ("app-errors", "load-balancer-errors", "slow-answers", "unhealthy-tasks")

OFF: Json = {"alarmNames": [], "enable": False, "rollback": False}


def stack_alarms(settings: Settings) -> Sequence[str]:
    return [f"{settings.service.name}-{ending}" for ending in OF_THE_STACK]


def complaints(document: Json, settings: Settings) -> Iterator[str]:
    """Members of infra/service.json that contradict the setting."""
    named = configured(document)
    if settings.alarms.roll_back and named and not (named["enable"] and named["rollback"]):
        yield (
            "deploymentConfiguration.alarms says enable or rollback false, and [alarms] roll_back "
            "in infra/settings.toml is true: set both to true, or roll_back to false"
        )


def with_alarms(document: Json, settings: Settings) -> Json:
    """infra/service.json, or a request with its members, with all alarms that the setting adds."""
    if not settings.alarms.roll_back:
        return document
    own = configured(document).get("alarmNames", [])
    names = list(dict.fromkeys([*own, *stack_alarms(settings)]))
    return having(document, {"alarmNames": names, "enable": True, "rollback": True})


def for_update(document: Json, settings: Settings, running: Mapping[str, Any]) -> Json:
    """The same, as an update of a service sends it. `running` is an answer of DescribeServices."""
    if settings.alarms.roll_back:
        wanted = with_alarms(document, settings)
        can_roll_back = has_fallback(running)
        return having(
            document,
            configured(wanted) | {"enable": can_roll_back, "rollback": can_roll_back},
        )
    present = configured(running)
    is_ours = present.get("enable") and {*present["alarmNames"]} & {*stack_alarms(settings)}
    return having(document, OFF) if is_ours and not configured(document) else document


def has_fallback(running: Mapping[str, Any]) -> bool:
    """Whether ECS has a deployment to roll back to, and that one runs tasks."""
    return any(
        each.get("rolloutState") == "COMPLETED" and each.get("runningCount", 0) > 0
        for each in running.get("deployments", [])
    )


def without_alarms(running: Mapping[str, Any]) -> Json:
    """For the request of a rollback: the deployment configuration of a service, with its alarms
    turned off; empty if they are off already.

    The alarm of the bad revision may go off only after the rollback has begun. ECS would then go
    back to the last deployment that was complete, which is that of the bad revision.
    """
    alarms = configured(running)
    if not alarms.get("enable"):
        return {}
    off = alarms | {"enable": False, "rollback": False}
    return {"deploymentConfiguration": {**running["deploymentConfiguration"], "alarms": off}}


def configured(service: Mapping[str, Any]) -> Json:
    """`deploymentConfiguration.alarms` of a document, a request or an answer; empty if absent."""
    found: Json = service.get("deploymentConfiguration", {}).get("alarms") or {}
    return found


def having(document: Json, alarms: Json) -> Json:
    configuration = document.get("deploymentConfiguration", {})
    return document | {"deploymentConfiguration": configuration | {"alarms": alarms}}
