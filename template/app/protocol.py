"""gunicorn's worker reads requests as uvicorn does, with two differences."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HeaderProtocol(HttpToolsProtocol):
    """Drops trailers, the fields after a chunked body, which uvicorn appends to the headers.

    Otherwise a client could add an X-Forwarded-For behind that of the load balancer, and choose its
    address in the log.
    """

    def on_header(self, name: bytes, value: bytes) -> None:
        if "method" not in self.scope:  # the headers are not complete
            super().on_header(name, value)


def websocket_protocol(**arguments: Any) -> asyncio.Protocol:
    """Import the package websockets with the first WebSocket: it is 26 of 775 ms CPU at start."""
    from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

    assert AutoWebSocketsProtocol
    return AutoWebSocketsProtocol(**arguments)
