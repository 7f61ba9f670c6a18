"""Safeguards beside the resources of the stack: its termination protection, and the association
of the web ACL."""

from collections.abc import Mapping

from infra.tool.aws_errors import AwsError
from infra.tool.provision import state
from infra.tool.target import Target


def at_first(parameters: Mapping[str, str]) -> Mapping[str, str]:
    """Those of a stack that is being created. CloudFormation could not delete a protected load
    balancer if the creation failed."""
    return {**parameters, "DeletionProtection": ""}


def apply(target: Target, had: Mapping[str, str]) -> None:
    """Set both right. `had` are the parameters that the stack had before. Raises AwsError."""
    apply_protection(target, had)
    if target.settings.security.web_acl:
        apply_web_acl(target)


def apply_protection(target: Target, had: Mapping[str, str]) -> None:
    """The setting turns the protection on, and off again only what it has turned on itself."""
    wanted = target.settings.security.deletion_protection
    if not wanted and had.get("DeletionProtection") != "true":
        return
    stack = state.read(target)
    if stack and stack.is_protected != wanted:
        target.aws.cloudformation.update_termination_protection(
            StackName=stack.name, EnableTerminationProtection=wanted
        )
        target.fact("stack", f"termination protection turned {'on' if wanted else 'off'}")


def apply_web_acl(target: Target) -> None:
    """Associate the web ACL if it is not. If it replaces another one, CloudFormation may take both
    away: it associates the new one, and then removes the association of the load balancer."""
    balancer, wanted = load_balancer(target), target.settings.security.web_acl
    if web_acl_of(target, balancer) != wanted:
        target.aws.wafv2.associate_web_acl(WebACLArn=wanted, ResourceArn=balancer)
        target.fact("web acl", f"associated again: {wanted}")


def web_acl_of(target: Target, balancer: str) -> str:
    """The ARN of the web ACL before a load balancer; empty if it has none."""
    answer = target.aws.wafv2.get_web_acl_for_resource(ResourceArn=balancer)
    return answer.get("WebACL", {}).get("ARN", "")


def load_balancer(target: Target) -> str:
    """Its ARN; empty if it does not exist."""
    name = f"{target.settings.service.name}-alb"
    try:
        [found] = target.aws.elbv2.describe_load_balancers(Names=[name])["LoadBalancers"]
    except AwsError as error:
        if error.aws_code == "LoadBalancerNotFound":
            return ""
        raise
    return found["LoadBalancerArn"]
