"""How gunicorn's worker reads HTTP: as uvicorn does, on httptools, but without trailers."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HeaderProtocol(HttpToolsProtocol):
    """uvicorn appends trailers, the fields after a chunked body, to the headers of the request.

    So a client could add an X-Forwarded-For behind the load balancer's, and choose its address in
    the log.
    """

    def on_header(self, name: bytes, value: bytes) -> None:
        if "method" not in self.scope:  # the headers are not complete
            super().on_header(name, value)
