"""`infra logs`."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from infra.tool import checks, log
from infra.tool.console import Console
from infra.tool.target import Target

LONGEST = timedelta(days=3653)  # the longest retention of a log group, apart from "never expire"


def logs(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for new lines.")] = False,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="How far back: 90s, 10m, 2h or 1d.")
    ] = "10m",
) -> None:
    """Print the log, one line for each record.

    \b
    Exit codes:
      0    all lines were printed
      2    the log could not be read: the message says what to do
      130  stopped by Ctrl-C, which is how --follow ends
      143  stopped by SIGTERM
    """
    target: Target = context.obj
    span = duration(since)
    runtime, group = target.runtime, target.settings.names.log_group
    checks.check_credentials(target)
    start = runtime.clock.now() - span
    if not follow:
        for page in log.pages(target.aws, group, start):
            print_lines(runtime.console, page)
        return
    pause = target.settings.deploy.poll_seconds
    for news in log.follow(target.aws, group, start, runtime.clock, pause):
        if isinstance(news, str):
            runtime.console.warn(news)
        else:
            print_lines(runtime.console, news)


def duration(text: str) -> timedelta:
    """A time span such as 90s, 10m, 2h or 1d."""
    found = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    if not found:
        raise typer.BadParameter(
            f'expects a number with s, m, h or d, got "{text}": for example 10m'
        )
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[found[2]]
    span = timedelta(**{unit: int(found[1])})
    if span > LONGEST:
        raise typer.BadParameter(f'expects {LONGEST.days}d or less, got "{text}": for example 10m')
    return span


def print_lines(console: Console, lines: Sequence[log.Line]) -> None:
    if lines:
        with console.quoted():
            for line in lines:
                console.say(line.message)
