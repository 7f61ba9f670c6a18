"""An app that shows how its server runs, and whose requests may take long or never end."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.logs import configure_logging
from app.request_log import RequestLog
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse

log = logging.getLogger("probe")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    await asyncio.sleep(0.1)  # as a database takes to close its connections
    log.info("lifespan has ended")


access_records: list[str] = []


class AccessRecord(logging.LogRecord):
    """A log record that counts the access records of uvicorn."""

    def __init__(self, name: str, *details: Any, **more: Any) -> None:
        super().__init__(name, *details, **more)
        if name == "uvicorn.access":
            access_records.append(self.getMessage())


logging.setLogRecordFactory(AccessRecord)
configure_logging()
app = FastAPI(lifespan=lifespan)
app.add_middleware(RequestLog)


@app.get("/pid")
async def pid() -> int:
    return os.getpid()


@app.get("/access-records")
async def made_access_records() -> list[str]:
    return access_records


@app.get("/modules")
async def modules() -> list[str]:
    return sorted(sys.modules)


@app.get("/garbage")
async def garbage() -> tuple[bool, int]:
    return gc.isenabled(), gc.get_freeze_count()


@app.get("/slow")
async def slow() -> None:
    log.info("begun")
    await asyncio.sleep(1)


@app.get("/endless")
async def endless() -> None:
    log.info("begun")
    await asyncio.sleep(3600)


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def ticks() -> AsyncIterator[bytes]:
        log.info("begun")
        while True:
            yield b"tick"
            await asyncio.sleep(0.1)

    return StreamingResponse(ticks())


@app.websocket("/socket")
async def socket(websocket: WebSocket) -> None:
    """Keep the connection, and do not notice that it is closed."""
    await websocket.accept()
    log.info("begun")
    await asyncio.sleep(3600)


@app.websocket("/size")
async def size(websocket: WebSocket) -> None:
    """Answer each message with its size."""
    await websocket.accept()
    async for message in websocket.iter_bytes():
        await websocket.send_json(len(message))


@app.get("/cancel")
async def cancel() -> None:
    raise asyncio.CancelledError("by the app")
