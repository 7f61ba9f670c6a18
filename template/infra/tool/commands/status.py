"""`infra status`."""

from typing import Annotated

import typer

from infra.tool import checks
from infra.tool.errors import ExitCode, Problem
from infra.tool.status import read_status
from infra.tool.status_report import print_status, report_of
from infra.tool.target import Target

NOT_HEALTHY = Problem("not-healthy", "{name} is not healthy: {problems}", "{next}", ExitCode.FAILED)


def status(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, for programs.")
    ] = False,
) -> None:
    """Show what runs now and what to do next. Changes nothing.

    \b
    Exit codes:
      0    the service is healthy
      1    the service is not healthy: the last line says what to do
      2    AWS could not be read: the message says what to do
      130  stopped by Ctrl-C
      143  stopped by SIGTERM
    """
    target: Target = context.obj
    runtime = target.runtime
    checks.check_credentials(target)
    now = runtime.clock.now()
    found = read_status(target.settings, target.aws, runtime.fetch, now)
    report = report_of(found)
    if as_json:
        runtime.console.say(report.model_dump_json(indent=2))
    else:
        print_status(runtime.console, found, now)
    if not report.healthy:
        raise NOT_HEALTHY(name=report.name, problems="; ".join(report.problems), next=report.next)
