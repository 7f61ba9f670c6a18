"""Deploy a commit: image, revision, deployment, scaling, and a request to the URL."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from infra.tool import (
    alarms,
    checks,
    deployment,
    deployment_alarms,
    documents,
    github,
    github_run,
    image,
    image_scan,
    outcome,
    revision,
    scaling,
    service_request,
    service_tags,
    smoke,
    watch,
)
from infra.tool.api_model import Json
from infra.tool.deployment import Started
from infra.tool.documents import Documents
from infra.tool.ecs_service import EcsService, as_service
from infra.tool.errors import ExitCode, Problem
from infra.tool.revision import Revision
from infra.tool.stack import Stack
from infra.tool.target import Target

NO_TASKS = Problem(
    "no-tasks",
    "{revision} is deployed, but the schedule {schedules} runs no tasks now, so it is not tested",
    "after the schedule has started tasks, {again}",
    ExitCode.UNKNOWN,
)
REMEDY = "correct what the lines above show, commit, and deploy that"


@dataclass(frozen=True)
class Plan:
    """Everything that a deployment of one commit depends on."""

    commit: str
    documents: Documents
    stack: Stack
    service: EcsService | None  # None: the deploy creates it
    request: Json  # what CreateService and UpdateService share
    document: str  # hash of all of it, the tag of the revision
    schedules: Sequence[str]  # scheduled actions that own the bounds and a count of zero
    alarms: Sequence[str]  # names of those that may end the deployment, by [alarms] roll_back


class Step(Enum):
    """The remaining work for a commit."""

    DEPLOY = "deploy"
    WATCH = "watch"  # its deployment is in progress
    NOTHING = "nothing"  # it is in steady state


def deploy(target: Target) -> None:
    """Bring the commit to steady state, or find it there. Raises ToolError."""
    began = target.runtime.clock.now()
    plan = prepare(target)
    target.fact("commit", plan.commit)
    present = present_revision(target, plan)
    step = next_step(plan, present)
    if step is Step.DEPLOY or present is None:
        retagging = service_tags.read(target, plan.documents.service, plan.service, present)
        present = register(target, plan)
        service_tags.apply(target, plan.service, retagging)
        if target.settings.alarms.roll_back:
            alarms.announce(target, plan.alarms)
        before = start(target, plan, present)
    else:
        assert plan.service is not None
        before = deployment.started(plan.service)
    target.fact("revision", present.name)
    announce(target, step)
    if step is not Step.NOTHING:
        watch_to_the_end(target, before, present, REMEDY)
    image.keep(target, plan.commit)
    apply_scaling(target, plan)
    wanted = plan.service.desired if plan.service else target.settings.tasks.min
    require_tasks(target, present, wanted, plan.schedules)
    target.fact("url", smoke.require(target, plan.stack, plan.commit))
    github.write_output(target.runtime.environment, "url", plan.stack.url)
    target.fact("took", f"{round((target.runtime.clock.now() - began).total_seconds())} s")
    name = target.settings.service.name
    target.done(f"{name} {plan.commit[:7]} is in steady state as {present.name}: {plan.stack.url}")


def prepare(target: Target) -> Plan:
    """Check everything that can be known before the first change, and plan it. Raises ToolError."""
    settings = target.settings
    commit = target.repository.head()
    target.repository.require_lock()
    target.repository.require_clean()
    github_run.require_newest(target.runtime.environment, commit)
    found = documents.read(target.runtime.root, settings)
    checks.check_credentials(target)
    stack = checks.ready_stack(target)
    service = checks.ready_service(target)
    if service:
        documents.require_updatable(found.service, settings, service.answer)
    request = service_request.common_request(found.service, found.task_definition, settings, stack)
    depends_on = deployment_alarms.with_alarms(request, settings)
    return Plan(
        commit=commit,
        documents=found,
        stack=stack,
        service=service,
        request=request,
        document=revision.document_hash(depends_on, found, settings),
        schedules=scaling.schedules_of_bounds(target.aws, settings.names, found.autoscaling)
        if service
        else [],
        alarms=alarms.required(target, found.service, service),
    )


def present_revision(target: Target, plan: Plan) -> Revision | None:
    """The revision that the service is at, or on its way to."""
    primary = plan.service.primary if plan.service else None
    return revision.read_revision(target.aws, primary.task_definition) if primary else None


def next_step(plan: Plan, present: Revision | None) -> Step:
    """A deployment of an equal commit and equal documents is not repeated, unless it failed or runs
    no task."""
    primary = plan.service.primary if plan.service else None
    if primary is None or present is None:
        return Step.DEPLOY
    if (present.commit, present.document) != (plan.commit, plan.document):
        return Step.DEPLOY
    if primary.state == "IN_PROGRESS":
        return Step.WATCH
    runs = primary.running > 0 or (plan.schedules and primary.desired == 0)
    return Step.NOTHING if primary.state == "COMPLETED" and runs else Step.DEPLOY


def register(target: Target, plan: Plan) -> Revision:
    """The image of the commit, in ECR, and a new revision with it, if the findings of its scan are
    within the limit."""
    reference = image.provide(target, plan.commit, plan.documents)
    target.fact("image", reference)
    digest = reference.partition("@")[2]
    image_scan.require(target, plan.commit, digest, plan.documents.platform)
    task_definition = plan.documents.task_definition
    return revision.register(
        target.aws,
        revision.register_request(task_definition, reference, plan.commit, plan.document),
    )


def start(target: Target, plan: Plan, new: Revision) -> Started:
    """Create the service, or point it at the revision."""
    settings, ecs = target.settings, target.aws.ecs
    with target.while_it_continues(
        f"Whether ECS has started to deploy {new.name} is unknown.", then=in_progress(new.name)
    ):
        if plan.service is None:
            request = service_request.create_request(plan.request, new.arn, settings)
            return deployment.started(as_service(ecs.create_service(**request)["service"]))
        request = service_request.update_request(
            plan.request,
            new.arn,
            settings,
            plan.service.answer,
            schedule_owns_count=bool(plan.schedules),
        )
        return deployment.started(as_service(ecs.update_service(**request)["service"]))


def announce(target: Target, step: Step) -> None:
    """Say why nothing is deployed, if nothing is."""
    if step is Step.WATCH:
        target.runtime.console.say("Its deployment is in progress already: watching it.")
    if step is Step.NOTHING:
        target.runtime.console.say("It is in steady state already: nothing is deployed.")


def in_progress(revision: str) -> str:
    """The note on what continues in AWS if the watch of a deployment stops."""
    return f"The deployment of {revision} continues in ECS."


def watch_to_the_end(target: Target, before: Started, deployed: Revision, remedy: str) -> None:
    """Watch a deployment. Raises ToolError unless it ends in steady state."""
    target.fact("deployment", before.id)
    with target.while_it_continues(in_progress(before.revision)):
        ended = watch.watch(target, before)
    outcome.require_steady(target, before, ended, deployed, remedy)


def apply_scaling(target: Target, plan: Plan) -> None:
    label = plan.stack.outputs["ScalingResourceLabel"]
    autoscaling = plan.documents.autoscaling
    done = scaling.apply(target, autoscaling, label, plan.schedules)
    if done.schedules:
        names = ", ".join(done.schedules)
        target.fact("scaling", f"the bounds are those of the schedule {names}: left alone")
    for name in done.deleted:
        target.runtime.console.say(
            f"Deleted the scaling policy {name}, which infra/autoscaling.json does not name."
        )
    for name in done.deleted_schedules:
        target.runtime.console.say(
            f"Deleted the scheduled action {name}, which infra/autoscaling.json does not name."
        )


def require_tasks(
    target: Target, deployed: Revision, wanted: int, schedules: Sequence[str]
) -> None:
    """Raises ToolError if a schedule wants no task: then nothing shows that the revision works."""
    if schedules and wanted == 0:
        names = ", ".join(schedules)
        raise NO_TASKS(revision=deployed.name, schedules=names, again=target.again)
