"""The shapes of settings: one right form for each value, and an example for the message.

The validation context is the identity of the service, so that an example fits the service and an
ARN of another account or region is refused. It is None if the identity itself is wrong.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo


@dataclass(frozen=True)
class Identity:
    """The values that every ARN of the service repeats."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, rest: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{rest}"


def quoted(value: object) -> str:
    """A value as TOML spells it."""
    return json.dumps(value, ensure_ascii=False)


def fits(value: object, pattern: str) -> bool:
    """Whether a value is a string that matches a regular expression as a whole."""
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def matching(pattern: str, what: str, example: str) -> BeforeValidator:
    """A string that matches a regular expression as a whole."""

    def check(value: Any) -> Any:
        if not fits(value, pattern):
            raise ValueError(f"expects {what}, for example {quoted(example)}")
        return value

    return BeforeValidator(check)


def arn_of(service: str, resource: str, what: str, example: str) -> BeforeValidator:
    """An ARN of this account and region, or "". `resource` is a regular expression."""

    def check(value: Any, info: ValidationInfo) -> Any:
        here: Identity | None = info.context
        if value == "" or not here:
            return value
        if not fits(value, re.escape(here.arn(service, "")) + resource):
            raise ValueError(
                f"expects the ARN of {what} in account {here.account} and region {here.region}, "
                f"for example {quoted(here.arn(service, example))}"
            )
        return value

    return BeforeValidator(check)


def kms_key() -> BeforeValidator:
    """The ARN of a key of this account and region, or ""."""
    return arn_of(
        "kms",
        r"key/(mrk-)?[0-9a-f-]{32,36}",
        "one KMS key (not of an alias)",
        "key/1234abcd-12ab-34cd-56ef-1234567890ab",
    )


def policy_arn(example: str) -> BeforeValidator:
    """The ARN of a managed policy of this account or of AWS, or ""."""

    def check(value: Any, info: ValidationInfo) -> Any:
        here: Identity | None = info.context
        if value == "" or not here:
            return value
        shape = (
            rf"arn:{here.partition}:iam::({here.account}|aws):policy/({POLICY_NAME}/)*{POLICY_NAME}"
        )
        if not fits(value, shape):
            shown = f"arn:{here.partition}:iam::{here.account}:policy/{example}"
            raise ValueError(
                f"expects the ARN of one managed policy of account {here.account} or of AWS, for "
                f"example {quoted(shown)}"
            )
        return value

    return BeforeValidator(check)


def each(pattern: str, what: str, *examples: str, unique: bool = True) -> BeforeValidator:
    """A list of strings that each match a regular expression as a whole."""

    def check(values: Any) -> Any:
        example = f"for example {quoted(examples)}"
        if not isinstance(values, list):
            raise ValueError(f"expects a list of {what}, {example}")
        for value in values:
            if not fits(value, pattern):
                raise ValueError(f"expects {what}, got {quoted(value)}: {example}")
        if unique and len(set(values)) < len(values):
            raise ValueError(f"names a value twice: {example}")
        return values

    return BeforeValidator(check)


def whole_number(least: int, example: int) -> BeforeValidator:
    """A number, or its digits in quotes, because Copier writes answers between quotes."""

    def check(value: Any) -> Any:
        digits = isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]*", value)
        if not (digits or (isinstance(value, int) and not isinstance(value, bool))):
            raise ValueError(f"expects a whole number, for example {example}")
        if int(value) < least:
            raise ValueError(f"expects {least} or more, for example {example}")
        return int(value)

    return BeforeValidator(check)


def one_of(values: Sequence[str | int], example: str | int) -> AfterValidator:
    """One of a few values."""

    def check(value: str | int) -> str | int:
        if value not in values:
            words = ", ".join(map(quoted, values))
            raise ValueError(f"expects one of {words}: for example {quoted(example)}")
        return value

    return AfterValidator(check)


def switch(value: Any) -> Any:
    """True or false, without quotes. Raises ValueError for anything else."""
    if not isinstance(value, bool):
        raise ValueError("expects true or false, without quotes: for example true")
    return value


def stand_ins(values: Any) -> Any:
    """A table of strings. Raises ValueError for anything else."""
    if not (isinstance(values, dict) and all(isinstance(each, str) for each in values.values())):
        raise ValueError('expects a text for each secret, for example API_KEY = "not-a-real-key"')
    return values


def of_this_account(values: list[str], info: ValidationInfo) -> list[str]:
    """ARNs of no other account. Their region may be another: a model may be called there."""
    here: Identity | None = info.context
    if here is None:
        return values
    for value in values:
        found = re.match(r"arn:([a-z-]+):[a-z]+:[a-z0-9-]*:([0-9]*):", value)
        if found and (found[1] != here.partition or found[2] not in ("", here.account)):
            example = here.arn("bedrock", "inference-profile/us.amazon.nova-pro-v1:0")
            raise ValueError(f"is of another account or partition: for example {quoted([example])}")
    return values


# Ranges of IPv4 and of IPv6 addresses that infra/stack.yml has entries for.
MOST_RANGES = {4: 20, 6: 10}


def networks(values: Any) -> Any:
    """Address ranges in their one right form, so that none is named twice."""
    example = f"for example {quoted(['203.0.113.0/24'])}"
    if not isinstance(values, list):
        raise ValueError(f"expects a list of address ranges, {example}")
    found = [network(value, example) for value in values]
    if len(set(values)) < len(values):
        raise ValueError(f"names a range twice: {example}")
    for version, most in MOST_RANGES.items():
        if (count := sum(each.version == version for each in found)) > most:
            raise ValueError(
                f"takes at most {most} ranges of IPv{version}, got {count}: combine neighbours, "
                f"{example} for 203.0.113.0/25 and 203.0.113.128/25"
            )
    return values


def network(value: Any, example: str = "") -> IPv4Network | IPv6Network:
    """Raises ValueError for what is no range of addresses, in another form, or everywhere."""
    try:
        found = ip_network(value if isinstance(value, str) else "", strict=False)
    except ValueError:
        raise ValueError(f"expects address ranges, got {quoted(value)}: {example}") from None
    if not found.prefixlen:
        raise ValueError(f"names {value}, everywhere: leave it empty, or {example}")
    if value != str(found):
        right = f"for example {quoted([str(found)])}"
        raise ValueError(f"expects address ranges, got {quoted(value)}: {right}")
    return found


MOST_EGRESS_RANGES, MOST_EGRESS_LISTS = 5, 3  # that infra/stack.yml has entries for


def is_prefix_list(value: object) -> bool:
    return fits(value, r"pl-[0-9a-f]{8,17}")


def egress(values: Any) -> Any:
    """Ranges of IPv4 addresses and ids of prefix lists. Raises ValueError for anything else."""
    example = f"for example {quoted(['10.0.0.0/16', 'pl-0a1b2c3d'])}"
    if not isinstance(values, list):
        raise ValueError(f"expects a list of address ranges and prefix lists, {example}")
    ranges = [network(each, example) for each in values if not is_prefix_list(each)]
    if any(each.version == 6 for each in ranges):
        raise ValueError(f"takes ranges of IPv4 addresses, because tasks have no other: {example}")
    if len(set(map(str, values))) < len(values):
        raise ValueError(f"names a value twice: {example}")
    lists = len(values) - len(ranges)
    if len(ranges) > MOST_EGRESS_RANGES or lists > MOST_EGRESS_LISTS:
        raise ValueError(
            f"takes at most {MOST_EGRESS_RANGES} ranges and {MOST_EGRESS_LISTS} prefix lists, got "
            f"{len(ranges)} and {lists}: put ranges into a prefix list of your own, {example}"
        )
    return values


def of_version(values: Iterable[str], version: int) -> list[str]:
    """Those that are ranges of IPv4 (4) or IPv6 (6) addresses."""
    return [value for value in values if network(value).version == version]


POLICY_NAME = r"[A-Za-z0-9+=,.@_-]{1,128}"
EXAMPLE_ACCOUNT = "1234" * 3  # spelled like this, so that no file of a service has an account id
EXAMPLE_REGISTRY = f"{EXAMPLE_ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"

# Ids and ARNs of models and of inference profiles, and ARNs of application inference profiles.
BEDROCK_MODEL = (
    r"([a-z]{2,6}(-[a-z]+)?\.)?[a-z0-9-]+\.[A-Za-z0-9][A-Za-z0-9.:-]*"
    r"|arn:aws[a-z-]*:bedrock:[a-z0-9-]*:([0-9]{12})?:"
    r"(foundation-model|inference-profile|application-inference-profile)/[A-Za-z0-9.:-]+"
)
