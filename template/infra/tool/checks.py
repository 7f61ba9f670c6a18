"""The checks before a deploy, one function for each.

Each returns its result in a few words, or raises ToolError with a remedy. None changes anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infra.tool import alarms, deployment_alarms, documents, image_scan
from infra.tool.aws_errors import AwsError
from infra.tool.docker_login import logged_in
from infra.tool.ecs_service import EcsService
from infra.tool.errors import Problem, ToolError
from infra.tool.image import docker_of, find, ready_builder
from infra.tool.lookup import read_service, read_stack
from infra.tool.revision import read_revision
from infra.tool.stack import DEPLOYABLE, Stack
from infra.tool.target import Target

OTHER_ACCOUNT = Problem(
    "account-differs",
    "these credentials belong to account {found}, but the service is in account {wanted}",
    "sign in to account {wanted}",
)
NO_STACK = Problem(
    "stack-missing",
    "the stack {stack} does not exist in {region}",
    "create it: uv run --frozen -m infra provision",
)
STACK_PLANNED = Problem(
    "stack-planned",
    "the stack {stack} is only planned, not created (REVIEW_IN_PROGRESS)",
    "create it: uv run --frozen -m infra provision",
)
STACK_CHANGING = Problem(
    "stack-changing",
    "the stack {stack} is being changed ({status})",
    "wait until that is done, then run the command again",
)
STACK_FAILED = Problem(
    "stack-failed",
    "the stack {stack} is in state {status} and cannot be deployed to",
    "repair it: uv run --frozen -m infra provision",
)
STACK_OLD = Problem(
    "stack-outputs",
    "the stack {stack} lacks the outputs {outputs}",
    "update it: uv run --frozen -m infra provision",
)
NO_CLUSTER = Problem(
    "cluster-missing",
    "the cluster {cluster} does not exist in {region}",
    "create it: uv run --frozen -m infra provision",
)
SERVICE_DRAINING = Problem(
    "service-draining",
    "the service {service} is being deleted",
    "wait some minutes until it is deleted, then run the command again",
)


@dataclass(frozen=True)
class Check:
    name: str
    run: Callable[[Target], str]
    needs: Sequence[str] = ()  # names of checks; if one of them fails, this one is skipped


def check_repository(target: Target) -> str:
    return target.repository.head()


def check_lock(target: Target) -> str:
    target.repository.require_lock()
    return "uv.lock"


def check_tree(target: Target) -> str:
    target.repository.require_clean()
    return "no uncommitted changes"


def check_settings(target: Target) -> str:
    return f"of {target.settings.service.name}"


def check_documents(target: Target) -> str:
    return f"for {documents.read(target.runtime.root, target.settings).platform}"


def check_docker(target: Target) -> str:
    """The version of the Docker daemon."""
    _, daemon = docker_of(target).versions()
    return daemon


def check_builder(target: Target) -> str:
    """The builder that docker uses, which must build for the platform of the service."""
    platform = documents.read(target.runtime.root, target.settings).platform
    builder = ready_builder(docker_of(target), platform)
    return f"{builder.name} ({builder.driver})"


def check_registry(target: Target) -> str:
    """The registry, after docker has logged in to it."""
    registry = target.settings.service.registry
    with logged_in(docker_of(target), target.aws, registry):
        return registry


def check_region(target: Target) -> str:
    """The region of the settings, which overrides that of the shell."""
    region, environment = target.settings.service.region, target.runtime.environment
    shell = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or region
    return region if shell == region else f"{region} (this shell names {shell}, which is ignored)"


def check_credentials(target: Target) -> str:
    """The ARN of the caller, which must be in the account of the settings."""
    caller, wanted = target.aws.sts.get_caller_identity(), target.settings.service.account
    if caller["Account"] != wanted:
        raise OTHER_ACCOUNT(found=caller["Account"], wanted=wanted)
    return caller["Arn"]


def ready_stack(target: Target) -> Stack:
    """The stack, in a state in which the service can be deployed. Raises ToolError."""
    name, region = target.settings.names.stack, target.settings.service.region
    stack = read_stack(target.aws, name)
    if stack is None:
        raise NO_STACK(stack=name, region=region)
    if stack.status == "REVIEW_IN_PROGRESS":
        raise STACK_PLANNED(stack=name)
    if stack.status not in DEPLOYABLE:
        problem = STACK_CHANGING if stack.status.endswith("_IN_PROGRESS") else STACK_FAILED
        raise problem(stack=name, status=stack.status)
    if missing := stack.missing_outputs:
        raise STACK_OLD(stack=name, outputs=", ".join(missing))
    return stack


def check_stack(target: Target) -> str:
    stack = ready_stack(target)
    return f"{stack.name}, {stack.status}"


def ready_service(target: Target) -> EcsService | None:
    """The service, or None if it is yet to be created.

    Raises ToolError if it is being deleted or has no cluster.
    """
    names = target.settings.names
    try:
        service = read_service(target.aws, names)
    except AwsError as error:
        if error.aws_code == "ClusterNotFoundException":
            region = target.settings.service.region
            raise NO_CLUSTER(cluster=names.cluster, region=region) from None
        raise
    if service and service.is_draining:
        raise SERVICE_DRAINING(service=names.service)
    return service


def check_service(target: Target) -> str:
    """The service, which must accept infra/service.json."""
    service, name = ready_service(target), target.settings.names.service
    if service is None:
        return "not created yet: the first deploy does it"
    found = documents.read(target.runtime.root, target.settings)
    documents.require_updatable(found.service, target.settings, service.answer)
    return f"{name}, {service.status}"


def check_image(target: Target) -> str:
    """Whether ECR has the image of the commit; a deploy builds it if not."""
    return find(target, target.repository.head()) or "not in ECR yet: the deploy builds it"


def check_alarms(target: Target) -> str:
    """The alarms that may end the deployment, which must exist."""
    document = documents.read(target.runtime.root, target.settings).service
    is_asked = target.settings.alarms.roll_back or deployment_alarms.configured(document)
    names = alarms.required(target, document, ready_service(target)) if is_asked else []
    return ", ".join(names) or "none ends the deployment"


def check_scan(target: Target) -> str:
    """The scan of an image that is in ECR, which must be within [deploy] max_severity."""
    commit, settings = target.repository.head(), target.settings
    if not settings.deploy.max_severity:
        return "no limit is set"
    digest = find(target, commit)
    if not digest:
        return "none yet: the image is not in ECR"
    platform = documents.read(target.runtime.root, settings).platform
    found = image_scan.read(target.aws, settings.names.repository, digest, platform)
    refused = None if found.is_awaited else image_scan.refusal(target, commit, digest, found)
    if refused and not runs(target, commit):
        raise refused
    return found.text


def runs(target: Target, commit: str) -> bool:
    """Whether the service is at a revision of the commit already."""
    service = ready_service(target)
    primary = service.primary if service else None
    if primary is None:
        return False
    return read_revision(target.aws, primary.task_definition).commit == commit


# In the order in which failures are corrected: on this machine first, then in AWS.
CHECKS: Sequence[Check] = (
    Check("repository", check_repository),
    Check("lock", check_lock, needs=["repository"]),
    Check("tree", check_tree, needs=["repository"]),
    Check("settings", check_settings),
    Check("documents", check_documents, needs=["settings"]),
    Check("docker", check_docker),
    Check("builder", check_builder, needs=["documents", "docker"]),
    Check("region", check_region, needs=["settings"]),
    Check("credentials", check_credentials, needs=["settings"]),
    Check("stack", check_stack, needs=["credentials"]),
    Check("service", check_service, needs=["documents", "credentials"]),
    Check("alarms", check_alarms, needs=["service"]),
    Check("image", check_image, needs=["repository", "credentials"]),
    Check("scan", check_scan, needs=["image", "documents"]),
    Check("registry", check_registry, needs=["docker", "credentials"]),
)


@dataclass(frozen=True)
class Finding:
    """The result of a check."""

    check: Check
    found: str = ""
    error: ToolError | None = None
    waits_for: str = ""  # the failed check because of which this one was skipped


def run_checks(target: Target, report: Callable[[Finding], None]) -> list[Finding]:
    """Make every check, reporting each as soon as it is done."""
    findings: list[Finding] = []
    for check in CHECKS:
        failed = {finding.check.name for finding in findings if finding.error or finding.waits_for}
        if first := next((name for name in check.needs if name in failed), ""):
            finding = Finding(check, waits_for=first)
        else:
            try:
                finding = Finding(check, found=check.run(target))
            except ToolError as error:
                finding = Finding(check, error=error)
        findings.append(finding)
        report(finding)
    return findings
