"""Everything that a provision reads before it changes anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.tool import checks, documents, quotas
from infra.tool.api_model import Json
from infra.tool.errors import Problem
from infra.tool.provision import (
    arns,
    boundary,
    change,
    cost,
    deploy_user,
    egress,
    egress_reach,
    environment,
    fixed,
    grant_shapes,
    grants,
    limits,
    lost,
    network,
    policies,
    reachability,
    role_arns,
    role_sizes,
    roles,
    routes,
    running,
    state,
    subject,
    trust,
    zone,
)
from infra.tool.provision.cost import Cost
from infra.tool.provision.deploy_user import UserPlan
from infra.tool.provision.grants import Grants
from infra.tool.provision.limits import Limits
from infra.tool.provision.network import Network
from infra.tool.provision.parameters import Choices, granted, parameters
from infra.tool.provision.policies import Live
from infra.tool.provision.roles import Missing
from infra.tool.provision.routes import Needs
from infra.tool.provision.running import Running
from infra.tool.provision.stack_state import StackState
from infra.tool.provision.trust import Trust
from infra.tool.provision.zone_records import Names
from infra.tool.settings import Settings
from infra.tool.target import COMMAND, Target

NO_TEMPLATE = Problem(
    "template-missing",
    "infra/stack.yml cannot be read: {why}",
    "restore it from git: git restore infra/stack.yml",
)
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
    template: str  # infra/stack.yml
    parameters: Mapping[str, str]  # that the stack is to have
    missing: Missing
    user: UserPlan
    trust: Trust  # of the deploy role as it is
    live: Live
    limits: Limits  # that deploys are to have
    lifecycle: Json  # infra/ecr-lifecycle-policy.json
    cost: Cost
    running: Running

    @property
    def had(self) -> Mapping[str, str]:
        """The parameters that the stack has; empty if it never came up."""
        return self.stack.parameters if self.stack else {}


def read(target: Target) -> Survey:
    """Check and read everything, local things first. Raises ToolError."""
    settings = target.settings
    task_definition = read_task_definition(target)
    service_document = documents.parse(target.runtime.root, "service.json")
    policies.require_documents(target)
    template = template_of(target)
    checks.check_credentials(target)
    stack = state.read(target)
    lost.require_names(target, stack)
    service = settings.service
    target.fact("service", f"{service.name}, in {service.region} of account {service.account}")
    require_changeable(target, stack)
    had = stack.parameters if stack else {}
    fixed.require_same(settings, had)
    role_arns.require(target)
    wanted = grants.grants(task_definition, settings)
    if wrong := [
        *grant_shapes.complaints(task_definition, settings),
        *arns.complaints(arns.models(settings)),
    ]:
        raise ARNS(complaints="; ".join(wrong), again=target.again)
    lost.require_existing(target, stack)
    fixed.require_importable(target, had)
    now = running.read(target) if had else Running()
    dns = read_names(target, had)
    where = read_network(target, had, routes.needs(task_definition, wanted))
    outputs = stack.outputs if stack else {}
    limited = egress.choose(target, had, outputs, now.security_groups)
    if limited.limits:
        target.fact("egress", f"tasks of the next deploy may reach {', '.join(limited.entries)}")
    trusted = subject.read(target, had)
    target.fact("subject", f"{trusted.text} ({trusted.source})")
    environment.check(target, trusted.text)
    choices = Choices(
        grants=wanted | kept_grants(target, now, had, wanted),
        subject=trusted.text,
        vpc=where.choice.vpc,
        subnets=tuple(where.choice.subnets),
        dns=dns,
        had=had,
        egress=limited.parameters(),
    )
    sent, live = parameters(settings, choices), policies.read(target)
    uses = Limits(now.subnets, now.public_ip, now.execute_command)
    kept = limits.kept(uses, had, live.limits)
    allowed = limits.asked(settings, sent, service_document) | kept
    policies.require(target, [*sizes(template, sent, settings)])
    policies.require_short(target, allowed, live)
    boundary.check(target, sent)
    return Survey(
        stack=stack,
        template=template,
        parameters=sent,
        trust=trust.read(target),
        live=live,
        limits=allowed,
        missing=roles.read(target),
        user=deploy_user.read(target),
        lifecycle=documents.parse(target.runtime.root, policies.LIFECYCLE.removeprefix("infra/")),
        cost=cost.cost(
            task_definition,
            tasks=settings.tasks.min,
            zones=0 if settings.network.internal else len(where.choice.subnets),
            public_ip=settings.tasks.public_ip,
            notes=cost.notes(settings),
            options=[*cost.options(settings)],
        ),
        running=now,
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


def read_network(target: Target, had: Mapping[str, str], needs: Needs) -> Network:
    """The network, once its routes are checked. Raises ToolError."""
    found = network.read(target, had)
    for name, value in network.describe(found, target.settings):
        target.fact(name, value)
    reachability.check(target, found, needs)
    egress_reach.check(target, found, needs)
    return found


def read_names(target: Target, had: Mapping[str, str]) -> Names:
    """The zones that the stack is to use for the domain name. Raises ToolError."""
    found = zone.read(target, had)
    for note in found.notes:
        target.fact("dns", note)
    return found


def template_of(target: Target) -> str:
    """infra/stack.yml. Raises ToolError if it cannot be read."""
    try:
        return (target.runtime.root / "infra" / "stack.yml").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise NO_TEMPLATE(why=error) from None


def sizes(template: str, sent: Mapping[str, str], settings: Settings) -> Iterator[str]:
    """Complaints about the stack that AWS would only have once it is asked for."""
    text = change.with_issuer(change.with_names(template, settings.names), settings.github.issuer)
    yield from quotas.TEMPLATE.complaint("infra/stack.yml", len(text.encode()))
    yield from quotas.about_parameters(sent)
    yield from role_sizes.complaints(sent, settings.github.issuer)


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


def kept_grants(target: Target, now: Running, had: Mapping[str, str], wanted: Grants) -> Grants:
    """The present grants that running revisions need, so that provisioning and deploying can come
    in any order. The deploy role can write revisions, so a revision adds no grant."""
    kept, has = Grants(), granted(had)
    for name, task_definition in now.task_definitions.items():
        found = grants.grants(task_definition, target.settings)
        kept |= found & has
        for grant in sorted(found - has - wanted, key=lambda grant: grant.arn):
            target.runtime.console.warn(
                f"{name} names the {grant.kind.word} {grant.arn}, which the stack does not grant. "
                "It is not granted now either: only infra/task-definition.json can ask for that."
            )
    return kept
