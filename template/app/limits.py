"""What a request may be, so that none costs the others: not too large, not too slow to arrive.

The head of a request is not limited here: the load balancer takes 64 kB of it and passes it on
only when it is complete.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Bytes of a body, or 413. The server drops the rest of it: a connection closed before all is read
# can cost the client its answer, and the load balancer too, which then answers 502. FastAPI's
# max_body_size does as much, but at a tenth of the CPU of each request, even one without a body.
MAX_BODY_SIZE = 2 * 2**20

# Seconds for the whole body to arrive, or 408. A rollout cuts nothing off that keeps to it.
BODY_TIMEOUT = 60


class Limits:
    """ASGI middleware: a body is refused as soon as it is too large, or announced to be, or late.

    For a path that takes more: app.add_middleware(Limits, larger={"/uploads": 20 * 2**20}).

    The app sees the client leave, and what it makes of that goes nowhere: an exception would reach
    the client as whatever the middleware on its way turns it into. So a middleware that is to work
    on refusals too, such as CORSMiddleware, is added after this one.
    """

    def __init__(self, app: ASGIApp, larger: Mapping[str, int] | None = None) -> None:
        self.app = app
        self.larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        deadline = asyncio.get_running_loop().time() + BODY_TIMEOUT
        room = self.larger.get(scope["path"], MAX_BODY_SIZE)
        begun, arriving, answering = False, True, False
        refusal: HTTPStatus | None = None

        async def receive_within_limits() -> Message:
            nonlocal arriving, begun, refusal, room
            if not begun:
                begun = True
                for name, value in scope["headers"]:
                    if name == b"content-length" and int(value) > room:
                        refusal = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            if refusal:
                return {"type": "http.disconnect"}
            if not arriving:  # what comes now is the end of the connection, and that has time
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                refusal = HTTPStatus.REQUEST_TIMEOUT
                return {"type": "http.disconnect"}
            room -= len(message.get("body", b""))
            if room < 0:
                refusal = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                return {"type": "http.disconnect"}
            arriving = message.get("more_body", False)
            return message

        async def send_unless_refused(message: Message) -> None:
            nonlocal answering
            if not refusal:
                answering = True
                await send(message)

        try:
            await self.app(scope, receive_within_limits, send_unless_refused)
        except Exception:
            if not refusal:
                raise
        # An answer that has begun stays without its end: the server then closes the connection.
        if refusal and not answering:
            close = {"connection": "close"} if refusal == HTTPStatus.REQUEST_TIMEOUT else None
            answer = JSONResponse({"detail": refusal.phrase}, refusal, close)
            await answer(scope, receive, send)


async def refuse(_request: Request, error: Exception) -> Response:
    """422 with what is wrong and where, as FastAPI does, but without repeating the input.

    That may be large, and it may be what JSON cannot hold: NaN, half of a surrogate pair.
    """
    assert isinstance(error, RequestValidationError)
    detail = [{key: found[key] for key in ("type", "loc", "msg")} for found in error.errors()]
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")
