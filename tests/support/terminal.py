"""A terminal of 80 columns, and the text on its screen."""

from io import StringIO

import pyte
import pytest

COLUMNS, LINES = 80, 60


class TerminalOutput(StringIO):
    """A stream to write to, and the screen that shows it."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        """The lines of the screen, without those below the last one that is used."""
        display = pyte.Screen(COLUMNS, LINES)
        display.set_mode(pyte.modes.LNM)  # as a tty does: a line feed begins a line
        stream = pyte.Stream(display)
        stream.feed(self.getvalue())
        return "\n".join(line.rstrip() for line in display.display).rstrip().splitlines()


def set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment variables that rich reads."""
    for name, value in (("TERM", "xterm-256color"), ("COLUMNS", COLUMNS), ("LINES", LINES)):
        monkeypatch.setenv(name, str(value))
    for name in "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE":
        monkeypatch.delenv(name, raising=False)
