"""Everything that a provision reads before it changes anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.tool import checks, documents, quotas
from infra.tool.api_model import Json
from infra.tool.errors import Problem
from infra.tool.provision import (
    access_logs,
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
    keys,
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
    web_acl,
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
    f"finish the deletion first: {COMMAND} destroy",
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


@dataclass(frozen=True)
class Files:
    """The documents of a service that provision reads."""

    task_definition: Json
    service: Json
    lifecycle: Json
    template: str


def read(target: Target) -> Survey:
    """Check and read everything, local things first. Raises ToolError."""
    settings, files = target.settings, read_files(target)
    checks.check_credentials(target)
    stack = read_stack(target)
    had = stack.parameters if stack else {}
    wanted = read_grants(target, files.task_definition)
    lost.require_existing(target, stack)
    fixed.require_importable(target, had)
    now = running.read(target) if had else Running()
    dns = read_names(target, had)
    where = read_network(target, had, routes.needs(files.task_definition, wanted))
    choices = Choices(
        vpc=where.choice.vpc,
        subnets=tuple(where.choice.subnets),
        dns=dns,
        had=had,
        egress=read_egress(target, stack, now),
        subject=read_subject(target, had),
        grants=wanted | kept_grants(target, now, had, wanted),
    )
    sent, live = parameters(settings, choices), policies.read(target)
    uses = Limits(now.subnets, now.public_ip, now.execute_command)
    kept = limits.kept(uses, had, live.limits)
    allowed = limits.asked(settings, sent, files.service) | kept
    policies.require(target, [*sizes(files.template, sent, settings)])
    policies.require_short(target, allowed, live)
    check_named(target, sent, had)
    return Survey(
        stack=stack,
        template=files.template,
        parameters=sent,
        trust=trust.read(target),
        live=live,
        limits=allowed,
        missing=roles.read(target),
        user=deploy_user.read(target),
        lifecycle=files.lifecycle,
        cost=cost_of(settings, files.task_definition, zones=len(where.choice.subnets)),
        running=now,
    )


def check_named(target: Target, sent: Mapping[str, str], had: Mapping[str, str]) -> None:
    """Raises ToolError if the stack could not use a resource that a setting names."""
    folder, _, name = policies.DEPLOY.partition("/")
    boundary.check(target, sent, documents.parse(target.runtime.root, name, folder=folder))
    keys.check(target, sent, had)
    access_logs.check(target, had)
    web_acl.check(target, had)


def read_files(target: Target) -> Files:
    """Raises ToolError if one is missing or wrong."""
    root = target.runtime.root
    task_definition = read_task_definition(target)
    service = documents.parse(root, "service.json")
    policies.require_documents(target)
    lifecycle = documents.parse(root, policies.LIFECYCLE.removeprefix("infra/"))
    return Files(task_definition, service, lifecycle, template_of(target))


def read_stack(target: Target) -> StackState | None:
    """The stack, if it can be changed to what the settings say. Raises ToolError."""
    stack, service = state.read(target), target.settings.service
    lost.require_names(target, stack)
    target.fact("service", f"{service.name}, in {service.region} of account {service.account}")
    require_changeable(target, stack)
    fixed.require_same(target.settings, stack.parameters if stack else {})
    role_arns.require(target)
    return stack


def read_grants(target: Target, task_definition: Json) -> Grants:
    """The grants that the documents and the settings ask for. Raises ToolError."""
    settings = target.settings
    if wrong := [
        *grant_shapes.complaints(task_definition, settings),
        *arns.complaints(arns.models(settings)),
    ]:
        raise ARNS(complaints="; ".join(wrong), again=target.again)
    return grants.grants(task_definition, settings)


def read_egress(target: Target, stack: StackState | None, now: Running) -> Mapping[str, str]:
    """The parameters of the stack for [security] egress_cidrs. Raises ToolError."""
    had, outputs = (stack.parameters, stack.outputs) if stack else ({}, {})
    found = egress.choose(target, had, outputs, now.security_groups)
    if found.limits:
        target.fact("egress", f"tasks of the next deploy may reach {', '.join(found.entries)}")
    return found.parameters()


def read_subject(target: Target, had: Mapping[str, str]) -> str:
    """The subject that the deploy role is to trust. Raises ToolError."""
    found = subject.read(target, had)
    target.fact("subject", f"{found.text} ({found.source})")
    environment.check(target, found.text)
    return found.text


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


def cost_of(settings: Settings, task_definition: Json, *, zones: int) -> Cost:
    """The cost of a month; an internal load balancer has no public address in its zones."""
    return cost.cost(
        task_definition,
        tasks=settings.tasks.min,
        zones=0 if settings.network.internal else zones,
        public_ip=settings.tasks.public_ip,
        notes=cost.notes(settings),
        options=[*cost.options(settings)],
    )


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
