"""Permissions boundaries of roles, and the service control policies that require them.

Sources: IAM User Guide, "Permissions boundaries for IAM entities" (among it the example that denies
a change of a role without a boundary) and "Policy evaluation logic"; Organizations User Guide,
"Service control policies": they hold for the root of an account too, and not for service-linked
roles. Wording: "Troubleshoot access denied error messages" (IAM User Guide) and
kubernetes-sigs/cluster-api-provider-aws#2117.
"""

import json
from collections.abc import Iterator
from typing import Any

from simulator.policies import Need, denial, listed
from simulator.refusal import Refused
from simulator.service import World

Json = dict[str, Any]

ANYTHING: Json = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
# The actions of this module whose requests have the condition key iam:PermissionsBoundary.
OF_ROLES = {
    "iam:CreateRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
}


def demand(boundary: str) -> Json:
    """A service control policy that denies every role without this boundary."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": sorted(OF_ROLES - {"iam:DeleteRolePermissionsBoundary"}),
                "Resource": "*",
                "Condition": {"StringNotEquals": {"iam:PermissionsBoundary": boundary}},
            },
            {
                "Effect": "Deny",
                "Action": "iam:DeleteRolePermissionsBoundary",
                "Resource": "*",
                "Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary}},
            },
        ],
    }


def check(world: World, action: str, role: str, path: str, boundary: str) -> None:
    """Raises Refused if a service control policy denies a change of a role with this boundary."""
    assert action in OF_ROLES
    arn = world.account.arn("iam", f"role{path}{role}", region="")
    context = {"iam:PermissionsBoundary": boundary} if boundary else {}
    if denial([ANYTHING, *world.service_control_policies], Need(action, arn, context)):
        raise Refused(
            "AccessDenied",
            f"User: {world.caller.arn} is not authorized to perform: {action} on resource: {arn} "
            "with an explicit deny in a service control policy",
            403,
        )


def require_policy(world: World, arn: str) -> None:
    """hashicorp/terraform-provider-aws#4480."""
    try:
        world.account.moto("iam", "GetPolicy", {"PolicyArn": arn})
    except Refused as missing:
        raise Refused(
            "NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.", 404
        ) from missing


def simulated(parameters: Json) -> list[Json]:
    """The decision on each action and resource. A boundary whose conditions ask for keys that the
    request of the simulation lacks names them in MissingContextValues."""
    policies, bounds = (
        [json.loads(text) for text in parameters.get(key, [])]
        for key in ("PolicyInputList", "PermissionsBoundaryPolicyInputList")
    )
    asked = sorted({key for policy in policies + bounds for key in keys_of(policy)})
    found = []
    for action in parameters["ActionNames"]:
        for resource in parameters.get("ResourceArns", ["*"]):
            need = Need(action, resource)
            is_denied = denial(policies, need) or (bounds and denial(bounds, need))
            found.append(
                {
                    "EvalActionName": action,
                    "EvalResourceName": resource,
                    "EvalDecision": "implicitDeny" if is_denied else "allowed",
                    "MissingContextValues": asked,
                }
            )
    return found


def keys_of(policy: Json) -> Iterator[str]:
    for statement in listed(policy["Statement"]):
        for keys in statement.get("Condition", {}).values():
            yield from keys
