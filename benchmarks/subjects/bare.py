"""No framework: the least that an ASGI server can be asked to do for the same answer."""

import json
import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        return
    answer: dict[str, Any] = {"status": "ok", "commit": "unknown"}
    if scope["path"] == "/reading-time":
        body = b""
        more = True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        words = len(json.loads(body)["text"].split())
        answer = {"words": words, "minutes": math.ceil(words / 220)}
    text = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})
