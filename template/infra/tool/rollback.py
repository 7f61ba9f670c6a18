"""Roll back: point the service at an earlier revision, and watch that as a deploy does."""

import re
from collections.abc import Sequence

from infra.tool import (
    checks,
    deployment,
    deployment_alarms,
    github_run,
    history,
    image,
    revision,
    scaling,
    service_request,
    smoke,
)
from infra.tool.aws_errors import AwsError
from infra.tool.deploy import Step, announce, in_progress, require_tasks, watch_to_the_end
from infra.tool.deployment import Started
from infra.tool.ecs_service import EcsService, as_service
from infra.tool.errors import ExitCode, Problem
from infra.tool.lookup import read_stack
from infra.tool.revision import Revision
from infra.tool.settings import Settings
from infra.tool.target import COMMAND, Target

NOT_A_REVISION = Problem(
    "revision-name",
    'expects a revision of {family}, got "{text}"',
    "name its number, for example 41",
)
NO_SERVICE = Problem(
    "nothing-deployed",
    "the service {service} does not exist, so there is nothing to roll back",
    "deploy first: git push origin main",
)
NO_EARLIER = Problem(
    "no-earlier-revision",
    "ECS lists no revision before {present} that was in steady state (it keeps 90 days of history)",
    "name a revision (rollback REVISION), or revert the commit on main and deploy",
)
ALREADY_THERE = Problem(
    "revision-present",
    "the service already runs {revision}, but is not in steady state ({state})",
    "name an earlier revision, for example: rollback 41",
)
NO_URL = Problem(
    "url-unknown",
    "the rollback is complete, but its URL is not known: {why}",
    "check the service (uv run --frozen -m infra status), then {again}",
    ExitCode.UNKNOWN,
)
NOT_USABLE = Problem(
    "revision-unusable",
    "cannot roll back to {revision}: {why}",
    "name another revision, or revert the commit on main and deploy",
)


def rollback(target: Target, named: str = "") -> None:
    """Bring an earlier revision to steady state. Raises ToolError.

    `named` is N or FAMILY:N; without it, the latest revision before the present one that was in
    steady state.
    """
    settings = target.settings
    number = parse(named, settings)
    checks.check_credentials(target)
    service = checks.ready_service(target)
    if service is None or service.primary is None:
        raise NO_SERVICE(service=settings.names.service)
    present = history.number_of(service.primary.task_definition, settings.names.family)
    target.fact("present", f"{service.primary.revision}, {service.primary.state}")
    number = number or choose(target, service, present)
    target.command = f"rollback {number}"
    schedules = schedules_of_count(target, service)
    step = next_step(service, is_present=number == present, may_want_none=bool(schedules))
    chosen = find(target, number)
    target.fact("commit", chosen.commit or "unknown")
    before = deployment.started(service)
    if step is Step.DEPLOY:
        github_run.require_first_attempt(target.runtime.environment, chosen.name)
        require_usable(target, chosen)
        before = start(target, chosen, service, schedules)
    target.fact("revision", chosen.name)
    announce(target, step)
    if step is not Step.NOTHING:
        watch_to_the_end(target, before, chosen, NOT_USABLE.remedy)
    require_tasks(target, chosen, service.desired, schedules)
    target.fact("url", look_at_url(target, chosen))
    target.done(f"{settings.service.name} is in steady state as {chosen.name}")
    target.runtime.console.say(
        "The next deploy brings main back: revert the bad commit there first "
        "(git revert, or git revert -m 1 for a merge commit)."
    )


def parse(named: str, settings: Settings) -> int:
    """The number of a revision of this family; 0 if none is named. Raises ToolError."""
    if not named:
        return 0
    family = settings.names.family
    found = re.fullmatch(rf"({re.escape(family)}:)?([1-9][0-9]{{0,8}})", named)
    if not found:
        raise NOT_A_REVISION(family=family, text=named)
    return int(found[2])


def choose(target: Target, service: EcsService, present: int) -> int:
    names = target.settings.names
    steady = history.steady_revisions(target.aws, names)
    number = history.revision_to_go_back_to(steady, present, service, names.family)
    if not number:
        raise NO_EARLIER(present=f"{names.family}:{present}")
    return number


def find(target: Target, number: int) -> Revision:
    name = f"{target.settings.names.family}:{number}"
    try:
        return revision.read_revision(target.aws, name)
    except AwsError as error:
        # DescribeTaskDefinition has no other ClientException for a well-formed name.
        if error.aws_code == "ClientException":
            raise NOT_USABLE(revision=name, why="it does not exist") from None
        raise


def require_usable(target: Target, chosen: Revision) -> None:
    """Raises ToolError unless the revision is active and its image is still in ECR."""
    settings = target.settings
    if chosen.status != "ACTIVE":
        raise NOT_USABLE(revision=chosen.name, why=f"it was deregistered ({chosen.status})")
    reference = chosen.container(settings.names.container).get("image", "")
    repository = f"{settings.service.registry}/{settings.names.repository}"
    if not reference.startswith((f"{repository}@", f"{repository}:")):
        raise NOT_USABLE(revision=chosen.name, why=f"its image is not in {repository}")
    if not image.exists(target, reference):
        why = "its image has expired (infra/ecr-lifecycle-policy.json keeps the latest ones)"
        raise NOT_USABLE(revision=chosen.name, why=why)


def schedules_of_count(target: Target, service: EcsService) -> Sequence[str]:
    """The schedules that may want fewer tasks than the minimum; not asked for if none does."""
    if service.desired >= target.settings.tasks.min:
        return []
    return scaling.schedules_of_bounds(target.aws, target.settings.names)


def next_step(service: EcsService, *, is_present: bool, may_want_none: bool) -> Step:
    """Raises ToolError if the service is at the revision already, and that failed or runs no
    task."""
    primary = service.primary
    if primary is None or not is_present:
        return Step.DEPLOY
    if primary.state == "IN_PROGRESS":
        return Step.WATCH
    runs = primary.running > 0 or (may_want_none and primary.desired == 0)
    if primary.state == "COMPLETED" and runs:
        return Step.NOTHING
    state = primary.state if primary.state != "COMPLETED" else "no task is running"
    raise ALREADY_THERE(revision=primary.revision, state=state)


def start(
    target: Target, chosen: Revision, service: EcsService, schedules: Sequence[str]
) -> Started:
    """Point the service at the revision. Nothing else of it changes but a count of zero, and alarms
    that could end the deployment: they are turned off until the next deploy."""
    settings, aws = target.settings, target.aws
    count = service_request.desired_count(
        settings, service.answer, schedule_owns_count=bool(schedules)
    )
    alarms_off = deployment_alarms.without_alarms(service.answer)
    target.runtime.console.say(f"Rolling back to {chosen.name}. {repeated(chosen)}")
    if alarms_off:
        target.fact("alarms", "none ends this deployment; the next deploy turns them on again")
    with target.while_it_continues(
        f"Whether ECS rolls back to {chosen.name} is unknown.", then=in_progress(chosen.name)
    ):
        answer = aws.ecs.update_service(
            cluster=settings.names.cluster,
            service=settings.names.service,
            taskDefinition=chosen.arn,
            **count,
            **alarms_off,
        )
        return deployment.started(as_service(answer["service"]))


def repeated(chosen: Revision) -> str:
    """How to repeat a rollback: without the number, the next one goes further back."""
    return f"To run exactly this again: {COMMAND} rollback {chosen.number}"


def look_at_url(target: Target, chosen: Revision) -> str:
    """The stack may be in the middle of a change: a rollback does not wait for it."""
    try:
        stack = read_stack(target.aws, target.settings.names.stack)
    except AwsError as error:
        raise NO_URL(why=error.message, again=target.again) from None
    if stack is None or not stack.url:
        why = f"the stack {target.settings.names.stack} has no output Url"
        raise NO_URL(why=why, again=target.again)
    return smoke.require(target, stack, chosen.commit)
