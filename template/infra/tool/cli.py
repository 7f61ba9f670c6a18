"""How a command ends. Only this module ends the process: errors and signals become exit codes."""

import io
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer

from infra.tool import github
from infra.tool.aws import Aws, shared_session
from infra.tool.aws_errors import AwsError, Kind
from infra.tool.clock import SystemClock
from infra.tool.commands.app import app
from infra.tool.console import Console
from infra.tool.errors import ExitCode, Problem, ToolError
from infra.tool.health import addresses, fetch
from infra.tool.runtime import Runtime
from infra.tool.target import COMMAND, Target

USAGE = Problem("usage", "{problem}", "{help}", ExitCode.NOT_READY)
UNEXPECTED = Problem(
    "unexpected",
    "an unexpected error ended the command: {error}",
    "report it with the file {file}, which says where it happened",
    ExitCode.FAILED,
)

TITLES = {
    ExitCode.FAILED: "Failed",
    ExitCode.NOT_READY: "Not ready, nothing was changed",
    ExitCode.UNKNOWN: "Outcome unknown",
    ExitCode.INTERRUPTED: "Stopped by Ctrl-C or by cancelling the run",
    ExitCode.TERMINATED: "Stopped by SIGTERM or by cancelling the run",
}


class Terminated(BaseException):
    """SIGTERM."""


def run(words: Sequence[str], runtime: Runtime) -> int:
    """Run a command to its end. Returns its exit code, and raises only SystemExit."""
    given = [word for word in words if word] or ["--help"]
    target = Target(runtime, command=" ".join(given))
    code = ExitCode.DONE
    try:
        # Typer turns a KeyboardInterrupt into its exit code, and returns that.
        if app(args=given, prog_name=COMMAND, standalone_mode=False, obj=target) == 130:
            code = stop(target, ExitCode.INTERRUPTED)
    except ToolError as error:
        code = end(target, error)
    except typer.TyperException as error:
        code = end(target, USAGE(problem=error.format_message().rstrip("."), help=help_of(error)))
    except (KeyboardInterrupt, typer.Abort):
        code = stop(target, ExitCode.INTERRUPTED)
    except Terminated:
        code = stop(target, ExitCode.TERMINATED)
    except Exception as error:
        unexpected = UNEXPECTED(error=repr(error), file=write_traceback())
        if target.has_changed_aws:
            unexpected.exit = ExitCode.UNKNOWN
        code = end(target, unexpected)
    if target.continuing:
        runtime.console.warn(f"{target.continuing} To find out, {target.again}")
    if target.title:
        github.write_summary(
            runtime.environment, target.title, target.next_step, target.facts, target.report
        )
    return code


def stop(target: Target, code: ExitCode) -> ExitCode:
    """Note a signal as the end of the command."""
    target.title = TITLES[code]
    if target.continuing:
        target.title += f". {target.continuing}"
        target.next_step = target.again
    return code


def end(target: Target, error: ToolError) -> ExitCode:
    """Print an error. Returns the exit code: 3 if something may continue in AWS."""
    code = error.exit or (ExitCode.FAILED if target.has_changed_aws else ExitCode.NOT_READY)
    if target.continuing:
        code = ExitCode.UNKNOWN
    if isinstance(error, AwsError):
        error.remedy = remedy_of(error, target)
    if isinstance(error, AwsError) and code is ExitCode.UNKNOWN:
        error.remedy = f"to find out, {target.again}"
    title = TITLES[code]
    if code is ExitCode.NOT_READY and target.has_changed_aws:
        title = "Not ready, the service was not changed"
    target.title, target.next_step = f"{title}: {error.message}", error.remedy
    target.runtime.console.error(error)
    return code


def remedy_of(error: AwsError, target: Target) -> str:
    """Who can allow what AWS has denied; for other errors, their own remedy."""
    if error.is_denied_above:
        return (
            f"have {error.operation} allowed by the permissions boundary ([security] "
            "permissions_boundary in infra/settings.toml) or the policy of the organisation that "
            f"AWS names, then {target.again}"
        )
    if error.kind is Kind.DENIED and target.needs_administrator:
        return f"sign in as an administrator of the account, then {target.again}"
    return error.remedy


def help_of(error: typer.TyperException) -> str:
    """The command whose help explains an error of usage."""
    context: typer.Context | None = getattr(error, "ctx", None)
    return f"{context.command_path if context else COMMAND} --help"


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


def ask(prompt: str) -> str:
    """A line that the user types; empty at the end of the input."""
    try:
        return input(prompt)
    except EOFError:
        sys.stdout.write("\n")
        return ""


def real_runtime() -> Runtime:
    """This machine, its clock, and the credentials of this shell."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # text from AWS may not fit a console's encoding
    return Runtime(
        root=Path(__file__).resolve().parents[2],
        environment=os.environ,
        console=Console(os.environ, sys.stdout, sys.stderr),
        clock=SystemClock(),
        connect=lambda region: Aws(shared_session(), region),
        fetch=fetch,
        ask=ask,
        resolve=addresses,
    )


def main(runtime: Runtime | None = None) -> NoReturn:
    """Run the command that this process was started with, in the service that holds this file."""
    signal.signal(signal.SIGTERM, terminate)
    sys.exit(run(sys.argv[1:], runtime or real_runtime()))
