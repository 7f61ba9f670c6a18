"""A request that is too large, too slow or no JSON is refused with a clean answer."""

import asyncio
import json
from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import BaseModel, StringConstraints
from starlette.types import Message

from app import limits
from app.limits import MAX_BODY_SIZE, Limits, refuse

# Not the app of app/main.py: that is yours, and `copier update` brings this file.
app = FastAPI(exception_handlers={RequestValidationError: refuse})
app.add_middleware(Limits, larger={"/larger": MAX_BODY_SIZE * 2})
client = TestClient(app, raise_server_exceptions=False)


class Anything(BaseModel):
    text: Annotated[str, StringConstraints(max_length=100_000)]


@app.post("/json")
async def typed(_anything: Anything) -> None:
    return


@app.post("/larger")
async def untyped(request: Request) -> int:
    return len(await request.body())


@app.post("/late")
async def late(request: Request) -> bool:
    """Whether the client has left, which is known long after its body came."""
    await request.body()
    await asyncio.sleep(limits.BODY_TIMEOUT * 2)
    return await request.is_disconnected()


def post(body: bytes | Iterator[bytes], path: str = "/json") -> Response:
    headers = {"content-type": "application/json"}
    return client.post(path, content=body, headers=headers)


def test_a_body_may_have_the_largest_size_and_no_byte_more() -> None:
    text = b'{"text":"a"}'
    largest = text + b" " * (MAX_BODY_SIZE - len(text))
    assert post(largest).status_code == 200
    assert post(iter([largest])).status_code == 200, "in chunks, with no length announced"
    assert post(largest + b" ").status_code == 413
    assert post(iter([largest, b" "])).status_code == 413


def test_one_path_may_take_more_than_the_others() -> None:
    assert post(b" " * MAX_BODY_SIZE * 2, "/larger").json() == MAX_BODY_SIZE * 2
    assert post(b" " * (MAX_BODY_SIZE * 2 + 1), "/larger").status_code == 413


@pytest.mark.parametrize(
    "text", [b'"\\ud800"', b"NaN", b"1e400", b"null", b'{"a":' * 5000 + b"1" + b"}" * 5000]
)
def test_a_value_that_cannot_be_repeated_is_refused_all_the_same(text: bytes) -> None:
    answer = post(b'{"text":%b}' % text)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["detail"]


def test_a_refusal_says_what_and_where_and_does_not_repeat_the_input() -> None:
    answer = post(b'{"text":"%b"}' % (b"a" * 100_001))
    assert answer.status_code == 422
    (found,) = answer.json()["detail"]
    assert found.keys() == {"type", "loc", "msg"}
    assert found["loc"] == ["body", "text"]


def send(path: str, *messages: Message) -> list[Message]:
    """What the app answers to a client that sends these messages, and then nothing."""
    incoming = iter(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        if message := next(incoming, None):
            return message
        return await asyncio.Future()

    async def keep(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(app(scope, receive, keep))
    return sent


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_TIMEOUT", 0.05)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("half", [[], [{"type": "http.request", "body": b"{", "more_body": True}]])
def test_who_does_not_send_the_rest_is_not_waited_for(half: list[Message]) -> None:
    start, _ = send("/json", *half)
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"], "what comes later is no new request"


@pytest.mark.usefixtures("short")
def test_an_answer_may_take_longer_than_its_request() -> None:
    start, body = send("/late", {"type": "http.request", "body": b"{}", "more_body": False})
    assert start["status"] == 200
    assert json.loads(body["body"]) is False
