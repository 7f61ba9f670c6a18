"""The tool in a process of its own, as a user starts it, but with simulated time and URL.

    python tests/support/tool_process.py deploy        in the folder of a service

AWS is asked over HTTP, at AWS_ENDPOINT_URL, with the credentials of the environment. Time passes by
the clock of the simulation, and every URL leads to it (SIMULATED_REGISTRY is its address).
"""

import http.client
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, os.fspath(Path.cwd()))

from infra.tool.cli import main, real_runtime
from infra.tool.health import Response


def ask(path: str, host: str, timeout: float = 60) -> Response:
    connection = http.client.HTTPConnection(os.environ["SIMULATED_REGISTRY"], timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return Response(answer.status, answer.read())
    except http.client.HTTPException as broken:
        raise OSError(f"no HTTP response: {broken!r}") from broken
    finally:
        connection.close()


def fetch(url: str, *, timeout: float, via: str = "") -> Response:
    asked = urlsplit(url)
    return ask(asked.path, via or asked.netloc, timeout)


class SimulatedClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(float(ask("/clock", "simulation").body), UTC)

    def sleep(self, seconds: float) -> None:
        ask(f"/clock?sleep={seconds}", "simulation")


def resolve(host: str) -> frozenset[str]:
    return frozenset({host})


main(replace(real_runtime(), clock=SimulatedClock(), fetch=fetch, resolve=resolve))
