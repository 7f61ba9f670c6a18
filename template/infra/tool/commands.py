"""The commands: their options, their help with exit codes, and what each calls."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from infra.tool import (
    checks,
    deploy_plan,
    documents,
    github,
    github_token,
    image,
    image_check,
    log,
    workflow_settings,
)
from infra.tool import deploy as deploying
from infra.tool import rollback as going_back
from infra.tool.checks import Finding
from infra.tool.console import Console
from infra.tool.errors import ExitCode, Problem
from infra.tool.provision import destroy as destroying
from infra.tool.provision import plan as provision_plan
from infra.tool.provision import provision as provisioning
from infra.tool.provision import survey
from infra.tool.status import read_status
from infra.tool.status_report import print_status, report_of
from infra.tool.target import Target
from infra.tool.text import one_line

NOT_HEALTHY = Problem("not-healthy", "{name} is not healthy: {problems}", "{next}", ExitCode.FAILED)
CHECK_FAILED = Problem(
    "check-failed",
    "not ready to deploy: {failed}",
    "correct each line marked NO, then run the command again",
)

LONGEST = timedelta(days=3653)  # the longest retention of a log group, apart from "never expire"
CHECK_WIDTH = 17  # characters, for the results and names of checks

app = typer.Typer(
    name="infra",
    help="Provision, deploy and watch this service on AWS.",
    epilog="COMMAND --help explains exit codes. Settings are in infra/settings.toml.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command("test-image")
def check_image(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Option("--image", metavar="NAME", help="Test this image instead of building one."),
    ] = "",
) -> None:
    """Build the image and test it as it will run.

    The container runs with every setting of its container definition that docker supports; the
    output lists the others. It gets no AWS credentials, and test values instead of its secrets.

    \b
    Exit codes:
      0    the container is healthy and /health returns this commit
      1    the test failed: the message says why
      2    not ready, or the image does not build: the message says what to do
      130  stopped by Ctrl-C: the container is removed
      143  stopped by SIGTERM, likewise
    """
    target: Target = context.obj
    commit = target.repository.head()
    found = documents.read(target.runtime.root, target.settings)
    image_check.check_image(target, found, name or image.build_here(target, commit, found), commit)


@app.command("settings")
def print_settings(
    context: typer.Context,
    as_outputs: Annotated[
        bool, typer.Option("--github", help="Also write them to the outputs of the workflow step.")
    ] = False,
) -> None:
    """Print the settings that the workflows need. Changes nothing.

    \b
    Exit codes:
      0    the settings were printed
      2    a setting or a JSON file is wrong: the message says which
      130  stopped by Ctrl-C
      143  stopped by SIGTERM
    """
    target: Target = context.obj
    environment, console = target.runtime.environment, target.runtime.console
    if as_outputs and not environment.get("GITHUB_OUTPUT"):
        raise github_token.NOT_IN_WORKFLOW()
    for name, value in workflow_settings.outputs(target.runtime.root, target.settings).items():
        console.fact(name, one_line(value))
        if as_outputs:
            github.write_output(environment, name, value)


@app.command("explain-credentials")
def explain_credentials(context: typer.Context) -> None:
    """Explain why AWS refused a workflow's credentials.

    Changes nothing.

    \b
    Exit codes:
      1    the message names the cause and what to do
      2    the cause is not known: the message names the likely ones
      130  stopped by Ctrl-C
      143  stopped by SIGTERM
    """
    raise github_token.cause(context.obj)
