"""How gunicorn's worker reads requests: as uvicorn does, but for two things."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HeaderProtocol(HttpToolsProtocol):
    """Drops trailers, the fields after a chunked body. uvicorn appends them to the headers.

    So a client could add an X-Forwarded-For behind the load balancer's, and choose its address in
    the log.
    """

    def on_header(self, name: bytes, value: bytes) -> None:
        if "method" not in self.scope:  # the headers are not complete
            super().on_header(name, value)


def websocket_protocol(**arguments: Any) -> asyncio.Protocol:
    """Import the package websockets with the first WebSocket: it is 26 of 775 ms CPU at start."""
    from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

    assert AutoWebSocketsProtocol
    return AutoWebSocketsProtocol(**arguments)
