"""An app that logs, prints and crashes, for the servers of these tests."""

import asyncio
import threading
import traceback
import warnings
from collections.abc import Callable

from app.logs import configure_logging
from app.request_log import RequestLog
from fastapi import FastAPI, WebSocket

Log = Callable[[str], object]


def make_probe(info: Log, exception: Log) -> FastAPI:
    """Make an app that logs with these two, set up as app/main.py does it."""
    configure_logging()
    app = FastAPI()
    app.add_middleware(RequestLog)

    @app.get("/health")
    async def health() -> None:
        return

    @app.get("/info")
    async def log_information() -> None:
        info("the order is paid")

    @app.get("/exception")
    async def log_an_exception() -> None:
        try:
            fail()
        except ZeroDivisionError:
            exception("the order failed")

    @app.get("/crash")
    async def crash() -> None:
        fail()

    @app.get("/thread")
    async def crash_in_a_thread() -> None:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

    @app.get("/task")
    async def crash_in_a_task() -> None:
        task = asyncio.create_task(asyncio.to_thread(fail))
        await asyncio.wait([task])
        del task

    @app.get("/print")
    async def print_text() -> None:
        print("the order", end=" ")
        print("is printed")

    @app.get("/traceback")
    async def print_a_traceback() -> None:
        try:
            fail()
        except ZeroDivisionError:
            traceback.print_exc()

    @app.get("/warning")
    async def warn() -> None:
        warnings.warn("orders are deprecated", stacklevel=1)

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        info("the socket is open")
        async for text in socket.iter_text():
            await socket.send_text(text)

    return app


def fail() -> None:
    raise ZeroDivisionError("on purpose")
