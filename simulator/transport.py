"""Connects a botocore client to the simulation in this process, without a socket or a thread."""

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from moto.core.request import Request

from simulator.faults import ConnectionDropped, NoAnswer, TimedOut, Unreachable
from simulator.protocol import Answer

AS_BOTOCORE_SAYS: Mapping[type[NoAnswer], type[BotoCoreError]] = {
    ConnectionDropped: ConnectionClosedError,
    TimedOut: ReadTimeoutError,
    Unreachable: EndpointConnectionError,
}
Send = Callable[..., AWSResponse]  # a handler of botocore's event `before-send`


class Body(BytesIO):
    """The body of an answer, as botocore reads it."""

    def stream(self, **_: Any) -> Any:
        yield self.read()


def in_path(url: str) -> str:
    """A URL of S3 with the bucket in its path, where moto reads it, instead of in its host."""
    parts = urlsplit(url)
    bucket, dot, rest = parts.netloc.partition(".s3.")
    if not dot:
        return url
    return urlunsplit(parts._replace(netloc=f"s3.{rest}", path=f"/{bucket}{parts.path}"))


def through(answer: Callable[[Request], Answer]) -> Send:
    """A handler that passes a prepared request to `answer` instead of the network.

    Raises the errors of botocore's own HTTP session if the network fails, so that it retries.
    """

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        arrived = Request.from_primitives(
            request.method, in_path(request.url), request.headers, request.body
        )
        try:
            answered = answer(arrived)
        except NoAnswer as failure:
            raise AS_BOTOCORE_SAYS[type(failure)](endpoint_url=request.url) from failure
        headers: Any = HeadersDict(answered.headers)
        return AWSResponse(request.url, answered.status, headers, Body(answered.body))

    return send
