"""`provision`: the stack, and what it needs around it."""

from infra.tool import checks, console_page
from infra.tool.provision import (
    change_set,
    deploy_user,
    judgement,
    policies,
    roles,
    safeguards,
    state,
    survey,
    take_over,
)
from infra.tool.provision.deletion import delete_stack
from infra.tool.provision.plan import print_changes
from infra.tool.provision.survey import Survey
from infra.tool.target import COMMAND, Target


def provision(target: Target) -> None:
    """Create or update everything that a deploy needs. Raises ToolError."""
    found = survey.read(target)
    stack = found.stack
    if stack and stack.creation_failed:
        target.fact("stack", f"{stack.name}: its creation failed, so it is created again")
        delete_stack(target, stack)
        stack = None
    # A stack is protected only once it exists: see safeguards.at_first.
    parameters = found.parameters if found.had else safeguards.at_first(found.parameters)
    with change_set.planned(target, stack, found.template, parameters) as planned:
        print_changes(target, found, planned)
        judgement.require_good(target, found, planned)
        take_over.confirm(target, planned.changes)
        # The stack needs both, and nothing is created before its change set is valid.
        roles.create(target, found.missing)
        if not planned.is_empty:
            widen_limits(target, found)
            planned.execute()
    if parameters != found.parameters:
        complete(target, found)
    safeguards.apply(target, found.had)
    policies.apply(target, found.limits)
    deploy_user.apply(target, found.user, found.limits)
    print_result(target, found)


def complete(target: Target, found: Survey) -> None:
    """Add the resources that a stack gets after its creation."""
    with change_set.planned(
        target, state.read(target), found.template, found.parameters
    ) as planned:
        if not planned.is_empty:
            planned.execute()


def widen_limits(target: Target, found: Survey) -> None:
    """A deploy reads the network of the stack, so the new one is allowed before the stack has it,
    beside the old one."""
    before = found.live.limits
    if before is None or before | found.limits == before:
        return
    policies.put_limits(target, before | found.limits)
    if found.user.group_exists:
        deploy_user.put_limits(target, found.user, before | found.limits)


def print_result(target: Target, found: Survey) -> None:
    """Print the costs, the URL and the next step. Raises ToolError if no deploy could follow."""
    stack, domain = checks.ready_stack(target), target.settings.https.domain
    target.fact("costs", str(found.cost))
    target.fact("url", stack.url)
    if domain and found.parameters["RecordZoneId"]:
        target.fact("dns", f"{domain} leads to {stack.load_balancer_domain}")
    elif domain:
        target.fact("dns", f"{domain} must point (CNAME or alias) to {stack.load_balancer_domain}")
    if stack.dashboard:
        target.fact("dashboard", console_page.dashboard(target.settings.service, stack.dashboard))
    target.fact("next", "git push origin main, or bash infra/deploy-manual.sh")
    target.done(f"{target.settings.service.name} is provisioned. To see it: {COMMAND} status")
