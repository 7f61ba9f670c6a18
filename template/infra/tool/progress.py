"""How a wait looks: a live table on a terminal, plain lines elsewhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.live import Live
from rich.table import Table
from rich.text import Text

from infra.tool.console import Console

HEARTBEAT = 30  # seconds, after which a line is printed even if nothing is new


@dataclass(frozen=True)
class View:
    """One look at what is waited for."""

    title: str
    seconds: int  # since the wait began
    phase: str
    rows: Sequence[tuple[str, str]] = ()  # more about the present state, for the live table
    news: Sequence[tuple[str, str]] = ()  # kind and text, each shown once


class Progress(Protocol):
    def show(self, view: View) -> None: ...

    def warn(self, text: str) -> None: ...


@dataclass
class PlainProgress:
    """A line when something is new, and at least every 30 seconds."""

    console: Console
    _phase: str = ""
    _printed: int = field(default=-HEARTBEAT)

    def show(self, view: View) -> None:
        for kind, text in view.news:  # no workflow command: those begin their line
            self.console.say(f"  {kind:9}{text}")
        is_new = bool(view.news) or view.phase != self._phase
        if is_new or view.seconds - self._printed >= HEARTBEAT:
            self.console.say(f"  {view.seconds} s: {view.phase}")
            self._phase, self._printed = view.phase, view.seconds

    def warn(self, text: str) -> None:
        self.console.warn(f"  {text}")


@dataclass
class LiveProgress:
    """A table that is redrawn; what is new scrolls by above it."""

    live: Live

    def show(self, view: View) -> None:
        for kind, text in view.news:
            self.live.console.print(Text(f"{kind:9}{text}"))
        table = Table.grid(padding=(0, 2))
        table.add_row(Text(view.title, "bold"), Text(f"{view.seconds} s"))
        for name, value in view.rows:
            table.add_row(Text(f"  {name}"), Text(value))
        table.add_row(Text("  now"), Text(view.phase))
        self.live.update(table, refresh=True)

    def warn(self, text: str) -> None:
        self.live.console.print(Text(text, "yellow"))


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """A live table on a terminal, plain lines otherwise."""
    if not console.is_terminal:
        yield PlainProgress(console)
        return
    with console.live() as live:
        yield LiveProgress(live)
