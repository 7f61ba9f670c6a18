"""`infra destroy`."""

from typing import Annotated

import typer

from infra.tool.provision import destroy as destroying
from infra.tool.target import Target


def destroy(
    context: typer.Context,
    purge: Annotated[bool, typer.Option("--purge", help="Delete images and log, too.")] = False,
) -> None:
    """Delete the service and its stack.

    \b
    It asks you to type the name of the app. Images and log are kept unless
    --purge is given. Revisions, the identity provider, service-linked roles,
    the deploy user and its keys are always kept. It needs an administrator's
    permissions. A second run deletes what is left.

    \b
    Exit codes:
      0    everything is deleted, except what the output names as kept
      1    AWS refused a request after changes had begun, or the stack could not
           be deleted: the message names the resource that prevents it
      2    not ready, or another name was typed: nothing was changed in AWS
      3    outcome unknown: it took too long, or responses were lost. Run it again
      130  stopped by Ctrl-C: a deletion that has begun continues in AWS
      143  stopped by SIGTERM, likewise
    """
    target: Target = context.obj
    target.needs_administrator = True
    destroying.destroy(target, purge=purge)
