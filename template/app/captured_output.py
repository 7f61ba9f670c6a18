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

TRACEBACK = "Traceback (most recent call last)"
COLOUR = re.compile(r"\x1b\[[\d;]*m")
LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b", re.IGNORECASE)


def capture_streams() -> None:
    """Write to the log what Python code prints to stdout and stderr, one line per record."""
    logging.captureWarnings(True)
    threading.excepthook = sys.unraisablehook = log_uncaught
    sys.stdout = CapturedStream(sys.__stdout__, "stdout", "INFO")
    sys.stderr = CapturedStream(sys.__stderr__, "stderr", "ERROR")


def log_uncaught(args: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
    if args.exc_type is not SystemExit:
        logging.getLogger("python").error("uncaught exception", exc_info=args.exc_value)


class CapturedStream(io.TextIOBase):
    """A stream that writes its text to the log without `logging`.

    With `logging`, a handler that writes to this stream would cause an endless loop of records. A
    handler writes a whole record in one call, which becomes one line here, even if the record has
    several lines. `print` writes a line in pieces, and a traceback is written line by line, so each
    thread collects its text until the line or the traceback ends.
    """

    encoding = "utf-8"

    def __init__(self, original: TextIO | None, name: str, level: str) -> None:
        self.original, self.name, self.level = original, name, level
        self.thread = threading.local()

    def write(self, text: str) -> int:
        self.thread.text = gathered = getattr(self.thread, "text", "") + text
        last = gathered[:-1].rpartition("\n")[2]
        in_traceback = gathered.startswith(TRACEBACK) and last.startswith((" ", TRACEBACK))
        if (gathered.endswith("\n") and not in_traceback) or len(gathered) > 2**16:
            self.flush()
        return len(text)

    def flush(self) -> None:
        gathered, self.thread.text = getattr(self.thread, "text", ""), ""
        if text := COLOUR.sub("", gathered).strip():
            write(f"{self.line(text)}\n")

    def line(self, text: str) -> str:
        """The members of a JSON object become fields: structlog and loguru can print objects."""
        if text.startswith("{"):
            with suppress(ValueError, RecursionError):
                fields = json.loads(text)
                message = fields.get("event") or fields.get("text") or ""  # structlog, loguru
                return self.encode(text, {"message": message} | fields)
        return self.encode(text, {"message": text})

    def encode(self, text: str, fields: Line) -> str:
        """The level is that of the fields or of the text, because most handlers write it there."""
        beginning = text.partition("\n")[0][:100]
        named = LEVEL.fullmatch(str(fields.get("level"))) or LEVEL.search(beginning)
        level = named[0].upper() if named else "ERROR" if TRACEBACK in text else self.level
        line = new_line(time.time(), level, self.name)
        return encode(line | fields | line)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:  # for child processes that get this stream
        return self.original.fileno() if self.original else super().fileno()

    def __getattr__(self, name: str) -> Any:  # for what a text stream may lack, such as buffer
        return getattr(self.original, name)
