"""Requests to the URL of the service, and its answer to /health."""

import json
import socket
import ssl
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Protocol
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPErrorProcessor, ProxyHandler, Request, build_opener

from infra.tool.text import one_line

TIMEOUT = 5.0  # seconds, for one request
MOST_BYTES = 65_536  # of a body


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes


class Fetch(Protocol):
    """Requests a URL once, without following redirects. Raises OSError if nothing answers.

    `timeout` is in seconds. `via` is a host to connect to instead of the URL's own.
    """

    def __call__(self, url: str, *, timeout: float, via: str = "") -> Response: ...


class EveryStatus(HTTPErrorProcessor):
    """Every status is an answer: errors are not raised, redirects are not followed."""

    def http_response(self, _: Any, response: Any) -> Any:
        return response

    def https_response(self, _: Any, response: Any) -> Any:
        return response


class ConnectedElsewhere(HTTPSConnection):
    """Connects to the address of another host, and expects the certificate of the URL's host."""

    def __init__(self, host: str, port: int | None, via: str, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self.via = via

    def connect(self) -> None:
        plain = socket.create_connection((self.via, self.port), self.timeout)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


def fetch(url: str, *, timeout: float, via: str = "") -> Response:
    """GET a URL, as `Fetch` says."""
    if via:
        return fetch_via(url, timeout, via)
    request = Request(url, headers={"User-Agent": "infra"})
    # A proxy would connect to 127.0.0.1 of its own machine.
    direct = [ProxyHandler({})] if urlsplit(url).hostname == "127.0.0.1" else []
    try:
        with build_opener(EveryStatus, *direct).open(request, timeout=timeout) as answer:
            return Response(answer.status, answer.read(MOST_BYTES))
    except HTTPException as broken:
        raise OSError(f"no HTTP response: {broken!r}") from broken


def fetch_via(url: str, timeout: float, via: str) -> Response:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = (
        ConnectedElsewhere(host, parts.port, via, timeout)
        if parts.scheme == "https"
        else HTTPConnection(via, parts.port, timeout=timeout)
    )
    try:
        connection.request("GET", parts.path, headers={"Host": parts.netloc, "User-Agent": "infra"})
        answer = connection.getresponse()
        return Response(answer.status, answer.read(MOST_BYTES))
    except HTTPException as broken:
        raise OSError(f"no HTTP response: {broken!r}") from broken
    finally:
        connection.close()


def addresses(host: str) -> frozenset[str]:
    """The IP addresses of a name; empty if it has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset()
    return frozenset(str(each[4][0]) for each in found)


@dataclass(frozen=True)
class Health:
    """An answer of /health, or the error instead of one."""

    status: int | None = None  # of HTTP
    milliseconds: int = 0
    commit: str = ""  # empty if the answer names none
    error: str = ""  # why there is no answer


def ask(fetch: Fetch, url: str, via: str = "") -> Health:
    """Ask for /health below a URL. Never raises."""
    started = time.perf_counter()
    try:
        response = fetch(f"{url}/health", timeout=TIMEOUT, via=via)
    except OSError as error:
        why = error.reason if isinstance(error, URLError) else error
        return Health(error=one_line(why) or type(why).__name__)
    took = round((time.perf_counter() - started) * 1000)
    return Health(response.status, took, commit_in(response.body))


def commit_in(body: bytes) -> str:
    """The commit that an answer of /health names; empty if it names none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):  # the latter if it is nested too deeply
        return ""
    commit = answer.get("commit") if isinstance(answer, dict) else None
    return one_line(commit) if isinstance(commit, str) else ""
