"""What a request may be, so that none costs the others: not too large, not too slow to arrive.

The head of a request is not limited here: the load balancer takes 64 kB of it and passes it on
only when it is complete.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
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

# Seconds that the app may wait for the body, or 408. A rollout cuts nothing off that keeps to it.
BODY_TIMEOUT = 60

# Errors that a 422 tells. A list of two million bytes can hold half a million.
MAX_ERRORS = 100


class Limits:
    """ASGI middleware: a body is refused as soon as it is too large, or announced to be, or late.

    For all paths: app.add_middleware(Limits, size=10_000, seconds=5). For some, by patterns, of
    which the first that matches counts: larger={"/users/*/avatar": 20 * 2**20}, slower={...: 300}.

    The app sees the client leave, and what it makes of that goes nowhere: an exception would reach
    the client as whatever the middleware on its way turns it into. So a middleware that is to work
    on refusals too, such as CORSMiddleware, is added after this one.
    """

    def __init__(
        self,
        app: ASGIApp,
        size: int = MAX_BODY_SIZE,
        seconds: float = BODY_TIMEOUT,
        larger: Mapping[str, int] | None = None,
        slower: Mapping[str, float] | None = None,
    ) -> None:
        self.app = app
        self.size, self.seconds = size, seconds
        self.larger, self.slower = larger or {}, slower or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        loop = asyncio.get_running_loop()
        room = of(scope["path"], self.larger, self.size)
        patience = of(scope["path"], self.slower, self.seconds)
        begun, arriving, answering = False, True, False
        refusal: HTTPStatus | None = None

        def give_up(task: asyncio.Task[object]) -> None:
            nonlocal refusal
            refusal = HTTPStatus.REQUEST_TIMEOUT
            task.cancel()

        async def receive_within_limits() -> Message:
            nonlocal arriving, begun, patience, refusal, room
            if not begun:
                begun = True
                for name, value in scope["headers"]:
                    if name == b"content-length" and int(value) > room:
                        refusal = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            if refusal:
                return {"type": "http.disconnect"}
            if not arriving:  # what comes now is the end of the connection, and that has time
                return await receive()
            # What asyncio.timeout does, but a timer is dear, and most bodies are there before it.
            timer: asyncio.Handle
            task, since = asyncio.current_task(), 0.0
            assert task

            def wait() -> None:
                nonlocal since, timer
                since = loop.time()
                timer = loop.call_at(since + patience, give_up, task)

            timer = loop.call_soon(wait)
            try:
                message = await receive()
            except asyncio.CancelledError:
                if not refusal or task.uncancel():  # somebody else cancels it, too
                    raise
                return {"type": "http.disconnect"}
            finally:
                timer.cancel()
                del timer  # or it and the function hold each other, and wait for the collector
            if since:  # what the app takes between is not the client's
                patience -= loop.time() - since
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


def of(path: str, special: Mapping[str, float], default: float) -> float:
    """The limit of a path."""
    for pattern, limit in special.items():
        if fnmatchcase(path, pattern):
            return limit
    return default


async def refuse(_request: Request, error: Exception) -> Response:
    """422 with what is wrong and where, as FastAPI does, but without repeating the input.

    That may be large, and it may be what JSON cannot hold: NaN, half of a surrogate pair. All of
    the errors have been made by now, at a kB each: only a list's max_length ends them early.
    """
    assert isinstance(error, RequestValidationError)
    found = error.errors()[:MAX_ERRORS]
    detail = [{key: each[key] for key in ("type", "loc", "msg")} for each in found]
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")
