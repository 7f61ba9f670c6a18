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
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
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
    second, millisecond = divmod(int(seconds * 1000), 1000)
    return f"{date(second)}.{millisecond:03}Z"


@lru_cache(maxsize=1)  # a busy server asks for the same second a thousand times
def date(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


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
            "stream": "ext://sys.__stdout__",  # the real one: capture() replaces sys.stdout
            "formatter": "json",
        }
    },
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {"gunicorn.error": {"handlers": ["stdout"], "propagate": False}},
}


def capture() -> None:
    """Turn into log lines what is printed, and what Python and its libraries say on stderr."""
    logging.captureWarnings(True)
    threading.excepthook = sys.unraisablehook = uncaught
    sys.stdout = Printed(sys.__stdout__, "stdout", logging.INFO)
    sys.stderr = Printed(sys.__stderr__, "stderr", logging.ERROR)
    logging.raiseExceptions = False  # where even stdout fails, stderr must not lead back here


def uncaught(args: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
    if args.exc_type is not SystemExit:
        logging.getLogger("python").error("uncaught exception", exc_info=args.exc_value)


class Printed(io.TextIOBase):
    """A stream of which each line becomes a log line.

    `print` writes a line in pieces, and a traceback comes line by line: each thread gathers its own
    until the line ends, or the traceback.
    """

    encoding = "utf-8"

    def __init__(self, original: TextIO | None, name: str, level: int) -> None:
        self.original = original
        self.log = logging.getLogger(name)
        self.level = level
        self.thread = threading.local()

    def write(self, text: str) -> int:
        self.thread.text = said = getattr(self.thread, "text", "") + text
        last = said[:-1].rpartition("\n")[2]
        inside = said.startswith("Traceback (most") and last.startswith((" ", "Traceback (most"))
        if (said.endswith("\n") and not inside) or len(said) > 2**16:
            self.flush()
        return len(text)

    def flush(self) -> None:
        said, self.thread.text = getattr(self.thread, "text", ""), ""
        if message := said.strip():
            self.log.log(self.level, message)

    def fileno(self) -> int:  # for who hands it to a child process
        return self.original.fileno() if self.original else super().fileno()

    def __getattr__(self, name: str) -> Any:  # what a text stream may lack, such as buffer
        return getattr(self.original, name)


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

        trace = None
        for name, value in scope["headers"]:
            if name == b"x-amzn-trace-id":
                trace = value[:200].decode("latin-1")
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
                took = time.perf_counter() - begin
                line = request_line(scope, scope["path"], status, took, trace)
                if len(line) > PIPE_BUF:  # 200, because JSON takes up to twelve bytes for a letter
                    line = request_line(scope, scope["path"][:200], status, took, trace)
                self.write(line)

    def write(self, line: str) -> None:
        if self.size + len(line) > PIPE_BUF:
            self.flush()
        if not self.lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self.lines.append(line)
        self.size += len(line)

    def flush(self) -> None:
        lines, self.lines, self.size = "".join(self.lines), [], 0
        if lines and sys.__stdout__:
            with suppress(OSError):  # of a pipe that is full or gone: no request fails for its line
                sys.__stdout__.write(lines)
                sys.__stdout__.flush()


def request_line(scope: Scope, path: str, status: int, seconds: float, trace: str | None) -> str:
    """Write the JSON by hand, at half of what it takes to encode a dictionary."""
    client = scope["client"][0] if scope.get("client") else None
    return (
        f'{{"time":"{timestamp(time.time())}","level":"INFO","logger":"app.requests"'
        f',"message":"request","method":{encode(scope["method"])},"path":{encode(path)}'
        f',"status":{status},"duration_ms":{seconds * 1000:.1f},"client":{encode(client)}'
        + (f',"trace_id":{encode(trace)}}}\n' if trace else "}\n")
    )
