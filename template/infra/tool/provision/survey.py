"""Everything that a provision reads before it changes anything."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.tool import checks, documents
from infra.tool.api_model import Json
from infra.tool.errors import Problem
from infra.tool.provision import (
    arns,
    cost,
    deploy_user,
    lost,
    network,
    policies,
    roles,
    running,
    state,
    subject,
)
from infra.tool.provision.arns import Secrets
from infra.tool.provision.cost import Cost
from infra.tool.provision.deploy_user import UserPlan
from infra.tool.provision.parameters import Choices, granted, parameters
from infra.tool.provision.roles import Missing
from infra.tool.provision.running import Running
from infra.tool.provision.stack_state import StackState
from infra.tool.target import COMMAND, Target

ARNS = Problem(
    "arns-wrong",
    "{complaints}",
    "correct each of these ARNs, then {again}",
)
HALF_DELETED = Problem(
    "stack-half-deleted",
    "the stack {stack} is half deleted (DELETE_FAILED)",
    f"finish that first: {COMMAND} destroy",
)
STUCK = Problem(
    "stack-stuck",
    "the stack {stack} is stuck ({status})",
    "aws cloudformation continue-update-rollback --region {region} --stack-name {stack}; wait "
    "until that is done, then {again}",
)


@dataclass(frozen=True)
class Survey:
    stack: StackState | None
    parameters: Mapping[str, str]  # that the stack is to have
    missing: Missing
    user: UserPlan
    lifecycle: Json  # infra/ecr-lifecycle-policy.json
    cost: Cost

    @property
    def had(self) -> Mapping[str, str]:
        """The parameters that the stack has; empty if it never came up."""
        return self.stack.parameters if self.stack else {}


def read(target: Target) -> Survey:
    """Check and read everything, local things first. Raises ToolError."""
    settings = target.settings
    task_definition = read_task_definition(target)
    policies.require_documents(target)
    checks.check_credentials(target)
    stack = state.read(target)
    lost.require_names(target, stack)
    service = settings.service
    target.fact("service", f"{service.name}, in {service.region} of account {service.account}")
    require_changeable(target, stack)
    had = stack.parameters if stack else {}
    wanted = arns.secrets(task_definition, settings)
    if wrong := [*arns.complaints(wanted, arns.models(settings))]:
        raise ARNS(complaints="; ".join(wrong), again=target.again)
    lost.require_existing(target, stack)
    now = running.read(target) if had else Running()
    where = network.read(target, had, now.subnets)
    for name, value in network.describe(where, public_ip=settings.tasks.public_ip):
        target.fact(name, value)
    trusted = subject.read(target, had)
    target.fact("subject", f"{trusted.text} ({trusted.source})")
    return Survey(
        stack=stack,
        parameters=parameters(
            settings,
            Choices(
                secrets=wanted | kept_secrets(target, now, had, wanted),
                subject=trusted.text,
                vpc=where.choice.vpc,
                subnets=tuple(where.choice.subnets),
            ),
        ),
        missing=roles.read(target),
        user=deploy_user.read(target),
        lifecycle=documents.parse(target.runtime.root, policies.LIFECYCLE.removeprefix("infra/")),
        cost=cost.cost(
            task_definition,
            tasks=settings.tasks.min,
            subnets=len(where.choice.subnets),
            public_ip=settings.tasks.public_ip,
        ),
    )


def read_task_definition(target: Target) -> Json:
    """The document, of which secrets and sizes are read. Raises ToolError."""
    name = "task-definition.json"
    found = documents.parse(target.runtime.root, name)
    # Those of a shape come first: the others read what it must have.
    if wrong := [*documents.about_task_definition(found, target.settings)] or [
        *cost.complaints(found)
    ]:
        raise documents.WRONG(name=name, complaints="; ".join(wrong))
    return found


def require_changeable(target: Target, stack: StackState | None) -> None:
    """Raises ToolError if the stack is in a state that no change set can leave."""
    if stack is None:
        return
    if stack.is_changing:
        raise checks.STACK_CHANGING(stack=stack.name, status=stack.status)
    if stack.status == "DELETE_FAILED":
        raise HALF_DELETED(stack=stack.name)
    if stack.status.startswith("UPDATE_") and stack.status.endswith("_FAILED"):
        raise STUCK(
            stack=stack.name,
            status=stack.status,
            region=target.settings.service.region,
            again=target.again,
        )


def kept_secrets(target: Target, now: Running, had: Mapping[str, str], wanted: Secrets) -> Secrets:
    """Secrets of revisions that run stay readable, so that provisioning and deploying can come in
    any order. The deploy role writes revisions: so they add nothing to what the stack grants."""
    kept = Secrets()
    for name, task_definition in now.task_definitions.items():
        found = arns.secrets(task_definition, target.settings)
        kept |= found & granted(had)
        for arn in (found - granted(had) - wanted).all:
            target.runtime.console.warn(
                f"{name} names the secret {arn}, which the stack does not grant. It is not granted "
                "now either: only infra/task-definition.json can ask for that."
            )
    return kept
