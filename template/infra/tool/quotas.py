"""Limits of AWS on what the tool sends: a value above one is refused before any change. Pure.

Limits that AWS raises on request are not here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Quota:
    limit: int
    unit: str
    owner: str  # the AWS service that sets the limit
    remedy: str

    def complaint(self, what: str, size: int, remedy: str = "") -> Iterator[str]:
        """One if the size is above the limit."""
        if size > self.limit:
            yield (
                f"{what} has {size:,} {self.unit}, and {self.owner} takes {self.limit:,}: "
                f"{remedy or self.remedy}"
            )


# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
TEMPLATE = Quota(51_200, "bytes", "CloudFormation", "shorten it; comments count, and so do blanks")
PARAMETER = Quota(4_096, "bytes", "CloudFormation", "shorten it")
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
ROLE_POLICIES = Quota(
    10_240, "characters without blanks", "IAM", "grant fewer ARNs: they are its longest part"
)
GROUP_POLICIES = Quota(
    5_120,
    "characters without blanks",
    "IAM for a group",
    "shorten it, or deploy by the role alone, without a deploy user",
)
TRUST = Quota(
    2_048, "characters without blanks", "IAM", "choose a shorter subject, for example of a branch"
)
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
TASK_DEFINITION = Quota(
    65_536, "bytes", "ECS", "move values of environment into environmentFiles or secrets"
)
CONTAINERS = Quota(10, "containers", "ECS", "run the others as a service of their own")
# In the model of the ECS API: environmentFiles of ContainerDefinition, subnets of
# AwsVpcConfiguration, and tags.
FILES = Quota(10, "files", "ECS", "put their variables into fewer files")
TASK_SUBNETS = Quota(16, "subnets", "ECS", "name fewer: one for each zone is enough")
TAGS = Quota(50, "tags", "ECS", "remove some")
# LifecyclePolicyText in the model of the ECR API.
LIFECYCLE = Quota(30_720, "characters", "ECR", "write fewer rules")
SHORTEST_LIFECYCLE = 100
# https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-limits.html
SCALING_POLICIES = Quota(50, "policies", "Application Auto Scaling", "remove some")
SCHEDULED_ACTIONS = Quota(200, "scheduled actions", "Application Auto Scaling", "remove some")

# Characters that IAM refuses in a policy: policyDocumentType in the model of its API.
NOT_IN_A_POLICY = re.compile(r"[^\t\n\r\x20-\xff]")

# A deploy adds this to the JSON of a task definition: a digest to each image, and two tags.
ADDED_TO_CONTAINER = len("@sha256:") + 64
ADDED_TAGS = 2
ADDED_TO_TASK = 250

REMEDIES = {
    "SecretArns": "store several values in one secret and name each by its key, ARN:KEY::",
    "ParameterArns": "store several values in one secret of Secrets Manager, and name each by its "
    "key, ARN:KEY::",
    "FileArns": FILES.remedy,
    "FileBucketArns": FILES.remedy,
    "ImageRepositoryArns": "use images of fewer repositories",
    "OtherLogGroupArns": "write to fewer log groups",
    "CreatedLogGroupArns": "write to fewer log groups",
    "BedrockModelArns": "name fewer models",
    "S3BucketArns": "name fewer buckets",
    "SubnetIds": "name fewer subnets: one for each zone is enough",
    "TaskSubnetIds": "name fewer subnets: one for each zone is enough",
}


def policy_size(text: str) -> int:
    """Of a policy, as IAM counts it."""
    return len(re.sub(r"\s", "", text))


def about_policy(path: str, text: str) -> Iterator[str]:
    """Complaints about a policy that is put on a role."""
    yield from ROLE_POLICIES.complaint(path, policy_size(text), "remove statements")
    if found := NOT_IN_A_POLICY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        yield f"{path} has the character {found[0]} in line {line}, which IAM does not take"


def about_lifecycle(path: str, text: str) -> Iterator[str]:
    yield from LIFECYCLE.complaint(path, len(text))
    if len(text) < SHORTEST_LIFECYCLE:
        yield (
            f"{path} has {len(text)} characters, and ECR takes {SHORTEST_LIFECYCLE} or more: "
            "write a rule"
        )


def about_parameters(parameters: Mapping[str, str]) -> Iterator[str]:
    """Complaints about the parameters of infra/stack.yml."""
    for name, value in parameters.items():
        what = f"the parameter {name} of infra/stack.yml"
        yield from PARAMETER.complaint(what, len(value.encode()), REMEDIES.get(name, ""))


def about_task_definition(task: Mapping[str, Any]) -> Iterator[str]:
    """Complaints about infra/task-definition.json, with what a deploy adds to it."""
    containers = task.get("containerDefinitions", [])
    text = json.dumps(task, separators=(",", ":"), ensure_ascii=False)
    added = ADDED_TO_TASK + ADDED_TO_CONTAINER * len(containers)
    yield from TASK_DEFINITION.complaint("it", len(text.encode()) + added)
    yield from CONTAINERS.complaint("it", len(containers))
    for container in containers:
        files = len(container.get("environmentFiles", []))
        yield from FILES.complaint(f"the container {container.get('name')}", files)
    tags = len(task.get("tags", [])) + ADDED_TAGS
    yield from TAGS.complaint("with the two tags of a deploy, it", tags)
