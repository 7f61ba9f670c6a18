"""The budget of request bytes in flight: requests beyond it are refused, and each one releases its
bytes at its end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pytest
from app.limits import BODY_BUDGET, MAX_BODY_SIZE, SMALL_BODY, Limits
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

LARGE_SHARE = BODY_BUDGET * 3 // 4


def piece(size: int, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": bytes(size), "more_body": more}


DISCONNECT: Message = {"type": "http.disconnect"}


class ScriptedClient:
    """A client that sends messages one by one, under the control of a test."""

    def __init__(self, limits: Limits, path: str = "/") -> None:
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.answer: list[Message] = []
        scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        self.request = asyncio.create_task(limits(scope, self.incoming.get, self.keep))

    async def keep(self, message: Message) -> None:
        self.answer.append(message)

    async def send(self, *messages: Message) -> None:
        for message in messages:
            self.incoming.put_nowait(message)
            for _ in range(3):  # turns of the event loop, for the app to take it
                await asyncio.sleep(0)

    async def status(self) -> int | None:
        """The status of the answer, if there is one."""
        await self.request
        return self.answer[0]["status"] if self.answer else None


async def read_all(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body"})


async def with_large_bodies_held(limits: Limits) -> list[ScriptedClient]:
    """As many clients as fit, each of which has sent nearly all of a body of the maximum size."""
    clients = []
    for _ in range(LARGE_SHARE // (MAX_BODY_SIZE - 1)):
        clients.append(ScriptedClient(limits))
        await clients[-1].send(piece(MAX_BODY_SIZE - 1))
    return clients


def test_a_large_body_beyond_the_budget_is_refused_until_another_one_ends() -> None:
    async def main() -> None:
        limits = Limits(read_all)
        held = await with_large_bodies_held(limits)
        refused = ScriptedClient(limits)
        await refused.send(piece(MAX_BODY_SIZE))
        assert await refused.status() == 503
        assert (b"retry-after", b"5") in refused.answer[0]["headers"], (
            "app/limits.py: a 503 has Retry-After: the budget is free again soon"
        )

        await held[0].send(piece(1, more=False))
        assert await held[0].status() == 200
        served = ScriptedClient(limits)
        await served.send(piece(MAX_BODY_SIZE, more=False))
        assert await served.status() == 200

        for client in held[1:]:
            await client.send(piece(1, more=False))
            assert await client.status() == 200, "a refusal costs no other client its answer"
        assert limits.held == 0

    asyncio.run(main())


def test_large_bodies_leave_limited_room_for_small_ones() -> None:
    async def main() -> None:
        limits = Limits(read_all)
        large = await with_large_bodies_held(limits)
        small = []
        while limits.held + SMALL_BODY <= BODY_BUDGET:
            small.append(ScriptedClient(limits))
            await small[-1].send(piece(SMALL_BODY))
        assert len(small) >= BODY_BUDGET // 4 // SMALL_BODY
        last = ScriptedClient(limits)
        await last.send(piece(SMALL_BODY))
        assert await last.status() == 503
        for client in [*large, *small]:
            await client.send(DISCONNECT)
            assert await client.status() == 200, "this app answers even a client that has left"
        assert limits.held == 0

    asyncio.run(main())


def test_only_the_latest_chunk_of_a_streamed_body_counts() -> None:
    async def main() -> None:
        limits = Limits(read_all, larger={"/video/*": BODY_BUDGET * 10}, streamed=["/video/*"])
        video = ScriptedClient(limits, "/video/1")
        await video.send(*[piece(SMALL_BODY)] * 2000)
        assert limits.held == SMALL_BODY
        await video.send(piece(0, more=False))
        assert await video.status() == 200
        assert limits.held == 0

    asyncio.run(main())


def test_a_budget_too_small_for_one_body_is_an_error_at_the_start() -> None:
    largest = SMALL_BODY * 3
    Limits(read_all, size=largest, budget=SMALL_BODY * 4)
    too_large = largest + 3
    with pytest.raises(ValueError, match=f"set budget={SMALL_BODY * 4 + 4} or more"):
        Limits(read_all, size=too_large, budget=SMALL_BODY * 4)
    with pytest.raises(ValueError, match="set budget="):
        Limits(read_all, larger={"/avatar": BODY_BUDGET})
    Limits(read_all, larger={"/avatar": BODY_BUDGET}, streamed=["/avatar"])


End = Literal["whole", "left", "silent", "cancelled"]
Way = Literal["reads", "streams", "answers first", "stops", "fails"]


@dataclass(frozen=True)
class ClientScript:
    """The messages of one client, the end of its request, and the behaviour of the app."""

    pieces: Sequence[int]
    end: End
    way: Way
    turns: int  # of the event loop between two pieces

    @property
    def path(self) -> str:
        return "/streamed" if self.way == "streams" else "/"


PLAYS = st.builds(
    ClientScript,
    st.lists(st.integers(0, SMALL_BODY * 2), max_size=6),
    st.sampled_from(["whole", "left", "silent", "cancelled"]),
    st.sampled_from(["reads", "streams", "answers first", "stops", "fails"]),
    st.integers(0, 3),
)

BUDGET = SMALL_BODY * 8


@settings(deadline=None)  # the time-outs of many requests, on a machine that may be busy
@given(st.lists(PLAYS, min_size=1, max_size=8))
def test_every_request_releases_its_bytes_however_it_ends(
    plays: list[ClientScript],
) -> None:
    in_flight: dict[int, int] = {}  # bytes that the app has got, by request

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        number, way = scope["number"], plays[scope["number"]].way
        in_flight[number] = 0
        try:
            if way == "answers first":
                await send({"type": "http.response.start", "status": 200, "headers": []})
            more = True
            while more:
                message = await receive()
                size = len(message.get("body", b""))
                in_flight[number] = size if way == "streams" else in_flight[number] + size
                assert limits.held == sum(in_flight.values()) <= BUDGET
                more = message.get("more_body", False)
                if way == "stops":
                    return
                if way == "fails":
                    raise ZeroDivisionError
        finally:
            del in_flight[number]

    limits = Limits(
        app,
        size=SMALL_BODY * 5,
        seconds=0.002,
        budget=BUDGET,
        streamed=["/streamed"],
    )

    async def run(number: int, play: ClientScript) -> None:
        incoming = [piece(size) for size in play.pieces]
        if play.end in {"whole", "left"}:
            incoming.append(piece(0, more=False) if play.end == "whole" else DISCONNECT)
        silent = asyncio.Event()

        async def receive() -> Message:
            for _ in range(play.turns):
                await asyncio.sleep(0)
            if incoming:
                return incoming.pop(0)
            silent.set()
            return await asyncio.Future()

        async def send(_message: Message) -> None:
            await asyncio.sleep(0)

        scope = {"type": "http", "path": play.path, "headers": [], "number": number}
        request = asyncio.ensure_future(limits(scope, receive, send))
        if play.end == "cancelled":
            waiting = asyncio.create_task(silent.wait())
            await asyncio.wait([request, waiting], return_when=asyncio.FIRST_COMPLETED)
            request.cancel()
            waiting.cancel()
        await asyncio.wait([request])
        if not request.cancelled() and (error := request.exception()):
            assert play.way == "fails", repr(error)
            assert isinstance(error, ZeroDivisionError), repr(error)

    async def main() -> None:
        await asyncio.gather(*(run(number, play) for number, play in enumerate(plays)))

    asyncio.run(main())
    assert limits.held == 0
