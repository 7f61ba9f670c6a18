"""The HTTP server, for scripts: AWS, the registry, the load balancers and the clock on one port."""

import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from wsgiref.types import StartResponse

from moto.core.request import Request
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from simulator.application import Application
from simulator.clock import Clock
from simulator.faults import ConnectionDropped, NoAnswer
from simulator.images import Registry
from simulator.load_balancer import LoadBalancer
from simulator.protocol import Answer


class Silent(WSGIRequestHandler):
    """No output on the terminal: the call log has every request."""

    def log(self, *_: Any, **__: Any) -> None:
        pass


@dataclass
class Server:
    application: Application
    registry: Registry
    load_balancer: LoadBalancer
    clock: Clock

    def __post_init__(self) -> None:
        self._running: BaseWSGIServer | None = None

    @property
    def address(self) -> str:
        """HOST:PORT. The server starts when the address is first needed."""
        if self._running is None:
            self._running = self._start()
        return f"127.0.0.1:{self._running.port}"

    def _start(self) -> BaseWSGIServer:
        any_port = 0
        server = make_server("127.0.0.1", any_port, self, threaded=True, request_handler=Silent)
        serve = server.serve_forever
        threading.Thread(target=serve, args=(0.05,), name="simulated-aws", daemon=True).start()
        return server

    def stop(self) -> None:
        if self._running:
            self._running.shutdown()
            self._running.server_close()
            self._running = None

    def leave(self) -> None:
        """For a fork, in which the server's thread does not run: `address` starts another one."""
        self._running = None

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            answer = self.application.handle(request, self._serve)
        except NoAnswer as failure:
            if not isinstance(failure, ConnectionDropped):
                self.application.bugs.append(f"{failure!r} is only simulated in process")
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionError("as asked for") from None
        length = [] if has(answer, "Content-Length") else [content_length(answer)]
        name = HTTP_STATUS_CODES.get(answer.status, "Unknown")
        start_response(f"{answer.status} {name}", answer.headers + length)
        return [b"" if request.method == "HEAD" else answer.body]

    def _serve(self, request: Request) -> Answer:
        if request.path == "/clock":
            return self._tell_time(request)
        if request.path.startswith("/v2/"):
            return self.registry.serve(request)
        if request.host != self.address and self.load_balancer.stands_at(request.host):
            return self.load_balancer.serve(request)
        return self.application.serve(request)

    def _tell_time(self, request: Request) -> Answer:
        """For the tool in another process: seconds since 1970, after the requested pause."""
        self.clock.sleep(float(request.args.get("sleep", 0)))
        return Answer(200, [], str(int(self.clock.now().timestamp())).encode())


def has(answer: Answer, header: str) -> bool:
    return any(name.lower() == header.lower() for name, _ in answer.headers)


def content_length(answer: Answer) -> tuple[str, str]:
    return "Content-Length", str(len(answer.body))
