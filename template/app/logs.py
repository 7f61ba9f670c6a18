"""The log on stdout, one JSON document per line: its format and its configuration.

Log with the standard library; `extra` becomes fields of the line:

    logging.getLogger(__name__).info("estimated", extra={"words": 12})

request_log.py adds a line for each request, captured_output.py one for everything that is printed.
"""

from __future__ import annotations

import json
import logging
import logging.config
import sys
import time
import traceback
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

Line = dict[str, Any]

# The attributes of every record: all others are `extra`. color_message is uvicorn's, for terminals.
ORDINARY = {*vars(logging.makeLogRecord({})), "asctime", "color_message", "message", "taskName"}

# json.dumps makes an encoder for each call, which takes 0.8 of 4.8 µs. NaN is not JSON.
as_json = json.JSONEncoder(default=str, allow_nan=False, separators=(",", ":")).encode

trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)


def new_line(seconds: float, level: str, logger: str) -> Line:
    """The fields that every line begins with."""
    line = {"time": timestamp(seconds), "level": level, "logger": logger}
    if trace := trace_id.get():
        line["trace_id"] = trace
    return line


def timestamp(seconds: float) -> str:
    second, millisecond = divmod(int(seconds * 1000), 1000)
    return f"{up_to_second(second)}.{millisecond:03}Z"


@lru_cache(maxsize=1)  # 3 of 115 µs less for each request on a busy server than datetime.isoformat
def up_to_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def encode(line: Line) -> str:
    """The line as JSON, or as text on a terminal, where a traceback has several lines."""
    if sys.__stdout__ and sys.__stdout__.isatty():
        return as_text(line)
    return as_json(line)


def as_text(line: Line) -> str:
    named = dict(line)
    when, level, logger, message = (
        named.pop(name, "") for name in ("time", "level", "logger", "message")
    )
    blocks = [str(named.pop(name)) for name in ("exception", "stack") if name in named]
    fields = [f"{name}={as_json(value)}" for name, value in named.items()]
    first = " ".join([when[11:23], f"{level:8}", logger, str(message), *fields])
    return "\n".join([first, *blocks])


def write(text: str) -> None:
    """Write to the stdout of the process, not to sys.stdout, which capture_streams() replaces."""
    if sys.__stdout__:
        with suppress(OSError, ValueError):  # full or closed: no request fails for its line
            sys.__stdout__.write(text)
            sys.__stdout__.flush()


class LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = new_line(record.created, record.levelname, record.name)
        try:
            return encode(line | self.details(record) | line)  # extra replaces no standard field
        except Exception:  # a value that JSON cannot encode must not lose the line or the request
            line["message"] = f"{record.pathname}:{record.lineno} logs what cannot be written"
            line["exception"] = traceback.format_exc()
            return encode(line)

    def details(self, record: logging.LogRecord) -> Line:
        details: Line = {"message": record.getMessage().rstrip()}
        if record.exc_info:
            details["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            details["stack"] = record.stack_info
        for name, value in vars(record).items():
            if name not in ORDINARY:
                details.setdefault(name, value)
        return details


class StdoutHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        write(f"{self.format(record)}\n")


SERVER = {"handlers": ["stdout"], "propagate": False}

# gunicorn gets it from gunicorn.conf.py as well, because it logs before it runs any hook.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": LineFormatter}},
    "handlers": {"stdout": {"()": StdoutHandler, "formatter": "line"}},
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {"gunicorn.error": SERVER, "uvicorn": SERVER, "uvicorn.error": SERVER},
}

# Loggers of exceptions that the app does not catch.
PERMANENT = "asyncio", "gunicorn.error", "py.warnings", "python", "uvicorn.error"


class PermanentLogger(logging.Logger):
    """A logger that stays enabled: by default dictConfig and fileConfig disable existing ones."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != "disabled":
            super().__setattr__(name, value)


def is_no_request(record: logging.LogRecord) -> bool:
    """Reject the records of uvicorn, and of the package websockets, for each request.

    request_log.py writes these lines, without the query string.
    """
    of_websocket = Path(record.pathname).parent.name == "websockets"
    return record.name != "uvicorn.access" and not (of_websocket and record.levelname == "INFO")


def configure_logging() -> None:
    """Configure logging for any server: both gunicorn.conf.py and app/main.py call it.

    The app may configure it differently after that. The filters and the permanent loggers stay.
    """
    logging.config.dictConfig(LOGGING)
    for name in PERMANENT:
        logging.getLogger(name).__class__ = PermanentLogger
    for name in "uvicorn.access", "uvicorn.error":
        logging.getLogger(name).addFilter(is_no_request)
