"""What the URL of the service answers."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from infra.tool.text import one_line

TIMEOUT = 5.0  # seconds, for one request
MOST_BYTES = 65_536  # of a body


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes


class Fetch(Protocol):
    """Asks for a URL once, without following redirects. Raises OSError if nothing answers."""

    def __call__(self, url: str, *, timeout: float) -> Response: ...


class NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def fetch(url: str, *, timeout: float) -> Response:
    """GET a URL. `timeout` is in seconds. Raises OSError if nothing answers."""
    request = Request(url, headers={"User-Agent": "infra"})
    try:
        with build_opener(NoRedirects).open(request, timeout=timeout) as answer:
            return Response(answer.status, answer.read(MOST_BYTES))
    except HTTPError as answer:
        return Response(answer.code, answer.read(MOST_BYTES))
    except HTTPException as broken:
        raise OSError(f"no HTTP response: {broken!r}") from broken


@dataclass(frozen=True)
class Health:
    """An answer of /health, or the error instead of one."""

    status: int | None = None  # of HTTP
    milliseconds: int = 0
    commit: str = ""  # empty if the answer names none
    error: str = ""  # why there is no answer


def ask(fetch: Fetch, url: str, timer: Callable[[], float] = time.perf_counter) -> Health:
    """Ask for /health below a URL. Never raises."""
    started = timer()
    try:
        response = fetch(f"{url}/health", timeout=TIMEOUT)
    except OSError as error:
        return Health(error=one_line(error) or type(error).__name__)
    took = round((timer() - started) * 1000)
    return Health(response.status, took, commit_in(response.body))


def commit_in(body: bytes) -> str:
    """The commit that an answer of /health names; empty if it names none."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    commit = answer.get("commit") if isinstance(answer, dict) else None
    return one_line(commit) if isinstance(commit, str) else ""
