"""The application: it handles every request in the same order.

Call log, faults, authentication, permissions, then the simulator's own operations (which refuse
more than moto does), then moto. server.py receives requests over HTTP, transport.py in process.
"""

import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.request import Request

from simulator import permissions, protocol
from simulator.calls import Call, CallLog
from simulator.faults import UNKNOWN_CREDENTIALS, Faults, NoAnswer
from simulator.hooks import Action, Moments
from simulator.protocol import Answer, Asked, Json
from simulator.refusal import Refused
from simulator.service import World

GLOBAL = {"iam", "route53"}  # services whose requests are signed for a region of their own


@dataclass
class Application:
    world: World
    calls: CallLog
    faults: Faults
    moments: Moments
    services: Mapping[str, Any]
    elsewhere: Mapping[str, Any]  # the services of every other region, which are empty
    bugs: list[str] = field(default_factory=list)  # of the simulation itself, with their tracebacks

    def __post_init__(self) -> None:
        self.lock = threading.RLock()

    def handle(self, request: Request, serve: Callable[[Request], Answer] | None = None) -> Answer:
        """Handle one request at a time, by `serve` or as AWS; then run the hooks of its calls.

        Raises NoAnswer if the client must get no answer.
        """
        with self.lock:
            before = len(self.calls)
            answer = (serve or self.serve)(request)
            due = [
                action
                for call in list(self.calls)[before:]
                for action in self.moments.due(call.name)
            ]
        for action in due:
            self._come_to_pass(action)
        return answer

    def _come_to_pass(self, action: Action) -> None:
        try:
            action()
        except Exception:  # a client would treat it as a failure of the network
            self.bugs.append(traceback.format_exc())

    # --- a request ---

    def serve(self, request: Request) -> Answer:
        """Answer as AWS, to the principal that signed the request."""
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
        except NoAnswer as failure:
            self._note(call, 0, type(failure).__name__)
            raise
        except KeyboardInterrupt:
            self._note(call, 0, "Interrupted")
            raise
        except Exception:
            return self._bug(asked, call)
        self._note(call, answer.status)
        return answer

    def serve_inside(self, request: Request) -> Answer:
        """For clients inside the simulator: no call log, no permissions and no faults."""
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
        is_here = asked.region == self.world.account.region or asked.service in GLOBAL
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


# Names of the common errors in services with a JSON protocol: "Common error types" of each
# service's API Reference.
IN_JSON = {
    "AccessDenied": ("AccessDeniedException", 400),
    "ExpiredToken": ("ExpiredTokenException", 400),
    "InvalidClientTokenId": ("UnrecognizedClientException", 400),
}


def named(asked: Asked, refused: Refused) -> Refused:
    """A common error under its name in the service that was called."""
    if asked.service == "ec2" and refused.code == "AccessDenied":
        return Refused("UnauthorizedOperation", refused.message, 403)
    if refused.code in IN_JSON and protocol.speaks_json(asked):
        code, status = IN_JSON[refused.code]
        return Refused(code, refused.message, status)
    return refused
