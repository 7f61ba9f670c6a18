"""`infra check`."""

import typer

from infra.tool import checks
from infra.tool.checks import Finding
from infra.tool.errors import Problem
from infra.tool.target import Target

CHECK_FAILED = Problem(
    "check-failed",
    "not ready to deploy: {failed}",
    "correct each line marked NO, then run the command again",
)
CHECK_WIDTH = 17  # characters, for the results and names of checks


def check(context: typer.Context) -> None:
    """Check everything that a deploy needs, one line each. Changes nothing.

    \b
    Exit codes:
      0    ready to deploy
      2    at least one check failed: its line says what to do
      130  stopped by Ctrl-C
      143  stopped by SIGTERM
    """
    target: Target = context.obj
    console = target.runtime.console

    def print_finding(finding: Finding) -> None:
        name = finding.check.name
        if finding.error:
            text = f"{finding.error.message}. To fix it: {finding.error.remedy}"
            console.fact(f"NO  {name}", text, CHECK_WIDTH)
        elif finding.waits_for:
            text = f"skipped until {finding.waits_for} passes"
            console.fact(f"--  {name}", text, CHECK_WIDTH)
        else:
            console.fact(f"ok  {name}", finding.found, CHECK_WIDTH)

    findings = checks.run_checks(target, print_finding)
    if failed := [finding.check.name for finding in findings if finding.error]:
        raise CHECK_FAILED(failed=", ".join(failed))
