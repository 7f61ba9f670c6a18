"""[security] of infra/settings.toml: what an organisation may demand of a service."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator

from infra.tool.shapes import arn_of, egress, kms_key, matching, policy_arn, switch

BUCKET = r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"


class Security(BaseModel, extra="forbid", frozen=True):
    permissions_boundary: Annotated[str, policy_arn("boundary")] = ""
    role_path: Annotated[
        str,
        matching(
            r"|(?=.{3,512}\Z)(/[A-Za-z0-9+=,.@_-]+)+/", "a path that begins and ends in /", "/team/"
        ),
    ] = ""
    log_key: Annotated[str, kms_key()] = ""
    repository_key: Annotated[str, kms_key()] = ""
    deletion_protection: Annotated[bool, BeforeValidator(switch)] = False
    access_logs_bucket: Annotated[
        str, matching(rf"|{BUCKET}", "the name of one bucket", "my-company-access-logs")
    ] = ""
    egress_cidrs: Annotated[list[str], BeforeValidator(egress)] = []
    web_acl: Annotated[
        str,
        arn_of(
            "wafv2",
            r"regional/webacl/[A-Za-z0-9_-]{1,128}/[0-9a-f-]{36}",
            "one regional web ACL",
            "regional/webacl/my-acl/" + "0" * 8 + "-0000-0000-0000-" + "0" * 12,
        ),
    ] = ""
