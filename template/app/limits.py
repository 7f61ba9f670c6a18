"""Limits on request bodies: how large, how slow to arrive, and how much of them in memory at once.

The head of a request is not limited here: the load balancer takes 64 kB of it and passes it on
only when it is complete.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from fastapi import HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from starlette.middleware.exceptions import ExceptionMiddleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Bytes of a body; a larger one gets 413. The server reads and drops the rest of the body: if it
# closed the connection earlier, the client might not get the response, and the load balancer would
# return 502. FastAPI's max_body_size does the same, but takes 7 µs more for each request, even
# without a body (measured in docs/performance.md of the template).
MAX_BODY_SIZE = 2 * 2**20

# Seconds that the app waits for a body; after them, the request gets 408. A rollout cuts no body
# that arrives within this time.
BODY_TIMEOUT = 60

# Bytes of all bodies that a worker process holds at once, or 503. An eighth of the smallest task's
# 512 MB, because a body takes several times its size while it is parsed: 300 bodies of 2 MB of
# which a byte is missing take 84 MB more than none, and without a budget 425 MB. With one worker
# for each whole vCPU, all other tasks have more memory for each worker.
BODY_BUDGET = 64 * 2**20

# A body of up to so many bytes may use all of the budget, a larger one three quarters of it: large
# bodies that do not end cannot keep the ordinary ones out.
SMALL_BODY = 64 * 2**10

# Errors that a 422 lists. A list of two million bytes can cause half a million errors.
MAX_ERRORS = 100

HEADERS = {
    HTTPStatus.REQUEST_TIMEOUT: {"Connection": "close"},  # the rest of the body is not a request
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "5"},
}

DEFAULT_HANDLERS = {HTTPException: http_exception_handler}


class Limits:
    """ASGI middleware: refuse a body that is too large, too slow, or beyond the budget of all.

    For all paths: app.add_middleware(Limits, size=10_000, seconds=5). For some, by patterns, of
    which the first that matches counts: larger={"/users/*/avatar": 20 * 2**20}, slower={...: 300}.

    The bytes of a body that have arrived count against the budget until its request ends. An
    endpoint that reads request.stream() and keeps no piece holds less: with
    streamed=["/users/*/video"] only the latest piece of a body for this path counts.

    If a request is refused, the app is told that the client has disconnected, and its answer is
    dropped: an exception instead could be turned into another answer by a middleware in between. So
    add a middleware that must see refusals, such as CORSMiddleware, after this one. The client is
    answered by the app's exception handler for HTTPException.
    """

    def __init__(
        self,
        app: ASGIApp,
        size: int = MAX_BODY_SIZE,
        seconds: float = BODY_TIMEOUT,
        larger: Mapping[str, int] | None = None,
        slower: Mapping[str, float] | None = None,
        budget: int = BODY_BUDGET,
        streamed: Collection[str] = (),
    ) -> None:
        self.app = app
        self.size, self.seconds = size, seconds
        self.larger, self.slower = larger or {}, slower or {}
        self.budget, self.streamed = budget, streamed
        self.held = 0  # bytes, of all requests

        largest = max(size, *(self.larger[path] for path in self.larger if path not in streamed), 0)
        if largest > self.room(largest):
            raise ValueError(
                f"Limits: a body of {largest} bytes never fits into three quarters of the budget, "
                f"which is all that large bodies get: set budget={-(-largest * 4 // 3)} or more"
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        request = LimitedRequest(self, scope, receive, send)
        try:
            await self.app(scope, request.receive, request.send)
        except Exception:
            if not request.refusal:
                raise
        finally:
            self.held -= request.held
        # An answer that has begun stays without its end: the server then closes the connection.
        if request.refusal and not request.answering:
            await answer_refusal(request.refusal, scope, receive, send)

    def room(self, size: int) -> int:
        """The bytes that a body of this size may find in use, itself included."""
        return self.budget if size <= SMALL_BODY else self.budget * 3 // 4


async def answer_refusal(refusal: HTTPStatus, scope: Scope, receive: Receive, send: Send) -> None:
    async def refused(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise HTTPException(refusal, headers=HEADERS.get(refusal))

    handlers = getattr(scope.get("app"), "exception_handlers", DEFAULT_HANDLERS)
    await ExceptionMiddleware(refused, handlers)(scope, receive, send)


class LimitedRequest:
    """One request: its receive and send are what the app gets."""

    def __init__(self, limits: Limits, scope: Scope, receive: Receive, send: Send) -> None:
        self.limits, self.scope = limits, scope
        self.receive_next, self.send_on = receive, send
        self.begun, self.arriving, self.answering = False, True, False
        self.refusal: HTTPStatus | None = None
        self.held = 0  # bytes that count against the budget
        self.size, self.seconds, self.streamed = limits.size, limits.seconds, False

    async def receive(self) -> Message:
        if not self.begun:
            self.begin()
        if self.refusal:
            return {"type": "http.disconnect"}
        if not self.arriving:  # the next message is the disconnect, which has no time limit
            return await self.receive_next()

        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            async with asyncio.timeout(self.seconds):
                message = await self.receive_next()
        except TimeoutError:
            return self.refuse(HTTPStatus.REQUEST_TIMEOUT)
        self.seconds -= loop.time() - begin  # what the app does in between is not the client's time

        piece = len(message.get("body", b""))
        self.size -= piece
        if self.size < 0:
            return self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if not self.hold(piece):
            return self.refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        self.arriving = message.get("more_body", False)
        return message

    def begin(self) -> None:
        """Look up the limits of the path when the app reads the body: most requests have none."""
        limits, path = self.limits, self.scope["path"]
        self.begun = True
        self.size = limit_for(path, limits.larger, self.size)
        self.seconds = limit_for(path, limits.slower, self.seconds)
        self.streamed = any(fnmatchcase(path, pattern) for pattern in limits.streamed)
        for name, value in self.scope["headers"]:
            if name == b"content-length" and int(value) > self.size:
                self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def hold(self, piece: int) -> bool:
        """Count a piece against the budget, and return whether it fits."""
        held = piece if self.streamed else self.held + piece
        total = self.limits.held - self.held + held
        if held > self.held and total > self.limits.room(held):
            return False
        self.held, self.limits.held = held, total
        return True

    def refuse(self, status: HTTPStatus) -> Message:
        self.refusal = status
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if not self.refusal:
            self.answering = True
            await self.send_on(message)


Number = TypeVar("Number", int, float)


def limit_for(path: str, special: Mapping[str, Number], default: Number) -> Number:
    """The limit of a path: that of the first pattern that it matches, or the default."""
    for pattern, limit in special.items():
        if fnmatchcase(path, pattern):
            return limit
    return default


async def refuse(_request: Request, error: Exception) -> Response:
    """Answer 422 with the errors and their places, as FastAPI does, but without the input.

    The input may be large, and may contain values that JSON does not have: NaN, half of a surrogate
    pair. All errors exist by now, at a kB each: only max_length of a list ends them early.
    """
    assert isinstance(error, RequestValidationError)
    found = error.errors()[:MAX_ERRORS]
    detail = [{key: each[key] for key in ("type", "loc", "msg")} for each in found]
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")
