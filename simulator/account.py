"""The account that all simulated services share."""

import os
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.handlers import json_decode_policies
from moto.core.botocore_stubber import BotocoreStubber
from moto.moto_api._internal.models import moto_api_backend

from simulator.api_models import plain_session
from simulator.clock import Clock
from simulator.protocol import Json, in_utc
from simulator.refusal import Refused
from simulator.transport import Send

# moto would fill each new account with 1300 machine images of EC2, in half a second.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"


@dataclass
class Account:
    """One account in one region, its clock, and its state as moto keeps it."""

    id: str
    region: str
    partition: str = "aws"
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self._session = plain_session()
        self.iam_changes = 0  # what was read in IAM is true until this number changes
        self._clients: dict[str, Any] = {}
        self._stubber = BotocoreStubber()
        self._stubber.enabled = True

    def arn(self, service: str, rest: str, *, region: str | None = None) -> str:
        where = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{where}:{self.id}:{rest}"

    def client(self, service: str, send: Send) -> Any:
        """A botocore client that the account's root uses, with `send` in place of the network."""
        client = self._session.create_client(
            service,
            region_name=self.region,
            aws_access_key_id="AKIAROOT000000000000",
            aws_secret_access_key="root",
            config=Config(  # type: ignore[call-arg]
                retries={"total_max_attempts": 1},
                parameter_validation=True,
                ignore_configured_endpoint_urls=True,  # a test may set AWS_ENDPOINT_URL
            ),
        )
        events: Any = client.meta.events
        events.register("before-send", send)
        return client

    def moto(self, service: str, operation: str, parameters: Json | None = None) -> Json:
        """The answer of moto to an operation of the API. Raises Refused if moto refuses it."""
        if service == "iam" and not operation.startswith(("Get", "List")):
            self.iam_changes += 1
        if service not in self._clients:
            client = self.client(service, self._to_moto)
            # Policies stay as IAM writes them: the caller has them read by its own client.
            client.meta.events.unregister("after-call.iam", json_decode_policies)
            self._clients[service] = client
        try:
            call = getattr(self._clients[service], xform_name(operation))
            answer: Json = call(**(parameters or {}))
        except ClientError as error:
            said, meta = error.response["Error"], error.response["ResponseMetadata"]
            raise Refused(said["Code"], said["Message"], meta["HTTPStatusCode"]) from error
        except ParamValidationError as error:
            raise Refused("ValidationException", str(error)) from error
        del answer["ResponseMetadata"]
        settled: Json = in_utc(answer)
        return settled

    def _to_moto(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        request.headers["x-moto-account-id"] = self.id
        response = self._stubber("before-send", request)
        assert response is not None, f"moto has no {request.url}"
        return response

    def reset(self) -> None:
        """Delete everything. moto has one state for a process, so an account is not shared."""
        self.clock.reset()
        self.iam_changes += 1
        moto_api_backend.reset()
