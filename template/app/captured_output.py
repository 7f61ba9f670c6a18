"""Printed text, warnings and uncaught exceptions, as lines of the log."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
import time
from contextlib import suppress
from typing import Any, TextIO

from app.logs import Line, encode, new_line, write

COLOUR = re.compile(r"\x1b\[[\d;]*m")
LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b", re.IGNORECASE)


def capture_streams() -> None:
    """Make lines of the log from everything that Python code writes to stdout and stderr."""
    logging.captureWarnings(True)
    threading.excepthook = sys.unraisablehook = log_uncaught
    sys.stdout = CapturedStream(sys.__stdout__, "stdout", "INFO")
    sys.stderr = CapturedStream(sys.__stderr__, "stderr", "ERROR")


def log_uncaught(args: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
    if args.exc_type is not SystemExit:
        logging.getLogger("python").error("uncaught exception", exc_info=args.exc_value)


class CapturedStream(io.TextIOBase):
    """A stream that writes its text to the log past `logging`.

    So a handler that the app gives to this stream cannot cause another record, without end. A
    handler writes a record at once, which is one line here, of however many lines it consists.
    `print` writes a line in pieces, and a traceback comes line by line: each thread gathers its
    own until the line ends, or the traceback.
    """

    encoding = "utf-8"

    def __init__(self, original: TextIO | None, name: str, level: str) -> None:
        self.original, self.name, self.level = original, name, level
        self.thread = threading.local()

    def write(self, text: str) -> int:
        self.thread.text = gathered = getattr(self.thread, "text", "") + text
        last = gathered[:-1].rpartition("\n")[2]
        in_traceback = gathered.startswith("Traceback (most") and last.startswith(
            (" ", "Traceback (most")
        )
        if (gathered.endswith("\n") and not in_traceback) or len(gathered) > 2**16:
            self.flush()
        return len(text)

    def flush(self) -> None:
        gathered, self.thread.text = getattr(self.thread, "text", ""), ""
        if text := COLOUR.sub("", gathered).strip():
            write(self.line(text))

    def line(self, text: str) -> str:
        """Make a JSON object's members fields of the line: loguru and structlog can print some."""
        if text.startswith("{"):
            with suppress(ValueError, RecursionError):
                fields = json.loads(text)
                return self.format(text, {"message": fields.get("event", "")} | fields)
        return self.format(text, {"message": text})

    def format(self, text: str, fields: Line) -> str:
        """The level is the one that the fields or the text name: handlers print it, too."""
        beginning = text.partition("\n")[0][:100]
        named = LEVEL.fullmatch(str(fields.get("level"))) or LEVEL.search(beginning)
        line = new_line(time.time(), named[0].upper() if named else self.level, self.name)
        return encode(line | fields | line)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:  # for child processes that get this stream
        return self.original.fileno() if self.original else super().fileno()

    def __getattr__(self, name: str) -> Any:  # for what a text stream may lack, such as buffer
        return getattr(self.original, name)
