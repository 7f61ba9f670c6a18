"""`infra explain-credentials`, for workflows."""

import typer

from infra.tool import github_token


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
