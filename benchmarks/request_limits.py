"""CPU per request that the limits of app/limits.py cost, in one process, in interleaved rounds.

    uv run python benchmarks/request_limits.py [ROUNDS] [--write]

The endpoints are those of a service, without a server around them: FastAPI alone, with Limits, and
with FastAPI's own limit of a body's size. Prints Markdown; --write puts it into
docs/performance.md.
"""

import asyncio
import gc
import json
import os
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, os.fspath(Path(__file__).resolve().parents[1] / "template"))
sys.path.insert(0, os.fspath(Path(__file__).resolve().parents[1]))  # it is run as a file

from app.limits import MAX_BODY_SIZE, Limits
from app.main import Health, ReadingTime, health, reading_time
from fastapi import FastAPI
from starlette.types import Message, Scope

from benchmarks import page

REQUESTS = 400  # of each kind in a round
WARM_UP = 5  # rounds that do not count
BODY = json.dumps({"text": "word " * 100}).encode()


def make_app(limits: bool = False, **options: Any) -> FastAPI:
    """Make an app with the endpoints of the template's."""
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False}, **options)
    app.get("/health", response_model=Health)(health)
    app.post("/reading-time", response_model=ReadingTime)(reading_time)
    if limits:
        app.add_middleware(Limits)
    return app


APPS = {
    "FastAPI alone": make_app(),
    "with `Limits`": make_app(limits=True),
    "with `max_body_size`": make_app(max_body_size=MAX_BODY_SIZE),
}
KINDS = {
    "a `GET` without a body": ("GET", "/health", b""),
    "a `POST` of 500 bytes": ("POST", "/reading-time", BODY),
}


async def request(app: FastAPI, method: str, path: str, body: bytes) -> None:
    """Send one request, whose body has arrived when the app asks for it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        assert message.get("status", 200) == 200

    headers = [
        (b"host", b"example.com"),
        (b"user-agent", b"benchmark"),
        (b"x-forwarded-for", b"203.0.113.9"),
        (b"x-amzn-trace-id", b"Root=1-67891233-abcdef012345678912345678"),
    ]
    if body:
        headers.append((b"content-type", b"application/json"))
        headers.append((b"content-length", b"%d" % len(body)))
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": headers,
    }
    await asyncio.create_task(app(scope, receive, send))  # as uvicorn does it


async def measure(rounds: int) -> dict[tuple[str, str], list[float]]:
    """The CPU per request in microseconds, by request and app, in each round."""
    samples: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds + WARM_UP):
        pairs = [(kind, name) for kind in KINDS for name in APPS]
        for kind, name in random.sample(pairs, len(pairs)):
            begin = time.process_time()
            for _ in range(REQUESTS):
                await request(APPS[name], *KINDS[kind])
            if number >= WARM_UP:
                used = (time.process_time() - begin) / REQUESTS * 1e6
                samples.setdefault((kind, name), []).append(used)
    return samples


def main() -> None:
    wanted = page.arguments(str(__doc__), 60)
    others = page.others(2)
    gc.freeze()
    samples = uvloop.run(measure(wanted.rounds))
    lines = [
        f"Medians of {wanted.rounds} interleaved rounds of {REQUESTS} requests, in microseconds of "
        f"CPU. Made by {page.provenance()}. {page.judge([others])}",
        "",
        f"| | {' | '.join(APPS)} | `Limits` take | `max_body_size` takes |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in KINDS:
        alone, *limited = (samples[kind, name] for name in APPS)
        cells = [f"{statistics.median(values):.1f}" for values in (alone, *limited)]
        for values in limited:
            more = [mine - base for mine, base in zip(values, alone, strict=True)]
            cells.append(f"{statistics.median(more):.1f}")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    print("\n".join(lines))
    if wanted.write:
        page.write("limits", "\n".join(lines))


if __name__ == "__main__":
    main()
