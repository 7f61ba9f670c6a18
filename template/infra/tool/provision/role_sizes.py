"""The size of the policies that infra/stack.yml writes, for the limits of IAM. Pure.

The numbers are characters without blanks, measured on infra/stack.yml; a test compares them.
"""

from collections.abc import Iterator, Mapping, Sequence

from infra.tool import quotas
from infra.tool.provision.grants import Kind

# Each policy of the execution role that lists ARNs, without them.
AROUND = {
    Kind.SECRET: 132,
    Kind.PARAMETER: 125,
    Kind.FILE: 202,  # with the statement about their buckets
    Kind.BUCKET: 0,
    Kind.REPOSITORY: 189,
    Kind.LOG_GROUP: 148,
    Kind.NEW_LOG_GROUP: 126,
}
START_TASKS = 575  # without the names of repository and log group
DECRYPT = 275  # with the ARN of no key
INVOKE_MODELS, READ_BUCKETS, SEND_TRACES = 165, 193, 280
TRUST = 280  # of the deploy role, without subject and issuer


def listed(parameters: Mapping[str, str], name: str) -> list[str]:
    return [item for item in parameters.get(name, "").split(",") if item]


def of_list(arns: Sequence[str], around: int, added: int = 0) -> int:
    """A policy with a list of ARNs, each quoted and followed by a comma; 0 without any."""
    return around + sum(len(arn) + 3 + added for arn in arns) if arns else 0


def execution_role(parameters: Mapping[str, str]) -> int:
    key = parameters["SecretsKeyArn"]
    return (
        START_TASKS
        + len(parameters["RepositoryName"])
        + len(parameters["LogGroupName"])
        + sum(of_list(listed(parameters, kind.parameter), AROUND[kind]) for kind in Kind)
        + (DECRYPT + len(key) if key else 0)
    )


def task_role(parameters: Mapping[str, str]) -> int:
    buckets = listed(parameters, "S3BucketArns")
    return (
        of_list(listed(parameters, "BedrockModelArns"), INVOKE_MODELS)
        + of_list(buckets, READ_BUCKETS)
        + of_list(buckets, 0, added=len("/*"))
        + (SEND_TRACES if parameters["Tracing"] else 0)
    )


def complaints(parameters: Mapping[str, str], issuer: str) -> Iterator[str]:
    """About the roles of infra/stack.yml with these parameters."""
    quota = quotas.ROLE_POLICIES
    what = "the {} of infra/stack.yml"
    yield from quota.complaint(what.format("execution role"), execution_role(parameters))
    yield from quota.complaint(what.format("task role"), task_role(parameters))
    trust = TRUST + len(parameters["GitHubSubject"]) + 3 * len(issuer)
    yield from quotas.TRUST.complaint("the trust of the deploy role", trust)
