"""A program in a terminal of 80 columns and 24 rows, and the text on its screen."""

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte

COLUMNS, ROWS = 80, 24


class ProgramScreen(pyte.Screen):
    """The screen of a running program."""

    def __init__(self, controller: int) -> None:
        super().__init__(COLUMNS, ROWS)
        self._controller = controller
        self._stream = pyte.ByteStream(self)

    def write_process_input(self, data: str) -> None:
        """Answer the program's questions, such as where the cursor is."""
        self.type(data)

    def type(self, keys: str) -> None:
        os.write(self._controller, keys.encode())

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.display)

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """The screen, as soon as `text` is on it. Fails with the screen if it does not appear."""
        deadline = time.monotonic() + seconds
        while text not in self.text():
            ready, _, _ = select.select([self._controller], [], [], deadline - time.monotonic())
            try:
                output = os.read(self._controller, 65536) if ready else b""
            except OSError:  # Linux reports the end of a terminal as EIO
                output = b""
            assert output, f"{text!r} is not on the screen:\n{self.text()}"
            self._stream.feed(output)
        return self.text()


@contextmanager
def terminal(command: Sequence[str | Path], cwd: Path) -> Iterator[ProgramScreen]:
    """Run a command in a terminal. It is killed if it is still running at the end of the block."""
    controller, program = os.openpty()
    fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in "COLUMNS", "LINES":
        environment.pop(name, None)
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=program,
        stdout=program,
        stderr=program,
        start_new_session=True,
    ) as running:
        os.close(program)
        try:
            yield ProgramScreen(controller)
        finally:
            running.kill()
            os.close(controller)
