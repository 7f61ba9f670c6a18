"""`infra rollback`."""

from typing import Annotated

import typer

from infra.tool import rollback as going_back


def rollback(
    context: typer.Context,
    revision: Annotated[
        str, typer.Argument(metavar="[REVISION]", help="Number of the revision, for example 41.")
    ] = "",
) -> None:
    """Roll back to an earlier revision.

    By default, this is the last revision before the present one that was in steady state. Nothing
    is built or registered, and the settings of the service and the scaling stay the same. The next
    deploy brings main back: revert the bad commit there, too.

    \b
    Exit codes:
      0    the revision is in steady state, and the URL answers with its commit
      1    the deployment failed, was rolled back or replaced by a later one,
           or the URL answers with another commit
      2    not ready, or nothing to roll back to: nothing was changed in AWS
      3    outcome unknown: it took too long, responses were lost, or the URL
           cannot be reached from here. Run it again to keep watching
      130  stopped by Ctrl-C: a deployment that has begun continues in ECS
      143  stopped by SIGTERM, likewise
    """
    going_back.rollback(context.obj, revision)
