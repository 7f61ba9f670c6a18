"""Remedies for a resource that CloudFormation could not create or change because of a setting.

The text of an event is the only place where CloudFormation names the error, so this searches the
text. A match only adds advice: whether the update failed is known from the state of the stack.
"""

from infra.tool.errors import ExitCode, Problem, ToolError
from infra.tool.provision import access_logs, keys
from infra.tool.provision.events import Ending
from infra.tool.settings import Settings

ROLE_DENIED = Problem(
    "role-denied",
    "the stack {stack} could not be created or updated ({status}): {failure}. Your organisation "
    "may require a permissions boundary on every role, and this role {has}",
    "set [security] permissions_boundary in infra/settings.toml to the ARN of the policy that your "
    "organisation requires, then {again}",
    ExitCode.FAILED,
)

BUCKET_DENIED = Problem(
    "access-logs-denied",
    "the stack {stack} could not be created or updated ({status}): {failure}",
    access_logs.OPEN,
    ExitCode.FAILED,
)
LOG_KEY_DENIED = Problem(
    "log-key-denied",
    "the stack {stack} could not be created or updated ({status}): {failure}",
    keys.OPEN,
    ExitCode.FAILED,
)
KEY_DENIED = Problem(
    "repository-key-denied",
    "the stack {stack} could not be created or updated ({status}): {failure}",
    "set [security] repository_key to a symmetric key of this region that is enabled and that you "
    "may use; then {again}",
    ExitCode.FAILED,
)
NO_WEB_ACL = Problem(
    "web-acl-failed",
    "the stack {stack} could not be created or updated ({status}): {failure}",
    "set [security] web_acl to a web ACL of this region, as aws wafv2 list-web-acls --scope "
    "REGIONAL shows it; then {again}",
    ExitCode.FAILED,
)


def explain(stack: str, ending: Ending, settings: Settings, again: str) -> ToolError | None:
    """The error that names the setting; None if none is known to be behind it."""
    found = ending.failed
    if found is None:
        return None
    security, reason = settings.security, found.reason
    match found.type:
        case "AWS::IAM::Role" if "AccessDenied" in reason:
            boundary = security.permissions_boundary
            has = f"has {boundary}" if boundary else "has none"
            return ROLE_DENIED(
                stack=stack, status=ending.status, failure=ending.failure, has=has, again=again
            )
        case "AWS::ElasticLoadBalancingV2::LoadBalancer" if "Access Denied for bucket" in reason:
            return bucket_denied(stack, ending, settings, again)
        case "AWS::Logs::LogGroup" if "KMS key" in reason:
            return LOG_KEY_DENIED(
                stack=stack,
                status=ending.status,
                failure=ending.failure,
                key=security.log_key,
                service=f"logs.{settings.service.region}.amazonaws.com",
                again=again,
            )
        case "AWS::ECR::Repository" if "kms" in reason.lower():
            return KEY_DENIED(
                stack=stack, status=ending.status, failure=ending.failure, again=again
            )
        case "AWS::WAFv2::WebACLAssociation":
            return NO_WEB_ACL(
                stack=stack, status=ending.status, failure=ending.failure, again=again
            )
    return None


def bucket_denied(stack: str, ending: Ending, settings: Settings, again: str) -> ToolError:
    return BUCKET_DENIED(
        stack=stack,
        status=ending.status,
        failure=ending.failure,
        bucket=settings.security.access_logs_bucket,
        objects=f"{access_logs.folder(settings)}/*",
        service=access_logs.SERVICE,
        again=again,
    )
