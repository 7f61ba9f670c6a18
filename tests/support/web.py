"""HTTP servers on 127.0.0.1, with a certificate if they are asked for one."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trustme

Headers = dict[str, str]


@dataclass
class Web:
    """A server that gives the same answer to every GET, and records the requests."""

    status: int = 200
    body: bytes = b""
    headers: Headers = field(default_factory=dict)
    raw: bytes = b""  # instead of an answer that HTTP allows
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)  # (Host, path)


def healthy(commit: str) -> Web:
    return Web(body=json.dumps({"status": "ok", "commit": commit}).encode())


@contextmanager
def serving(web: Web, *, certificate_for: str = "") -> Iterator[Web]:
    """Run the server during the block. With a certificate it accepts only HTTPS."""

    class RecordingHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append((self.headers["Host"], self.path))
            if web.raw:
                self.wfile.write(web.raw)
                return
            self.send_response(web.status)
            for name, value in web.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(web.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), RecordingHandler)
    if certificate_for:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert(certificate_for).configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


AUTHORITY = trustme.CA()
