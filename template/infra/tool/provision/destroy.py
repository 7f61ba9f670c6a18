"""Takes the service down: the ECS service first, then the stack, the irreversible last."""

from infra.tool import checks
from infra.tool.aws_errors import tolerating
from infra.tool.errors import ExitCode, Problem
from infra.tool.provision import deploy_user, lost, policies, service_tasks, state
from infra.tool.provision.deletion import delete_stack
from infra.tool.provision.protections import require_deletable
from infra.tool.target import COMMAND, Target

NOT_CONFIRMED = Problem(
    "not-confirmed",
    'expected the name of the app, got "{typed}": nothing was changed',
    "if you want to delete it, type {name}: {again}",
    ExitCode.NOT_READY,
)


def destroy(target: Target, *, purge: bool) -> None:
    """Delete everything but images and log, with `purge` these too, after the name of the app was
    typed. Raises ToolError."""
    checks.check_credentials(target)
    stack = state.read(target)
    lost.require_names(target, stack)
    require_deletable(target, stack, purge=purge)
    confirm(target, purge=purge)
    names = target.settings.names
    service_tasks.delete_service(target)
    target.fact("service", f"gone: {names.service}")
    deploy_user.remove(target)
    # CloudFormation cannot delete a role with policies that are not of the stack.
    for name in policies.NAMES:
        with tolerating("NoSuchEntity"):
            target.aws.iam.delete_role_policy(RoleName=names.deploy_role, PolicyName=name)
    if stack:
        delete_stack(target, stack)
    target.fact("stack", f"gone: {names.stack}")
    if purge:
        delete_images_and_log(target)
    print_kept(target, purge=purge)
    target.done(f"{target.settings.service.name} is deleted.")


def confirm(target: Target, *, purge: bool) -> None:
    """Say what goes and what stays. Raises ToolError unless the name of the app is typed."""
    settings, say = target.settings, target.runtime.console.say
    names, name = settings.names, settings.service.name
    target.fact(
        "service", f"{name}, in {settings.service.region} of account {settings.service.account}"
    )
    say(f"This deletes the ECS service {names.service} and the stack {names.stack}.")
    if purge:
        say(
            f"It also deletes all images in {names.repository} and the whole log {names.log_group}."
        )
    else:
        say(f"It keeps the images in {names.repository} and the log {names.log_group}.")
    typed = target.runtime.ask(f"To continue, type the name of the app ({name}): ").strip()
    if typed != name:
        raise NOT_CONFIRMED(typed=typed, name=name, again=target.again)


def delete_images_and_log(target: Target) -> None:
    aws, names = target.aws, target.settings.names
    with tolerating("RepositoryNotFoundException"):
        aws.ecr.delete_repository(repositoryName=names.repository, force=True)
    target.fact("images", f"gone: {names.repository}")
    with tolerating("ResourceNotFoundException"):
        aws.logs.delete_log_group(logGroupName=names.log_group)
    target.fact("log", f"gone: {names.log_group}")


def print_kept(target: Target, *, purge: bool) -> None:
    settings, say = target.settings, target.runtime.console.say
    names = settings.names
    if not purge:
        say(
            f"Kept: the images in {names.repository} and the log {names.log_group}. The next "
            f"provision imports them; {COMMAND} destroy --purge deletes them."
        )
    say(f"Kept: the revisions of the task definition {names.family}, which cost nothing.")
    say(
        f"Kept: the identity provider {settings.github.issuer} and the service-linked roles, which "
        "other services of this account may use."
    )
