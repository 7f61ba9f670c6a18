"""The shapes of settings: one right form for each value, and an example for the message.

The validation context is the identity of the service, so that an example fits the service and an
ARN of another account or region is refused. It is None if the identity itself is wrong.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo


@dataclass(frozen=True)
class Identity:
    """What every ARN of the service repeats."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, rest: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{rest}"


def matching(pattern: str, what: str, example: str) -> AfterValidator:
    """A string that matches a regular expression as a whole."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"expects {what}, for example {example}")
        return value

    return AfterValidator(check)


def arn_of(service: str, resource: str, what: str, example: str) -> AfterValidator:
    """An ARN of this account and region, or "". `resource` is a regular expression."""

    def check(value: str, info: ValidationInfo) -> str:
        here: Identity | None = info.context
        if not value or not here:
            return value
        if not re.fullmatch(re.escape(here.arn(service, "")) + resource, value):
            raise ValueError(
                f"expects the ARN of {what} in account {here.account} and region {here.region}, "
                f"for example {here.arn(service, example)}"
            )
        return value

    return AfterValidator(check)


def each(pattern: str, what: str, example: str) -> AfterValidator:
    """A list of strings that each match a regular expression as a whole."""

    def check(values: list[str]) -> list[str]:
        if wrong := [value for value in values if not re.fullmatch(pattern, value)]:
            raise ValueError(f"expects {what}, got {wrong[0]!r}: for example {example}")
        if len(set(values)) < len(values):
            raise ValueError(f"names a value twice: for example {example}")
        return values

    return AfterValidator(check)


def whole_number(least: int, example: int) -> BeforeValidator:
    """A number, or digits without a leading zero: a shell reads "010" as 8."""

    def check(value: Any) -> Any:
        digits = isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]*", value)
        if not (digits or (isinstance(value, int) and not isinstance(value, bool))):
            raise ValueError(f"expects a whole number, for example {example}")
        if int(value) < least:
            raise ValueError(f"expects {least} or more, for example {example}")
        return int(value)

    return BeforeValidator(check)


def one_of(values: Sequence[str | int], example: str) -> AfterValidator:
    """One of a few values."""

    def check(value: str | int) -> str | int:
        if value not in values:
            words = ", ".join(str(each) or '""' for each in values)
            raise ValueError(f"expects one of {words}: for example {example}")
        return value

    return AfterValidator(check)


def switch(words: str) -> BeforeValidator:
    """True or false; `words` is how the file spells them."""

    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"expects {words}")
        return value

    return BeforeValidator(check)


def of_this_account(values: list[str], info: ValidationInfo) -> list[str]:
    """ARNs of no other account. Their region may be another: a model may be called there."""
    here: Identity | None = info.context
    if here is None:
        return values
    for value in values:
        found = re.match(r"arn:([a-z-]+):[a-z]+:[a-z0-9-]*:([0-9]*):", value)
        if found and (found[1] != here.partition or found[2] not in ("", here.account)):
            example = here.arn("bedrock", "inference-profile/us.amazon.nova-pro-v1:0")
            raise ValueError(f"is of another account or partition: for example {example}")
    return values


def networks(values: list[str]) -> list[str]:
    """CIDR blocks, such as 203.0.113.0/24. Raises ValueError for others."""
    for value in values:
        try:
            ip_network(value)
        except ValueError:
            example = "203.0.113.0/24"
            raise ValueError(f"expects CIDR blocks, got {value!r}: for example {example}") from None
    return values


# Ids and ARNs of models and of inference profiles, and ARNs of application inference profiles.
BEDROCK_MODEL = (
    r"([a-z]{2,6}(-[a-z]+)?\.)?[a-z0-9-]+\.[A-Za-z0-9][A-Za-z0-9.:-]*"
    r"|arn:aws[a-z-]*:bedrock:[a-z0-9-]*:([0-9]{12})?:"
    r"(foundation-model|inference-profile|application-inference-profile)/[A-Za-z0-9.:-]+"
)
