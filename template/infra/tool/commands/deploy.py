"""`infra deploy`."""

from typing import Annotated

import typer

from infra.tool import deploy as deploying
from infra.tool import deploy_plan
from infra.tool.target import Target


def deploy(
    context: typer.Context,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would change.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --plan: print one JSON object.")
    ] = False,
) -> None:
    """Build, push and roll out this commit.

    The command ends when the deployment has reached steady state or has failed. If ECR already has
    an image with the tag of this commit, that image is used without inspecting it. Scaling policies
    that infra/autoscaling.json does not name are deleted. A second run changes nothing if this
    commit is in steady state, and keeps watching while its deployment is in progress.

    \b
    Exit codes:
      0    this commit is in steady state, and the URL answers with it;
           --plan: the plan was made
      1    the deployment failed, was rolled back or replaced by a later one,
           the URL answers with another commit, or AWS refused a request
           after changes had begun
      2    not ready: nothing was changed in AWS. If the scan of the image is
           the reason, the image is in ECR, but the service was not changed
      3    outcome unknown: it took too long, responses were lost, or the URL
           cannot be reached from here. Run it again to keep watching
      130  stopped by Ctrl-C: a deployment that has begun continues in ECS
      143  stopped by SIGTERM, likewise
    """
    target: Target = context.obj
    if as_json and not plan:
        raise typer.BadParameter("--json works only with --plan")
    if not plan:
        deploying.deploy(target)
        return
    found = deploy_plan.plan(target)
    if as_json:
        target.runtime.console.say(found.model_dump_json(indent=2))
    else:
        deploy_plan.print_plan(target.runtime.console, found)
