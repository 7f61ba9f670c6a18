"""`infra provision`."""

from typing import Annotated

import typer

from infra.tool.provision import plan as provision_plan
from infra.tool.provision import provision as provisioning
from infra.tool.provision import survey
from infra.tool.target import Target


def provision(
    context: typer.Context,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would change.")] = False,
) -> None:
    """Create or update the infrastructure of the service.

    It needs the permissions of an administrator. It applies infra/stack.yml with a change set,
    creates GitHub's identity provider and the service-linked roles if the account lacks them, and
    applies infra/ecr-lifecycle-policy.json and ops/iam-policy-github-actions.json. A second run
    changes only what differs.

    \b
    Exit codes:
      0    AWS matches the settings; --plan: the plan was made
      1    AWS refused a request after changes had begun, or the stack failed:
           the message names the first failure
      2    not ready: nothing was changed in AWS
      3    outcome unknown: CloudFormation may still be working, but it took
           too long or its responses were lost
      130  stopped by Ctrl-C: an operation that has begun continues in AWS
      143  stopped by SIGTERM, likewise
    """
    target: Target = context.obj
    target.needs_administrator = True
    if plan:
        provision_plan.print_plan(target, survey.read(target))
    else:
        provisioning.provision(target)
