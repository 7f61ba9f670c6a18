"""Limits of a deploy: the network, public addresses and ECS Exec that it may set. Pure.

ops/iam-policy-github-actions.json cannot name the subnets. So provisioning writes a second policy
beside it, for the deploy role and the group of the deploy user, that denies all others, public
addresses and ECS Exec. A request that names no network, as of a rollback, is not denied. IAM has no
condition key for security groups.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.tool.api_model import Json
from infra.tool.provision.parameters import listed
from infra.tool.settings import Settings

SUBNETS, PUBLIC_IP, EXEC = (
    "ecs:subnet",
    "ecs:auto-assign-public-ip",
    "ecs:enable-execute-command",
)


@dataclass(frozen=True)
class Limits:
    subnets: frozenset[str]
    public_ip: bool
    execute_command: bool

    def __or__(self, other: "Limits") -> "Limits":
        return Limits(
            self.subnets | other.subnets,
            self.public_ip or other.public_ip,
            self.execute_command or other.execute_command,
        )

    def __and__(self, other: "Limits") -> "Limits":
        return Limits(
            self.subnets & other.subnets,
            self.public_ip and other.public_ip,
            self.execute_command and other.execute_command,
        )


def asked(settings: Settings, parameters: Mapping[str, str], service: Json) -> Limits:
    """By the settings, the parameters of the stack and infra/service.json."""
    return Limits(
        subnets=in_stack(parameters),
        public_ip=settings.tasks.public_ip,
        execute_command=service.get("enableExecuteCommand") is True,
    )


def in_stack(parameters: Mapping[str, str]) -> frozenset[str]:
    """Where tasks run, by the parameters of a stack."""
    return frozenset(
        listed(parameters.get("TaskSubnetIds", "")) or listed(parameters.get("SubnetIds", ""))
    )


def kept(uses: Limits, had: Mapping[str, str], live: Limits | None) -> Limits:
    """The limits that the running service uses and that were allowed before: they stay allowed
    until a deploy has replaced it. The deploy role itself can change the service, so a use that
    was not allowed adds nothing."""
    # A service that was provisioned before there were limits.
    first = Limits(in_stack(had), had.get("AssignPublicIp") == "ENABLED", execute_command=False)
    return uses & (live or first)


def document(limits: Limits) -> Json:
    """The policy. Short, because the policies of a group may have 5,120 characters: "ecs:*" stands
    for the actions that have the condition key, and no statement has a name.

    With ForAnyValue, a key that is not in the request denies nothing ("Set operators for
    multivalued context keys", IAM User Guide).
    """
    denied: list[Json] = [{"ForAnyValue:StringNotEquals": {SUBNETS: sorted(limits.subnets)}}]
    if not limits.public_ip:
        denied.append({"Bool": {PUBLIC_IP: "true"}})
    if not limits.execute_command:
        denied.append({"StringEquals": {EXEC: "true"}})
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Deny", "Action": "ecs:*", "Resource": "*", "Condition": condition}
            for condition in denied
        ],
    }


def parse(policy: Any) -> Limits | None:
    """The limits of a policy that `document` made; None for any other."""
    try:
        [subnets] = (
            each["Condition"]["ForAnyValue:StringNotEquals"][SUBNETS]
            for each in policy["Statement"]
            if "ForAnyValue:StringNotEquals" in each["Condition"]
        )
        found = Limits(
            subnets=frozenset(subnets),
            public_ip=not denies(policy, "Bool", PUBLIC_IP),
            execute_command=not denies(policy, "StringEquals", EXEC),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return found if document(found) == policy else None


def denies(policy: Json, operator: str, key: str) -> bool:
    return any(key in each["Condition"].get(operator, {}) for each in policy["Statement"])


def changed(before: Limits | None, after: Limits) -> Iterator[str]:
    """Each permission that would be added or removed."""
    old, new = permissions(before), permissions(after)
    yield from (f"to allow: {each}" for each in new if each not in old)
    yield from (f"to deny: {each}" for each in old if each not in new)


def permissions(limits: Limits | None) -> list[str]:
    if limits is None:
        return []
    found = [f"tasks in {subnet}" for subnet in sorted(limits.subnets)]
    found += ["public addresses"] if limits.public_ip else []
    return found + (["ECS Exec"] if limits.execute_command else [])
