"""`provision --plan`: prints the changes that a provision would make."""

from infra.tool import documents, tags
from infra.tool.provision import (
    change,
    change_set,
    deploy_user,
    judgement,
    limits,
    policies,
    roles,
    statements,
    take_over,
    trust,
)
from infra.tool.provision.change import Change
from infra.tool.provision.change_set import ChangeSet
from infra.tool.provision.parameters import (
    changed_grants,
    changed_settings,
    reached_from,
)
from infra.tool.provision.survey import Survey
from infra.tool.target import COMMAND, Target
from infra.tool.text import counted, one_line

ITEM_WIDTH = 17  # characters: the longest common member of a statement, its sign and a blank
WIDTH = 18  # characters: the longest word of change.Action, and a blank


def print_plan(target: Target, survey: Survey) -> None:
    """Print everything that would be created, changed and applied. Raises ToolError."""
    stack, console = survey.stack, target.runtime.console
    if stack and stack.creation_failed:
        target.fact(
            "stack",
            f"{stack.name}: its creation failed ({stack.status}), so it would be deleted and "
            "created again. Until then, CloudFormation cannot show a change set",
        )
    else:
        with change_set.planned(target, stack, survey.template, survey.parameters) as planned:
            print_changes(target, survey, planned)
            for each in planned.changes:
                console.say(line(each))
            judgement.require_good(target, survey, planned)
    roles.print_plan(target, survey.missing)
    target.fact("documents", f"to apply: {policies.LIFECYCLE}, {policies.DEPLOY}")
    print_policy(target, survey)
    deploy_user.print_plan(target, survey.user)
    target.fact("costs", str(survey.cost))
    target.done(f"Nothing was changed. To do it: {COMMAND} provision")


def print_changes(target: Target, survey: Survey, planned: ChangeSet) -> None:
    """Print the changes of the stack, the trust, the allowed clients, the settings, the grants and
    the limits."""
    target.fact("stack", f"{planned.stack}: {change.summary(planned.changes)}")
    subject, issuer = survey.parameters["GitHubSubject"], target.settings.github.issuer
    for text in trust.changes(survey.trust, issuer, subject):
        target.fact("trust", one_line(text))
    had, wanted = reached_from(survey.had), reached_from(survey.parameters)
    if survey.had and had != wanted:
        target.fact("open to", f"{had} -> {wanted}")
    for text in changed_settings(survey.had, survey.parameters):
        target.fact("settings", text)
    for text in changed_grants(survey.had, survey.parameters):
        target.fact("grants", text)
    for text in limits.changed(survey.live.limits, survey.limits):
        target.fact("limits", text)
    settings, lifecycle = target.settings, survey.lifecycle
    for text in tags.changes(survey.stack.tags if survey.stack else {}, settings.tags):
        target.fact("tags", one_line(text))
    for name, value in take_over.consequences(planned.changes, settings, lifecycle):
        target.fact(name, value)


def print_policy(target: Target, survey: Survey) -> None:
    """Print the differences between the policy of the deploy role and the document."""
    if survey.live.deploy is None:
        return
    folder, _, name = policies.DEPLOY.partition("/")
    wanted = documents.parse(target.runtime.root, name, folder=folder)
    found = [*statements.changes(survey.live.deploy, wanted)]
    if not found:
        return
    target.fact("policy", f"to change: {counted(len(found), 'statement')} of the deploy role")
    for each in found:
        target.runtime.console.say(f"  {each.sign} {one_line(each.sid) or '(no Sid)'}")
        for sign, items in (("-", each.removed), ("+", each.added)):
            for member, value in items:
                target.runtime.console.fact(f"    {sign} {member}", one_line(value), ITEM_WIDTH)


def line(change: Change) -> str:
    names = ", ".join(change.causes or change.changed)
    about = f": {names}" if names else ""
    return f"  {change.action:{WIDTH}}{change.resource} ({change.type}){about}"
