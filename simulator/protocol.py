"""Requests and answers of AWS over HTTP, by the API's own models and moto's parsers.

Errors are serialized here: moto's errors of services with a JSON protocol are XML, and the AWS CLI
prints these as "An error occurred (403)".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from botocore import xform_name
from botocore.validate import ParamValidator
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class

from simulator.refusal import Refused

Json = dict[str, Any]
Headers = list[tuple[str, str]]

# Some services are signed under another name than that of their model.
SIGNED_AS = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}
# Unsigned requests: the token in them identifies the caller.
UNSIGNED = {"AssumeRoleWithWebIdentity": "sts"}


@dataclass(frozen=True)
class Asked:
    """One parsed request."""

    service: str  # as botocore names it
    operation: str  # as the API names it
    parameters: Json
    region: str
    access_key: str | None  # None if it is unsigned
    token: str
    protocol: str
    model: OperationModel

    @property
    def method(self) -> str:
        """The name of the operation in Python, for example `describe_services`."""
        return str(xform_name(self.operation))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes


def read(request: Request) -> Asked:
    """The operation that a request calls. Raises Refused if AWS has no such operation."""
    authorization = request.headers.get("Authorization", "")
    scope = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request", authorization)
    access_key: str | None
    if scope:
        access_key, region, signed = scope.groups()
        service = SIGNED_AS.get(signed, signed)
    else:
        access_key, region = None, "us-east-1"
        service = UNSIGNED.get(request.values.get("Action", ""), "")
        if not service:
            raise Refused(
                "MissingAuthenticationToken", "Request is missing Authentication Token", 403
            )
    model, in_path = get_service_router(service).match(request)
    protocol = determine_request_protocol(model.service_model, request.content_type)
    parameters = PROTOCOL_PARSERS[protocol](model).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": in_path,
        }
    )
    token = request.headers.get("X-Amz-Security-Token", "")
    return Asked(service, model.name, parameters, region, access_key, token, protocol, model)


def written(asked: Asked, answer: Json) -> Answer:
    """An answer in the protocol of its request.

    Raises AssertionError if it does not fit the API's model: then the simulation is wrong.
    """
    shape = asked.model.output_shape
    if shape is not None:
        report = ParamValidator().validate(answer, shape).generate_report()
        assert not report, f"{asked.service} {asked.operation} would not answer so: {report}"
    serializer = get_serializer_class(asked.service, asked.protocol)(asked.model)
    done = serializer.serialize(answer)
    headers = [*done["headers"].items(), ("x-amzn-RequestId", str(uuid4()))]
    body = done["body"]
    return Answer(done["status_code"], headers, body if isinstance(body, bytes) else body.encode())


def refusal(asked: Asked, refused: Refused) -> Answer:
    """An error in the protocol of its request."""
    request, code, message = str(uuid4()), refused.code, refused.message
    if asked.protocol in {"json", "rest-json"}:
        body = json.dumps({"__type": code, "message": message})
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)]
        if "awsQueryCompatible" in asked.model.service_model.metadata:
            headers.append(("x-amzn-query-error", f"{code};Sender"))
    else:
        error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        if asked.protocol == "ec2":
            body = (
                f"<Response><Errors><Error>{error}</Error></Errors>"
                f"<RequestID>{request}</RequestID></Response>"
            )
        else:
            sender = "Sender" if refused.status < 500 else "Receiver"
            body = (
                f"<ErrorResponse><Error><Type>{sender}</Type>{error}</Error>"
                f"<RequestId>{request}</RequestId></ErrorResponse>"
            )
        headers = [("Content-Type", "text/xml")]
    headers.append(("x-amzn-RequestId", request))
    return Answer(refused.status, headers, body.encode())


def speaks_json(asked: Asked) -> bool:
    """The name of a common error: services with a JSON protocol use other names."""
    metadata = asked.model.service_model.metadata
    return metadata.get("protocol") == "json" and "awsQueryCompatible" not in metadata


def in_utc(value: Any) -> Any:
    """An answer of a botocore client, with its times in UTC, as the serializers require."""
    if isinstance(value, Mapping):
        return {key: in_utc(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [in_utc(inner) for inner in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value
