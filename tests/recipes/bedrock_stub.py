"""Amazon Bedrock's runtime endpoint on 127.0.0.1: `python bedrock_stub.py PORT`, 0 for any.

It is one file with the standard library and botocore, because it also runs beside a container. It
checks the signature of each request, and answers as the prompt says: see ANSWERS. `GET /requests`
tells what it was asked and which connections their clients closed, `GET /credentials` is what a
task gets its credentials from.
"""

import json
import re
import select
import socket
import sys
from binascii import crc32
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from struct import pack
from typing import Any
from urllib.parse import unquote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY = Credentials("ASIAEXAMPLE", "not-a-secret", "not-a-token")
REGION = "eu-west-1"
PATH = re.compile(r"/model/(?P<model>[^/]+)/(?P<operation>converse|converse-stream)")
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/\d+/(?P<region>[^/]+)/bedrock/aws4_request, "
    r"SignedHeaders=(?P<names>[^,]+), Signature=(?P<signature>\w+)"
)
ENDLESS = 60  # seconds: longer than any test

USAGE = {"inputTokens": 12, "outputTokens": 7, "totalTokens": 19}
METRICS = {"latencyMs": 300}
WHOLE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello!"}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
    "metrics": METRICS,
}


def frame(content: dict[str, Any], headers: dict[str, str]) -> bytes:
    """A frame: lengths, their checksum, headers of type string (7), payload, checksum of all.

    https://smithy.io/2.0/aws/amazon-eventstream.html
    """
    named = b""
    for name, value in headers.items():
        named += pack("!B", len(name)) + name.encode() + pack("!BH", 7, len(value)) + value.encode()
    payload = json.dumps(content).encode()
    prelude = pack("!II", 12 + len(named) + len(payload) + 4, len(named))
    message = prelude + pack("!I", crc32(prelude)) + named + payload
    return message + pack("!I", crc32(message))


def event(kind: str, content: dict[str, Any]) -> bytes:
    headers = {":message-type": "event", ":event-type": kind, ":content-type": "application/json"}
    return frame(content, headers)


def exception(kind: str) -> bytes:
    headers = {":message-type": "exception", ":exception-type": kind}
    return frame({"message": "Too many tokens of arn:aws:bedrock"}, headers)


BEGIN = event("messageStart", {"role": "assistant"})
PIECES = [
    event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}})
    for text in ("Hel", "lo", "!")
]
STOP = event("messageStop", {"stopReason": "end_turn"})
END = event("metadata", {"usage": USAGE, "metrics": METRICS})
FLOOD = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hel" * 10_000}})

Part = bytes | float  # a float is a pause in seconds
STREAM: list[Part] = [BEGIN, *PIECES, STOP, END]

# By the prompt: the status and code of a refusal, or the parts of a stream. The first part, if it
# is a pause, is before the head of the answer; the whole answer has the same pauses.
ANSWERS: dict[str, tuple[int, str] | list[Part]] = {
    "hello": STREAM,
    "throttle": (429, "ThrottlingException"),
    "deny": (403, "AccessDeniedException"),
    "throttle late": [BEGIN, PIECES[0], exception("throttlingException")],
    "damage": [BEGIN, PIECES[0], PIECES[1][:-1] + b"?"],
    "break": [BEGIN, PIECES[0]],
    "think": [BEGIN, PIECES[0], 17.0, *PIECES[1:], STOP, END],
    "go on": [BEGIN, PIECES[0], float(ENDLESS), STOP, END],
    "wait": [float(ENDLESS), *STREAM],
    "flood": [BEGIN, *[FLOOD] * 4000, STOP, END],
}


@dataclass
class Asked:
    path: str
    model: str
    content: dict[str, Any]
    refused: str = ""  # why, if the signature is wrong
    left: bool = False  # the client closed the connection before the end
    ended: bool = False


class BedrockHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[Asked]  # set by serve()

    def do_GET(self) -> None:
        if self.path == "/credentials":
            self.give(
                {
                    "AccessKeyId": KEY.access_key,
                    "SecretAccessKey": KEY.secret_key,
                    "Token": KEY.token,
                    "Expiration": "2099-01-01T00:00:00Z",
                }
            )
        else:
            self.give([asdict(each) for each in self.asked])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        named = PATH.fullmatch(self.path)
        assert named, self.path
        asked = Asked(self.path, unquote(named["model"]), json.loads(body))
        self.asked.append(asked)
        asked.refused = wrong_signature(self, body)
        if asked.refused:
            self.refuse(403, "InvalidSignatureException")
            return
        answer = ANSWERS[asked.content["messages"][-1]["content"][0]["text"]]
        if isinstance(answer, tuple):
            self.refuse(*answer)
        elif named["operation"] == "converse":
            self.answer(asked, answer)
        else:
            self.stream(asked, answer)
        asked.ended = True

    def answer(self, asked: Asked, parts: list[Part]) -> None:
        if all(self.wait(asked, part) for part in parts if isinstance(part, float)):
            self.give(WHOLE)

    def stream(self, asked: Asked, parts: list[Part]) -> None:
        first, *rest = parts
        if isinstance(first, float) and not self.wait(asked, first):
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.amazon.eventstream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for part in rest if isinstance(first, float) else parts:
                if isinstance(part, bytes):
                    self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                elif not self.wait(asked, part):
                    return
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            asked.left = self.close_connection = True

    def wait(self, asked: Asked, seconds: float) -> bool:
        """Whether the client is still there after a pause, which ends when it leaves."""
        readable, _, _ = select.select([self.connection], [], [], seconds)
        asked.left = bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        self.close_connection = asked.left
        return not asked.left

    def refuse(self, status: int, code: str) -> None:
        self.give(
            {"message": f"{code} of arn:aws:bedrock"},
            status,
            {"x-amzn-errortype": f"{code}:http://internal.amazon.com/coral/"},
        )

    def give(
        self, content: object, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        named = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in {**named, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def wrong_signature(handler: BedrockHandler, body: bytes) -> str:
    """The error in a request's signature; empty if the signature is correct."""
    given = AUTHORIZATION.fullmatch(handler.headers.get("Authorization", ""))
    if not given:
        return "no signature"
    if given["region"] != REGION:
        return f"signed for {given['region']}"
    if handler.headers.get("X-Amz-Security-Token") != KEY.token:
        return "another token"
    signed = {name: handler.headers[name] for name in given["names"].split(";")}
    url = f"http://{handler.headers['Host']}{handler.path}"
    request = AWSRequest(handler.command, url, signed, body)
    request.context["timestamp"] = handler.headers["X-Amz-Date"]
    signer = SigV4Auth(KEY, "bedrock", REGION)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    right = signer.signature(to_sign, request)
    return "" if right == given["signature"] else "another signature"


def serve(port: int, ready: Callable[[int], None]) -> None:
    handler = type("Handler", (BedrockHandler,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        ready(server.server_address[1])
        server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), lambda port: print(port, flush=True))
