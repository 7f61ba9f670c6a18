"""[security] permissions_boundary: whether the policy exists, and allows what ECS and the app need.

A boundary takes effect at once, on running tasks too. So one that is certain to keep them from
their log, their image or their secrets is refused. IAM itself is asked (SimulateCustomPolicy). A
policy that this account may not read, or that asks for keys that only a real request has, cannot be
judged, and is a warning. So is one that keeps the deploy role from an action of its policy: nothing
that runs depends on it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from infra.tool.api_model import Json
from infra.tool.aws_errors import AwsError, Kind
from infra.tool.errors import Problem
from infra.tool.provision.parameters import listed
from infra.tool.provision.policies import DEPLOY
from infra.tool.service_names import Service
from infra.tool.shapes import Identity
from infra.tool.target import Target

MISSING = Problem(
    "boundary-missing",
    "the policy {boundary}, which [security] permissions_boundary in infra/settings.toml names, "
    "does not exist",
    "set it to the ARN of your organisation's boundary; this lists the policies of the account: "
    "aws iam list-policies --scope Local",
)
NARROW = Problem(
    "boundary-narrow",
    "the permissions boundary {boundary} does not allow {denied}, which the tasks need",
    "allow these actions in the boundary, or set [security] permissions_boundary in "
    "infra/settings.toml to another policy",
)

SHOWN = 5  # actions that a warning names
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
WRITE = ("logs:CreateLogStream", "logs:PutLogEvents")
# The actions that infra/stack.yml grants on the ARNs of a parameter.
OF_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "SecretArns": ("secretsmanager:GetSecretValue",),
    "ParameterArns": ("ssm:GetParameters",),
    "FileArns": ("s3:GetObject",),
    "FileBucketArns": ("s3:GetBucketLocation",),
    "ImageRepositoryArns": PULL,
    "OtherLogGroupArns": WRITE,
    "CreatedLogGroupArns": ("logs:CreateLogGroup",),
    "SecretsKeyArn": ("kms:Decrypt",),
    "BedrockModelArns": ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"),
    "S3BucketArns": ("s3:ListBucket",),
}
ANYTHING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
)


@dataclass(frozen=True)
class Need:
    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    denied: tuple[str, ...]  # actions, for certain
    unsure: tuple[str, ...]  # actions on which keys of a real request decide


NOT_KNOWN = Verdict((), ("this account may not ask IAM",))


def check(target: Target, parameters: Mapping[str, str], policy: Json) -> None:
    """Raises ToolError if the boundary does not exist or is too narrow for the tasks. `policy` is
    that of the deploy role."""
    boundary = parameters["PermissionsBoundaryArn"]
    if not boundary:
        return
    document = read(target, boundary)
    wanted = needs(target.settings.service, parameters)
    found = NOT_KNOWN if document is None else judge(target, document, wanted)
    if found.denied:
        raise NARROW(boundary=boundary, denied=", ".join(found.denied))
    if found.unsure:
        target.runtime.console.warn(
            f"It cannot be checked whether the permissions boundary {boundary} allows the tasks "
            f"what they need: {', '.join(found.unsure)}"
        )
    if document and (denied := judge(target, document, deploy_needs(policy)).denied):
        others = len(denied) - SHOWN
        names = ", ".join(denied[:SHOWN]) + (f" and {others} more" if others > 0 else "")
        target.runtime.console.warn(
            f"The permissions boundary {boundary} keeps the deploy role from {names}, which "
            f"{DEPLOY} grants: deploys that need it will be denied."
        )


def read(target: Target, boundary: str) -> str | None:
    """The policy; None if this account may not read it. Raises ToolError if it does not exist."""
    iam = target.aws.iam
    try:
        version = iam.get_policy(PolicyArn=boundary)["Policy"].get("DefaultVersionId", "")
        answer = iam.get_policy_version(PolicyArn=boundary, VersionId=version)
    except AwsError as error:
        if error.aws_code == "NoSuchEntity":
            raise MISSING(boundary=boundary) from None
        if error.kind is Kind.DENIED:
            return None
        raise
    return json.dumps(answer["PolicyVersion"].get("Document", {}))


def judge(target: Target, document: str, wanted: Iterable[Need]) -> Verdict:
    """IAM's decision on each need under this boundary. Raises AwsError."""
    try:
        return simulate(target, document, wanted)
    except AwsError as error:
        if error.kind is Kind.DENIED:
            return NOT_KNOWN
        raise


def simulate(target: Target, document: str, wanted: Iterable[Need]) -> Verdict:
    denied: dict[str, None] = {}
    unsure: dict[str, None] = {}
    pages = target.aws.iam.get_paginator("simulate_custom_policy")
    for need in wanted:
        answers = pages.paginate(
            PolicyInputList=[ANYTHING],
            PermissionsBoundaryPolicyInputList=[document],
            ActionNames=list(need.actions),
            ResourceArns=list(need.resources),
        )
        for result in (each for page in answers for each in page["EvaluationResults"]):
            if result["EvalDecision"] != "allowed":
                found = unsure if result.get("MissingContextValues") else denied
                found[result["EvalActionName"]] = None
    return Verdict(tuple(denied), tuple(unsure))


# --- pure ---


def needs(service: Service, parameters: Mapping[str, str]) -> Iterator[Need]:
    """The needs of ECS for every task, and those that the parameters of the stack grant."""
    here = Identity(service.partition, service.region, service.account)
    group = f"log-group:{parameters['LogGroupName']}"
    yield Need(("ecr:GetAuthorizationToken",), ("*",))
    yield Need(PULL, (here.arn("ecr", f"repository/{parameters['RepositoryName']}"),))
    yield Need(WRITE, (here.arn("logs", f"{group}:log-stream:ecs"),))
    for name, actions in OF_PARAMETERS.items():
        if arns := listed(parameters[name]):
            yield Need(actions, tuple(arns))


def deploy_needs(policy: Json) -> Iterator[Need]:
    """The permissions in the deploy role's policy, each action on an example of its resources."""
    for statement in policy["Statement"]:
        actions, resources = items(statement, "Action"), items(statement, "Resource")
        if statement["Effect"] == "Allow" and actions and resources:
            # IAM simulates one resource or all of them, and no pattern.
            examples = (each if each == "*" else each.replace("*", "x") for each in resources)
            yield Need(tuple(each for each in actions if "*" not in each), tuple(examples))


def items(statement: Json, member: str) -> list[str]:
    found = statement.get(member, [])
    return found if isinstance(found, list) else [found]
