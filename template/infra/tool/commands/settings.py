"""`infra settings`, for workflows."""

from typing import Annotated

import typer

from infra.tool import github, github_token, workflow_settings
from infra.tool.target import Target
from infra.tool.text import one_line


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
