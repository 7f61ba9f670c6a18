"""Whom the deploy role trusts now: an issuer of tokens and a subject."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.tool.aws_errors import AwsError
from infra.tool.target import Target

PROVIDER = re.compile(r"arn:[a-z-]+:iam::[0-9]+:oidc-provider/(?P<issuer>.+)")


@dataclass(frozen=True)
class Trust:
    issuers: tuple[str, ...]
    subjects: tuple[str, ...]


def read(target: Target) -> Trust:
    """Empty if the role does not exist. Raises AwsError."""
    try:
        answer = target.aws.iam.get_role(RoleName=target.settings.names.deploy_role)
    except AwsError as error:
        if error.aws_code == "NoSuchEntity":
            return Trust((), ())
        raise
    return parse(answer["Role"]["AssumeRolePolicyDocument"])


# --- decisions, pure ---


def parse(policy: Any) -> Trust:
    """The part of a trust policy about web identities, also if it was changed by hand."""
    statements = policy.get("Statement", []) if isinstance(policy, dict) else []
    issuers: list[str] = []
    subjects: list[str] = []
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        providers = principal.get("Federated", []) if isinstance(principal, dict) else []
        found = (PROVIDER.fullmatch(arn) for arn in listed(providers))
        issuers += [match["issuer"] for match in found if match]
        for keys in statement.get("Condition", {}).values():
            for key, value in keys.items():
                subjects += listed(value) if key.endswith(":sub") else []
    return Trust(tuple(issuers), tuple(subjects))


def listed(value: Any) -> list[str]:
    return [str(each) for each in (value if isinstance(value, list) else [value])]


def changes(before: Trust, issuer: str, subject: str) -> Iterator[str]:
    """Nothing for a role that does not exist."""
    for had, has in ((before.issuers, issuer), (before.subjects, subject)):
        if had and had != (has,):
            yield f"{', '.join(had)} -> {has}"
