"""What a request may be, so that none costs the others: not too large, not too slow to arrive.

The head of a request is not limited here: the load balancer takes 64 kB of it and passes it on
only when it is complete.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Bytes, or 413. An endpoint that takes more says so: @app.post("/uploads", max_body_size=...).
MAX_BODY_SIZE = 2 * 2**20

# Seconds for the whole body to arrive, or 408. A rollout cuts nothing off that keeps to it.
BODY_TIMEOUT = 60


class BodyTimeout:
    """ASGI middleware: who sends a body, or half of it, and then nothing, is not waited for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        deadline = asyncio.get_running_loop().time() + BODY_TIMEOUT
        arriving = True

        async def receive_in_time() -> Message:
            nonlocal arriving
            if not arriving:  # what comes now is the end of the connection, and that has time
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, headers={"connection": "close"}) from None
            arriving = message.get("more_body", False)
            return message

        await self.app(scope, receive_in_time, send)


async def refuse(_request: Request, error: Exception) -> Response:
    """422 with what is wrong and where, as FastAPI does, but without repeating the input.

    That may be large, and it may be what JSON cannot hold: NaN, half of a surrogate pair.
    """
    assert isinstance(error, RequestValidationError)
    detail = [{key: found[key] for key in ("type", "loc", "msg")} for found in error.errors()]
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")
