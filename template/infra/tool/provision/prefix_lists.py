"""Prefix lists of [security] egress_cidrs: whether they exist, and how many rules they count as."""

from collections.abc import Sequence
from typing import Any

from infra.tool.api_model import Json
from infra.tool.aws_errors import AwsError
from infra.tool.errors import Problem
from infra.tool.provision import reachability
from infra.tool.shapes import is_prefix_list
from infra.tool.target import Target

NO_LIST = Problem(
    "prefix-list-missing",
    "[security] egress_cidrs in infra/settings.toml names what is no prefix list: {text}",
    "name one that this shows: aws ec2 describe-managed-prefix-lists --region {region}",
)
# Rules of a security group in one direction, unless AWS raised it; a prefix list counts with its
# maximum number of entries ("Amazon VPC quotas").
MOST_RULES = 60


def read(target: Target, entries: Sequence[str]) -> dict[str, str]:
    """The prefix lists by their ids, with the names that this account may see. Raises ToolError if
    one does not exist."""
    wanted = [each for each in entries if is_prefix_list(each)]
    if not wanted:
        return {}
    pages: Any = target.aws.ec2.get_paginator("describe_managed_prefix_lists")
    try:
        found = reachability.visible(
            lambda: [
                each
                for page in pages.paginate(PrefixListIds=wanted)
                for each in page["PrefixLists"]
            ]
        )
    except AwsError as error:
        if error.aws_code == "InvalidPrefixListID.NotFound":
            raise NO_LIST(text=error.text, region=target.settings.service.region) from None
        raise
    warn_of_many(target, len(entries) - len(wanted), found or [])
    names = {each["PrefixListId"]: each["PrefixListName"] for each in found or []}
    return {id: names.get(id, "") for id in wanted}


def warn_of_many(target: Target, ranges: int, lists: Sequence[Json]) -> None:
    """AWS counts its own lists by a weight that no API tells."""
    rules = ranges + sum(each.get("MaxEntries") or 0 for each in lists)
    if rules > MOST_RULES:
        target.runtime.console.warn(
            f"network: [security] egress_cidrs counts as {rules} rules, because a prefix list "
            f"counts with its maximum number of entries, and a security group takes {MOST_RULES} "
            "unless AWS has raised that quota"
        )
