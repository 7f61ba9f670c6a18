"""uvicorn as a worker of gunicorn, which writes the head and the body of an answer at once.

uvicorn writes them one by one. Each write is a system call and a packet: without the second, a
small answer takes a seventh less CPU.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn_worker import UvicornWorker  # type: ignore[import-untyped]

# Bytes that may wait for the end of the event loop's turn. The transport has uvicorn pause when
# the client is slow, but knows only of what it was given.
MAX_WAITING = 2**16


class JoinedWrites:
    """An asyncio transport that makes one write of those in a turn of the event loop."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.waiting: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> None:
        if not self.waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self.waiting.append(data)
        self.size += len(data)
        if self.size > MAX_WAITING:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            data, self.waiting, self.size = b"".join(self.waiting), [], 0
            self.transport.write(data)

    def __getattr__(self, name: str) -> Any:  # such as close, which comes after what was written
        self.flush()
        return getattr(self.transport, name)


class Protocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, JoinedWrites(transport)))


class Worker(UvicornWorker):  # type: ignore[misc]
    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {**UvicornWorker.CONFIG_KWARGS, "http": Protocol}
