"""Maximum sizes of AWS that moto does not check."""

import json
import re
from collections.abc import Mapping
from typing import Any

from simulator.refusal import Refused

Json = Mapping[str, Any]

# Characters without white space: "IAM and AWS STS quotas" (IAM User Guide).
INLINE = {"role": 10_240, "group": 5_120, "user": 2_048}
TRUST = 2_048
# "Amazon ECS service quotas" (ECS Developer Guide), and the limits in the model of its API.
TASK_DEFINITION = 65_536  # bytes
CONTAINERS = 10
TAGS = 50
SUBNETS = 16
SECURITY_GROUPS = 5
LIFECYCLE = (100, 30_720)  # LifecyclePolicyText, in the model of ECR


def size(policy: str) -> int:
    return len(re.sub(r"\s", "", policy))


def check_inline(kind: str, name: str, policies: Mapping[str, str]) -> None:
    """All inline policies of a role, group or user together: aws/aws-cdk#4465."""
    if sum(map(size, policies.values())) > INLINE[kind]:
        raise Refused(
            "LimitExceeded",
            f"Maximum policy size of {INLINE[kind]} bytes exceeded for {kind} {name}",
            409,
        )


def check_trust(policy: str) -> None:
    """hashicorp/terraform-provider-aws#31021 and others."""
    if size(policy) > TRUST:
        raise Refused("LimitExceeded", f"Cannot exceed quota for ACLSizePerRole: {TRUST}", 409)


def check_task_definition(request: Json) -> None:
    """awsdocs/amazon-ecs-developer-guide#149; aws/amazon-ecs-cli#184. No source says how ECS
    counts: here, it is the shortest JSON of the request."""
    length = len(json.dumps(request, separators=(",", ":")).encode())
    if length > TASK_DEFINITION:
        text = f"Actual length: '{length}'. Max allowed length is '{TASK_DEFINITION}' bytes."
        raise Refused("ClientException", text)
    if len(request["containerDefinitions"]) > CONTAINERS:
        raise Refused("ClientException", "Too many containers.")
    check_tags(request)


def check_tags(request: Json) -> None:
    if len(request.get("tags", [])) > TAGS:
        raise Refused("InvalidParameterException", f"tags can have at most {TAGS} items.")


def check_network(network: Json) -> None:
    for key, most in (("subnets", SUBNETS), ("securityGroups", SECURITY_GROUPS)):
        if len(network.get(key, [])) > most:
            raise Refused("InvalidParameterException", f"{key} can have at most {most} items.")


def check_lifecycle(text: str) -> None:
    least, most = LIFECYCLE
    if not least <= len(text) <= most:
        raise Refused(
            "InvalidParameterException",
            "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Member must "
            f"have length between {least} and {most}'",
        )
