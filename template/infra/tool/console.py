"""Output: facts, progress and errors, for a terminal, a pipe or a workflow's log."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console as Screen
from rich.live import Live
from rich.table import Table
from rich.text import Text

from infra.tool.errors import ToolError
from infra.tool.text import one_line

LABEL_WIDTH = 12  # characters, for the names of facts


class Console:
    """Facts and progress go to `out`, warnings and errors to `err`.

    Colour and wrapped lines appear only on a terminal. GITHUB_ACTIONS in the environment makes an
    error an annotation of the run.
    """

    def __init__(self, environment: Mapping[str, str], out: TextIO, err: TextIO) -> None:
        self.in_github = environment.get("GITHUB_ACTIONS") == "true"
        self._out, self._err = (
            Screen(
                file=file,
                force_terminal=file.isatty(),
                no_color=bool(environment.get("NO_COLOR")),
                highlight=False,
                markup=False,
                emoji=False,
            )
            for file in (out, err)
        )

    def say(self, text: str) -> None:
        self._out.print(Text(text), soft_wrap=True)

    def fact(self, name: str, value: str, width: int = LABEL_WIDTH) -> None:
        """A name and a value; on a terminal, long values are wrapped beside the name."""
        if not self._out.is_terminal:
            self.say(f"{name:{width - 1}} {value}")
            return
        row = Table.grid()
        row.add_column(width=width)
        row.add_column(overflow="fold")
        row.add_row(Text(name), Text(value))
        self._out.print(row)

    def warn(self, text: str) -> None:
        self._err.print(Text(text), soft_wrap=True)

    def error(self, error: ToolError) -> None:
        """Print the message, then the remedy; in a workflow both are one annotation."""
        if self.in_github:
            text = escaped(f"{error.message}\nTo fix it: {error.remedy}")
            file = f"file={error.file}," if error.file else ""
            self.warn(f"::error {file}title={error.code}::{text}")
        else:
            self._err.print(
                Text.assemble(("error", "bold red"), f"[{error.code}]: {error.message}"),
                soft_wrap=True,
            )
            self._err.print(
                Text.assemble(("to fix it", "bold"), f": {error.remedy}"), soft_wrap=True
            )

    @property
    def is_terminal(self) -> bool:
        """Whether lines can be redrawn."""
        return self._out.is_terminal and not self._out.is_dumb_terminal

    def live(self) -> Live:
        """A region of the terminal that is redrawn when it is updated."""
        return Live(console=self._out, auto_refresh=False)

    @contextmanager
    def quoted(self) -> Iterator[None]:
        """Meanwhile a workflow's runner obeys no command in what is printed."""
        token = secrets.token_hex(16)
        if self.in_github:
            self.say(f"::stop-commands::{token}")
        try:
            yield
        finally:
            if self.in_github:
                self.say(f"::{token}::")

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Output of another program: a workflow's log folds it, and obeys no command in it."""
        self.say(f"::group::{one_line(title)}" if self.in_github else title)
        try:
            with self.quoted():
                yield
        finally:
            if self.in_github:
                self.say("::endgroup::")


def escaped(text: str) -> str:
    """The text of a workflow command, on one line."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
