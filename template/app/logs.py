"""What gunicorn, uvicorn, the app and its libraries say: one JSON document per line, on stdout.

Log with the standard library; `extra` becomes fields of the line:

    logging.getLogger(__name__).info("estimated", extra={"words": 12})
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
import time
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What any record holds: the rest came as `extra`. color_message is uvicorn's, for terminals.
ORDINARY = {*vars(logging.makeLogRecord({})), "asctime", "color_message", "message", "taskName"}

# json.dumps would make an encoder for every line. NaN is refused, because it is not JSON.
encode = json.JSONEncoder(default=str, allow_nan=False, separators=(",", ":")).encode

# Bytes that a pipe takes at once, unmixed with what other processes write, on Linux, where this
# runs. select.PIPE_BUF is 512 on macOS and missing on Windows.
PIPE_BUF = 4096

trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)


def timestamp(seconds: float) -> str:
    when = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return when.replace("+00:00", "Z")


class JSONFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": timestamp(record.created),
            "level": record.levelname,
            "logger": record.name,
        }
        try:
            return encode(line | self.details(record) | line)  # an extra replaces none of the above
        except Exception:  # a bad log call costs neither its line nor the request that made it
            line["message"] = f"{record.pathname}:{record.lineno} logs what cannot be written"
            line["exception"] = traceback.format_exc()
            return encode(line)

    def details(self, record: logging.LogRecord) -> dict[str, Any]:
        details: dict[str, Any] = {"message": record.getMessage().rstrip()}
        if trace := trace_id.get():
            details["trace_id"] = trace
        if record.exc_info:
            details["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            details["stack"] = record.stack_info
        for name, value in vars(record).items():
            if name not in ORDINARY:
                details.setdefault(name, value)
        return details


# For gunicorn's logconfig_dict. The uvicorn worker gives uvicorn the handlers of gunicorn.error;
# gunicorn.access has none, which turns off both access logs: RequestLog writes a better one.
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JSONFormatter}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "json",
        }
    },
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {"gunicorn.error": {"handlers": ["stdout"], "propagate": False}},
}


def capture() -> None:
    """Turn into log lines what Python and its libraries would print to stderr."""
    logging.captureWarnings(True)
    threading.excepthook = sys.unraisablehook = uncaught
    sys.stderr = Stderr(sys.stderr)
    logging.raiseExceptions = False  # where even stdout fails, stderr must not lead back here


def uncaught(args: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
    if args.exc_type is not SystemExit:
        logging.getLogger("python").error("uncaught exception", exc_info=args.exc_value)


class Stderr(io.TextIOBase):
    def __init__(self, original: TextIO) -> None:
        self.original = original

    def write(self, text: str) -> int:
        if message := text.strip():
            logging.getLogger("stderr").error(message)
        return len(text)

    def fileno(self) -> int:  # for who hands it to a child process
        return self.original.fileno()


class RequestLog:
    """ASGI middleware: one line for each request, but none for a health check that went well.

    It writes without `logging`, and the lines of one turn of the event loop at once: a record
    costs as much as the line itself, and a write, which wakes whoever reads, more than both.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.lines: list[str] = []
        self.size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        header = dict(scope["headers"]).get(b"x-amzn-trace-id")
        trace = header and header.decode("latin-1")
        trace_id.set(trace)  # for every line of this request's task
        begin = time.perf_counter()
        status = 500  # what the server answers when the app raises before it answers

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            if scope["path"] != "/health" or status != 200:
                line = {
                    "time": timestamp(time.time()),
                    "level": "INFO",
                    "logger": "app.requests",
                    "message": "request",
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "duration_ms": round((time.perf_counter() - begin) * 1000, 1),
                    "client": scope["client"][0] if scope.get("client") else None,
                }
                if trace:
                    line["trace_id"] = trace
                self.write(encode(line) + "\n")

    def write(self, line: str) -> None:
        if self.size + len(line) > PIPE_BUF:
            self.flush()
        if not self.lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self.lines.append(line)
        self.size += len(line)

    def flush(self) -> None:
        if self.lines:
            sys.stdout.write("".join(self.lines))
            sys.stdout.flush()
            self.lines, self.size = [], 0
