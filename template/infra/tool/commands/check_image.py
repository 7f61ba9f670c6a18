"""`infra test-image`, for workflows and before a push."""

from typing import Annotated

import typer

from infra.tool import documents, image, image_check
from infra.tool.target import Target


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
