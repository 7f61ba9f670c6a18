"""The commands. Only this module ends the process: errors and signals become exit codes here."""

import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from infra.tool import checks, log
from infra.tool.aws import Aws, AwsError, shared_session
from infra.tool.checks import Finding
from infra.tool.clock import SystemClock
from infra.tool.console import Console
from infra.tool.errors import ExitCode, Problem, ToolError
from infra.tool.health import fetch
from infra.tool.runtime import Runtime
from infra.tool.status import read_status
from infra.tool.status_report import print_status, report_of
from infra.tool.target import Target

USAGE = Problem("usage", "{problem}", "uv run --frozen -m infra --help", ExitCode.NOT_READY)
NOT_HEALTHY = Problem("not-healthy", "{name} is not healthy: {problems}", "{next}", ExitCode.FAILED)
CHECK_FAILED = Problem(
    "check-failed",
    "not ready to deploy: {failed}",
    "correct each line marked NO, then run the command again",
)
UNEXPECTED = Problem(
    "unexpected",
    "an unexpected error ended the command: {error}",
    "report it with the file {file}, which says where it happened",
)

app = typer.Typer(
    name="infra",
    help="Provision, deploy and watch this service on AWS.",
    epilog="COMMAND --help explains exit codes. Settings are in infra/settings.env.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Terminated(BaseException):
    """SIGTERM."""


@app.command()
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
      1    it is not: the last line says why
      2    AWS could not be asked: the message says what to do
      130  stopped by Ctrl-C
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


def duration(text: str) -> timedelta:
    """A time span such as 90s, 10m, 2h or 1d."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text)
    if not found:
        raise typer.BadParameter(
            f'expects a number with s, m, h or d, got "{text}": for example 10m'
        )
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[found[2]]
    return timedelta(**{unit: int(found[1])})


@app.command()
def logs(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for new lines.")] = False,
    since: Annotated[
        timedelta,
        typer.Option(parser=duration, metavar="TIME", help="How far back: 90s, 10m, 2h or 1d."),
    ] = "10m",  # type: ignore[assignment]
) -> None:
    """Print the log of the service: one line for each record, as the app wrote it.

    \b
    Exit codes:
      0    all lines were printed
      2    the log could not be read: the message says what to do
      130  stopped by Ctrl-C, which is how --follow ends
    """
    target: Target = context.obj
    runtime, group = target.runtime, target.settings.names.log_group
    checks.check_credentials(target)
    start = runtime.clock.now() - since
    if not follow:
        print_lines(runtime.console, log.read(target.aws, group, start))
        return
    pause = target.settings.deploy.poll_seconds
    for news in log.follow(target.aws, group, start, runtime.clock, pause):
        if isinstance(news, AwsError):
            runtime.console.warn(f"CloudWatch did not answer, trying again: {news.text}")
        else:
            print_lines(runtime.console, news)


def print_lines(console: Console, lines: Sequence[log.Line]) -> None:
    if lines:
        with console.quoted():
            for line in lines:
                console.say(line.message)


@app.command()
def check(context: typer.Context) -> None:
    """Check everything that a deploy needs, one line each. Changes nothing.

    \b
    Exit codes:
      0    ready to deploy
      2    at least one check failed: each says what to do
      130  stopped by Ctrl-C
    """
    target: Target = context.obj
    console = target.runtime.console

    def print_finding(finding: Finding) -> None:
        name = finding.check.name
        if finding.error:
            console.fact(f"NO  {name}", f"{finding.error.message}. {finding.error.remedy}")
        elif finding.skipped:
            console.fact(f"--  {name}", f"not checked: {finding.check.needs} comes first")
        else:
            console.fact(f"ok  {name}", finding.found)

    findings = checks.run_checks(target, print_finding)
    if failed := [finding.check.name for finding in findings if finding.error]:
        raise CHECK_FAILED(failed=", ".join(failed))


# --- how a command ends ---


def run(words: Sequence[str], runtime: Runtime) -> int:
    """Run a command to its end. Returns its exit code, and raises nothing but SystemExit."""
    target = Target(runtime)
    try:
        app(
            args=[word for word in words if word] or ["--help"],
            prog_name="uv run --frozen -m infra",
            standalone_mode=False,
            obj=target,
        )
    except ToolError as error:
        runtime.console.error(error)
        return error.exit or (ExitCode.FAILED if target.has_changed_aws else ExitCode.NOT_READY)
    except typer.TyperException as error:
        runtime.console.error(USAGE(problem=error.format_message().rstrip(".")))
        return ExitCode.NOT_READY
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except Terminated:
        return ExitCode.TERMINATED
    except Exception as error:
        runtime.console.error(UNEXPECTED(error=repr(error), file=write_traceback()))
        return ExitCode.UNKNOWN if target.has_changed_aws else ExitCode.FAILED
    return ExitCode.DONE


def write_traceback() -> str:
    """The traceback of the current exception, in a file that stays. Returns its path."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="infra-error-", suffix=".txt", encoding="utf-8", delete=False
    ) as file:
        file.write(traceback.format_exc())
    return file.name


def terminate(*_: object) -> NoReturn:
    """Handle SIGTERM."""
    raise Terminated


def main() -> NoReturn:
    """Run the command that this process was started with, in the service that holds this file."""
    signal.signal(signal.SIGTERM, terminate)
    runtime = Runtime(
        root=Path(__file__).resolve().parents[2],
        environment=os.environ,
        console=Console(os.environ, sys.stdout, sys.stderr),
        clock=SystemClock(),
        connect=lambda region: Aws(shared_session(), region),
        fetch=fetch,
    )
    sys.exit(run(sys.argv[1:], runtime))
