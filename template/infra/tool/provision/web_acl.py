"""[security] web_acl: whether it exists, and whether the load balancer has another one.

A load balancer has one web ACL at most, and an association takes the place of the one before. So an
association that the stack did not make, for example by AWS Firewall Manager, is not taken away.
"""

from collections.abc import Mapping

from infra.tool.aws_errors import AwsError, Kind
from infra.tool.errors import Problem
from infra.tool.provision import safeguards
from infra.tool.settings_file import assignment
from infra.tool.target import Target

MISSING = Problem(
    "web-acl-missing",
    "the web ACL {arn}, which [security] web_acl in infra/settings.toml names, does not exist",
    "name one that this shows: aws wafv2 list-web-acls --scope REGIONAL --region {region}",
)
TAKEN = Problem(
    "web-acl-taken",
    "the load balancer has a web ACL that is not of the stack, {found}, and [security] web_acl in "
    "infra/settings.toml would take it away",
    "{keep_or}give it up: aws wafv2 disassociate-web-acl --region {region} --resource-arn "
    "{balancer}; then {again}",
)


def check(target: Target, had: Mapping[str, str]) -> None:
    """Raises ToolError. `had` are the parameters of the stack."""
    wanted, before = target.settings.security.web_acl, had.get("WebAclArn", "")
    if wanted and wanted != before:
        require_existing(target, wanted)
    if wanted or before:
        require_own(target, before)


def require_existing(target: Target, arn: str) -> None:
    name, id = arn.split("/")[-2:]
    try:
        target.aws.wafv2.get_web_acl(Name=name, Scope="REGIONAL", Id=id)
    except AwsError as error:
        if error.aws_code == "WAFNonexistentItemException":
            raise MISSING(arn=arn, region=target.settings.service.region) from None
        if error.kind is not Kind.DENIED:
            raise


def require_own(target: Target, before: str) -> None:
    """Raises ToolError if the load balancer has another web ACL than that of the stack."""
    balancer = safeguards.load_balancer(target)
    found = safeguards.web_acl_of(target, balancer) if balancer else ""
    if found not in ("", before):
        raise TAKEN(
            found=found,
            keep_or="" if before else f"keep it: {assignment('security', 'web_acl', '')}; or ",
            region=target.settings.service.region,
            balancer=balancer,
            again=target.again,
        )
