"""A request that is too large, too slow or not JSON is refused with a complete response."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Annotated

import pytest
from app.limits import MAX_BODY_SIZE, Limits, refuse
from app.request_log import RequestLog
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient
from httpx2 import Response as Answer
from pydantic import BaseModel, StringConstraints
from starlette.middleware.base import RequestResponseEndpoint
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The body timeout of these tests, in seconds. It only ends a wait, so a slow machine does no harm.
SHORT = 0.05

PATIENCE = 30  # seconds, for what takes one at most

AVATAR = "/users/7/avatar"

router = APIRouter()


class Anything(BaseModel):
    text: Annotated[str, StringConstraints(max_length=100_000)]


@router.post("/json")
async def typed(_anything: Anything) -> None:
    return


@router.post("/raw")
@router.post("/users/{user}/avatar")
async def untyped(request: Request) -> int:
    return len(await request.body())


@router.post("/many")
async def many(_things: list[Anything]) -> None:
    return


@router.post("/slowly")
async def slowly(request: Request) -> None:
    """Work on each piece of the body for longer than the client may take for all."""
    async for _piece in request.stream():
        await asyncio.sleep(SHORT * 2)


@router.post("/late")
async def late(request: Request) -> bool:
    """Whether the client has left, which is known long after its body came."""
    await request.body()
    await asyncio.sleep(SHORT * 2)
    return await request.is_disconnected()


async def passing(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


async def reading(request: Request, call_next: RequestResponseEndpoint) -> Response:
    await request.body()
    return await call_next(request)


@pytest.fixture(params=[None, passing, reading], ids=["bare", "passing", "reading"])
def app(request: pytest.FixtureRequest) -> FastAPI:
    """An app with a middleware of its owner's between the limits and the endpoints, or none."""
    app = FastAPI(exception_handlers={RequestValidationError: refuse})
    app.include_router(router)
    if request.param:
        app.middleware("http")(request.param)
    avatars = "/users/*/avatar"
    app.add_middleware(
        Limits, seconds=SHORT, larger={avatars: MAX_BODY_SIZE * 2}, slower={avatars: 3600}
    )
    app.add_middleware(RequestLog)
    return app


class JsonClient:
    def __init__(self, app: FastAPI) -> None:
        self.client = TestClient(app)

    def post(self, body: bytes | Iterator[bytes], path: str = "/json") -> Answer:
        headers = {"content-type": "application/json"}
        return self.client.post(path, content=body, headers=headers)


@pytest.fixture
def client(app: FastAPI) -> JsonClient:
    return JsonClient(app)


def test_a_body_of_the_maximum_size_is_accepted_and_a_larger_one_refused(
    client: JsonClient,
) -> None:
    text = b'{"text":"a"}'
    largest = text + b" " * (MAX_BODY_SIZE - len(text))
    for path in ("/json", "/raw"):
        assert client.post(largest, path).status_code == 200
        assert client.post(iter([largest]), path).status_code == 200, "in chunks, of no length"
        for larger in (largest + b" ", iter([largest, b" "])):
            answer = client.post(larger, path)
            assert answer.status_code == 413, "app/limits.py: one byte more than size is refused"
            assert answer.json()["detail"]


def test_some_paths_have_a_larger_limit(client: JsonClient) -> None:
    assert client.post(b" " * MAX_BODY_SIZE * 2, AVATAR).json() == MAX_BODY_SIZE * 2
    assert client.post(b" " * (MAX_BODY_SIZE * 2 + 1), AVATAR).status_code == 413


@pytest.mark.parametrize("what", [HTTPException, 413])
def test_a_refusal_is_answered_by_the_exception_handler_of_the_app(
    what: type[Exception] | int,
) -> None:
    async def page(_request: Request, error: HTTPException) -> Response:
        return Response(f"<h1>{error.detail}</h1>", error.status_code, media_type="text/html")

    app = FastAPI(exception_handlers={what: page})
    app.include_router(router)
    app.add_middleware(Limits, size=10)
    answer = JsonClient(app).post(b" " * 11)
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html"), (
        "app/limits.py: all errors of an app look alike, those of the limits too"
    )


def test_the_limit_of_all_paths_can_be_changed() -> None:
    app = FastAPI()
    app.include_router(router)
    app.add_middleware(Limits, size=2)
    assert JsonClient(app).post(b"12", "/raw").status_code == 200
    assert JsonClient(app).post(b"123", "/raw").status_code == 413


@pytest.mark.parametrize(
    "text", [b'"\\ud800"', b"NaN", b"1e400", b"null", b'{"a":' * 5000 + b"1" + b"}" * 5000]
)
def test_a_value_that_cannot_be_encoded_is_refused_too(client: JsonClient, text: bytes) -> None:
    answer = client.post(b'{"text":%b}' % text)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["detail"]


def test_a_refusal_says_what_and_where_and_does_not_repeat_the_input(client: JsonClient) -> None:
    answer = client.post(b'{"text":"%b"}' % (b"a" * 100_001))
    assert answer.status_code == 422
    (found,) = answer.json()["detail"]
    assert found.keys() == {"type", "loc", "msg"}, "app/limits.py: a 422 repeats no input"
    assert found["loc"] == ["body", "text"]


def test_a_refusal_lists_a_limited_number_of_errors(client: JsonClient) -> None:
    answer = client.post(b"[%b{}]" % (b"{}," * 9_999), "/many")
    assert answer.status_code == 422
    assert 0 < len(answer.json()["detail"]) <= 100


def send(app: ASGIApp, path: str, *messages: Message, pause: float = 0) -> list[Message]:
    """The response of the app to a client that sends these messages, and then nothing.

    It pauses before each of them, or keeps the app waiting for a moment before the last.
    """
    incoming = list(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        if pause or len(incoming) == 1:
            await asyncio.sleep(pause)
        if incoming:
            return incoming.pop(0)
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

    async def run() -> None:
        await app(scope, receive, keep)

    asyncio.run(asyncio.wait_for(run(), PATIENCE))
    return sent


HALF: Message = {"type": "http.request", "body": b"{", "more_body": True}
REST: Message = {"type": "http.request", "body": b"}", "more_body": False}


@pytest.mark.parametrize("path", ["/json", "/raw"])
@pytest.mark.parametrize("half", [[], [HALF]])
def test_a_request_whose_body_stops_is_refused_after_the_timeout(
    app: FastAPI, path: str, half: list[Message]
) -> None:
    begin = time.monotonic()
    start, body = send(app, path, *half)
    assert time.monotonic() - begin >= SHORT * 0.9, "the limit is the whole time that it may take"
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"], "what comes later is no new request"
    assert json.loads(body["body"])["detail"]


def test_some_paths_have_a_longer_timeout(app: FastAPI) -> None:
    assert send(app, AVATAR, HALF, REST, pause=SHORT * 2)[0]["status"] == 200
    assert send(app, "/raw", HALF, REST, pause=SHORT * 2)[0]["status"] == 408


def test_sending_in_small_chunks_does_not_extend_the_timeout(app: FastAPI) -> None:
    assert send(app, "/raw", *[HALF] * 50, REST, pause=SHORT * 0.8)[0]["status"] == 408


def test_the_time_that_the_app_takes_does_not_count_towards_the_timeout(app: FastAPI) -> None:
    assert send(app, "/slowly", HALF, HALF, REST)[0]["status"] == 200


def test_a_response_may_take_longer_than_its_request(app: FastAPI) -> None:
    start, *rest = send(app, "/late", HALF, REST)
    assert start["status"] == 200
    assert json.loads(b"".join(message["body"] for message in rest)) is False


@pytest.mark.parametrize("path", ["/json", "/raw"])
@pytest.mark.parametrize("rest", [[], [{**HALF, "body": b" " * MAX_BODY_SIZE}]])
def test_a_refusal_is_logged_as_the_client_got_it(
    app: FastAPI, capfd: pytest.CaptureFixture[str], path: str, rest: list[Message]
) -> None:
    start, _ = send(app, path, HALF, *rest)
    assert json.loads(capfd.readouterr().out)["status"] == start["status"]
    assert start["status"] == (413 if rest else 408)


@pytest.mark.parametrize("rest", [[], [{**HALF, "body": b" " * MAX_BODY_SIZE}]])
def test_a_response_that_has_begun_is_aborted_and_not_completed(
    rest: list[Message],
) -> None:
    async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (message := await receive())["type"] == "http.request":
            await send({**message, "type": "http.response.body"})
        await send({"type": "http.response.body"})

    start, body = send(Limits(echo, seconds=SHORT), "/", HALF, *rest)
    assert start["status"] == 200
    assert body == {**HALF, "type": "http.response.body"}, "more is to come, and does not"


def test_a_timeout_does_not_leave_the_task_cancelling_and_a_cancelled_wait_ends() -> None:
    """As asyncio.timeout does it: otherwise cancellations and timeouts of the app would fail."""
    pending: list[int] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        heard = await receive()
        task = asyncio.current_task()
        assert task
        assert heard["type"] == "http.disconnect"
        pending.append(task.cancelling())

    with pytest.raises(TimeoutError):
        send(lambda *asgi: asyncio.wait_for(Limits(app)(*asgi), SHORT), "/")
    assert pending == []
    send(Limits(app, seconds=SHORT), "/")
    assert pending == [0]


def test_an_exception_of_the_app_within_the_limits_is_raised() -> None:
    async def broken(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        send(Limits(broken), "/", HALF)
