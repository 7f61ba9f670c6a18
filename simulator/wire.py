"""The HTTP server: one request becomes one call, and goes through the same stations.

Call log, faults, who asks, what they may, then our own operations (which are strict where moto is
not), then moto.
"""

import socket
import threading
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from wsgiref.types import StartResponse

from moto.core.request import Request
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from simulator import permissions, protocol
from simulator.calls import Call, CallLog
from simulator.faults import UNKNOWN_CREDENTIALS, ConnectionDropped, Faults
from simulator.images import Registry
from simulator.load_balancer import LoadBalancer
from simulator.moments import Action, Moments
from simulator.protocol import Answer, Asked, Json
from simulator.refusal import Refused
from simulator.service import World


class Operations(Protocol):
    """A service: its operations are methods by their snake_case names."""

    def __getattr__(self, name: str) -> Any: ...


class Silent(WSGIRequestHandler):
    """The call log is where to look, not the terminal."""

    def log(self, *_: Any, **__: Any) -> None:
        pass


@dataclass
class Wire:
    world: World
    calls: CallLog
    faults: Faults
    moments: Moments
    services: Mapping[str, Any]
    elsewhere: Mapping[str, Any]  # the services of every other region, in which nothing is
    registry: Registry
    load_balancer: LoadBalancer
    bugs: list[str] = field(default_factory=list)  # of the simulation itself, with their traces

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._server: BaseWSGIServer | None = None

    # --- the server ---

    def start(self) -> None:
        self._server = make_server(
            "127.0.0.1",
            0,
            self,
            threaded=True,
            request_handler=Silent,  # any free port
        )
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.05,), name="simulated-aws", daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def address(self) -> str:
        assert self._server, "the simulated AWS has not been started"
        return f"127.0.0.1:{self._server.port}"

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        due: list[Action] = []
        try:
            with self.lock:
                before = len(self.calls)
                if request.path.startswith("/v2/"):
                    answer = self.registry.serve(request)
                elif request.host != self.address and self.load_balancer.stands_at(request.host):
                    answer = self.load_balancer.serve(request)
                else:
                    answer = self.serve(request)
                for call in list(self.calls)[before:]:
                    due += self.moments.due(call.name)
        except ConnectionDropped:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionError("as asked for") from None
        for action in due:
            self._come_to_pass(action)
        length = [] if has(answer, "Content-Length") else [content_length(answer)]
        name = HTTP_STATUS_CODES.get(answer.status, "Unknown")
        start_response(f"{answer.status} {name}", answer.headers + length)
        return [b"" if request.method == "HEAD" else answer.body]

    def _come_to_pass(self, action: Action) -> None:
        try:
            action()
        except Exception:  # nobody would hear of it in this thread
            self.bugs.append(traceback.format_exc())

    # --- a request ---

    def serve(self, request: Request) -> Answer:
        """For a request that came by HTTP."""
        try:
            asked = protocol.read(request)
        except Refused as refused:
            return Answer(refused.status, [], refused.message.encode())
        call = Call(asked.service, asked.operation, asked.parameters)
        self.calls.add(call)
        try:
            self.faults.strike(call.name)
            self._authenticate(asked, call)
            answer = self.carry_out(asked)
            self.faults.strike(call.name, late=True)
        except Refused as refused:
            refused = named(asked, refused)
            self._note(call, refused.status, refused.code)
            return protocol.refusal(asked, refused)
        except ConnectionDropped:
            self._note(call, 0, "ConnectionDropped")
            raise
        except Exception:
            return self._bug(asked, call)
        self._note(call, answer.status)
        return answer

    def serve_inside(self, request: Request) -> Answer:
        """For a client of the simulation's own: nothing is logged, forbidden or made to fail."""
        with self.lock:
            asked = protocol.read(request)
            outside, self.world.caller = self.world.caller, self.world.principals.root
            try:
                return self.carry_out(asked)
            except Refused as refused:
                return protocol.refusal(asked, named(asked, refused))
            finally:
                self.world.caller = outside

    def carry_out(self, asked: Asked) -> Answer:
        return protocol.written(asked, self._answer(asked))

    def _answer(self, asked: Asked) -> Json:
        is_here = asked.region == self.world.account.region or asked.service == "iam"
        service = (self.services if is_here else self.elsewhere).get(asked.service)
        operation = getattr(service, asked.method, None)
        answer: Json
        if operation:
            answer = operation(asked.parameters)
        elif asked.service in self.world.whole or not is_here:
            raise NotImplementedError(f"{asked.service}:{asked.operation} is not simulated")
        else:
            account = self.world.account
            answer = account.moto(asked.service, asked.operation, asked.parameters)
        return answer

    def _authenticate(self, asked: Asked, call: Call) -> None:
        principals = self.world.principals
        if asked.access_key is None:
            self.world.caller = principals.nobody
            return
        try:
            caller = principals.whose(asked.access_key, asked.token)
        except KeyError:
            raise UNKNOWN_CREDENTIALS from None
        self.world.caller = caller
        call.principal = caller.arn
        if caller.kind != "root":
            account = self.world.account
            required = permissions.needs(asked.service, asked.operation, asked.parameters, account)
            principals.check(caller, required)

    def _note(self, call: Call, status: int, error: str = "") -> None:
        call.status, call.error = status, error

    def _bug(self, asked: Asked, call: Call) -> Answer:
        self.bugs.append(traceback.format_exc())
        self._note(call, 400, "SimulationAtALoss")
        return protocol.refusal(asked, Refused("SimulationAtALoss", self.bugs[-1]))


# What the errors that every service shares are called where a service speaks JSON: "Common error
# types" of each service's API Reference.
IN_JSON = {
    "AccessDenied": ("AccessDeniedException", 400),
    "ExpiredToken": ("ExpiredTokenException", 400),
    "InvalidClientTokenId": ("UnrecognizedClientException", 400),
}


def named(asked: Asked, refused: Refused) -> Refused:
    """A common error by the name that it has in the service that was asked."""
    if asked.service == "ec2" and refused.code == "AccessDenied":
        return Refused("UnauthorizedOperation", refused.message, 403)
    if refused.code in IN_JSON and protocol.speaks_json(asked):
        code, status = IN_JSON[refused.code]
        return Refused(code, refused.message, status)
    return refused


def has(answer: Answer, header: str) -> bool:
    return any(name.lower() == header.lower() for name, _ in answer.headers)


def content_length(answer: Answer) -> tuple[str, str]:
    return "Content-Length", str(len(answer.body))
