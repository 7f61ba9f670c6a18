"""AWS: boto3 clients with one exception for all failures, and a record of changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from botocore.session import get_session
from botocore.utils import JSONFileCache

from infra.tool.errors import ExitCode, Problem, ToolError

if TYPE_CHECKING:
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient
    from mypy_boto3_wafv2 import WAFV2Client

REFUSED = Problem(
    "aws-refused",
    "AWS refused {operation}: {text}",
    "correct what AWS names, then run the command again",
)
DENIED = Problem(
    "aws-denied",
    "AWS denied {operation}: {text}",
    "the deploy role has the permissions of ops/iam-policy-github-actions.json, limited to the "
    "network and ECS Exec settings of the last provision; an administrator applies changes of "
    "them: uv run --frozen -m infra provision",
)
SIGN_IN = Problem(
    "sign-in",
    "AWS does not accept the credentials of this shell: {text}",
    "sign in, for example: aws sso login",
)
UNREACHABLE = Problem(
    "aws-unreachable",
    "AWS cannot be reached ({operation}): {text}",
    "check [service] region in infra/settings.toml and the network, then run the command again",
)
LOST = Problem(
    "answer-lost",
    "the response to {operation} was lost: {text}",
    "run the command again",
)
CHANGE_LOST = Problem(
    "change-unknown",
    "the response to {operation} was lost, so AWS may have carried it out: {text}",
    "run the same command again: it checks whether AWS did",
    ExitCode.UNKNOWN,
)

Client = TypeVar("Client", bound=BaseClient)

# A change set that is not executed changes no resource.
PLANS = frozenset({"CreateChangeSet", "DeleteChangeSet"})
READS = ("BatchCheck", "BatchGet", "Describe", "Filter", "Get", "List", "Lookup", "Simulate")
DENIED_CODES = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
# "Troubleshoot access denied error messages", IAM User Guide.
ABOVE = ("permissions boundary", "service control policy", "resource control policy")
CREDENTIAL_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# Raised before a request leaves this machine.
NOT_SENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError, SSLError)


class Kind(Enum):
    """The reason why AWS did not carry out a call, with the error that reports it."""

    REFUSED = REFUSED
    DENIED = DENIED
    SIGN_IN = SIGN_IN
    UNREACHABLE = UNREACHABLE
    LOST = LOST
    CHANGE_LOST = CHANGE_LOST


class AwsError(ToolError):
    """A call that AWS did not carry out, or whose response was lost."""

    def __init__(self, kind: Kind, operation: str, aws_code: str, text: str) -> None:
        super().__init__(kind.value, operation=operation, text=text)
        self.kind = kind
        self.operation = operation  # for example "ecs:UpdateService"
        self.aws_code = aws_code  # for example "ClusterNotFoundException"
        self.text = text

    @property
    def is_denied_above(self) -> bool:
        """Whether a permissions boundary or the organisation denies it, so that no policy of the
        account can allow it. IAM says so in its text alone."""
        return self.kind is Kind.DENIED and any(each in self.text for each in ABOVE)

    @property
    def proves_nothing_began(self) -> bool:
        """Whether AWS, or this machine, answered that the call was not carried out."""
        return self.kind is not Kind.CHANGE_LOST


def is_change(operation: str) -> bool:
    """Whether an operation, such as UpdateService, changes something in AWS."""
    return not operation.startswith(READS)


def kind_of_answer(code: str) -> Kind:
    """The kind of an error code of AWS, which proves that the call was not carried out."""
    if code in DENIED_CODES:
        return Kind.DENIED
    return Kind.SIGN_IN if code in CREDENTIAL_CODES else Kind.REFUSED


def kind_of_exception(error: Exception, operation: str) -> Kind:
    """The kind of an exception that botocore raised instead of returning an answer."""
    if not isinstance(error, (HTTPClientError, ResponseParserError, *NOT_SENT)):
        # Credentials, profiles or tokens failed before the request was sent. A ClientError here is
        # the answer to a request for credentials, such as AssumeRole.
        return Kind.SIGN_IN
    if is_change(operation):  # botocore retries: an earlier attempt may have been carried out
        return Kind.CHANGE_LOST
    return Kind.UNREACHABLE if isinstance(error, NOT_SENT) else Kind.LOST


@contextmanager
def tolerating(*aws_codes: str) -> Iterator[None]:
    """Suppress an answer with one of these error codes: there is nothing left to do."""
    try:
        yield
    except AwsError as error:
        if error.aws_code not in aws_codes:
            raise


class Aws:
    """Clients of one region. A failed call raises AwsError, whatever the cause."""

    def __init__(self, session: boto3.Session, region: str) -> None:
        self._session = session
        self._config = Config(
            region_name=region,
            connect_timeout=10,
            read_timeout=60,
            retries={"mode": "standard"},  # AWS_MAX_ATTEMPTS says how often
        )
        self.region = region
        self.changes: list[str] = []  # operations that changed something, or may have

    def _watched(self, client: Client) -> Client:
        service = client.meta.service_model.service_name
        client.meta.events.register("after-call", partial(self._answered, service))
        client.meta.events.register("after-call-error", partial(self._failed, service))
        return client

    def _answered(
        self,
        service: str,
        *,
        http_response: Any,
        parsed: Any,
        model: Any,
        context: dict[str, Any],
        **_: Any,
    ) -> None:
        operation = f"{service}:{model.name}"
        if http_response.status_code >= 300:
            error = parsed.get("Error", {})
            code = context.get("error_code_override") or error.get("Code", "")
            text = f"{error.get('Message') or 'no reason was given'} ({code})"
            raise AwsError(kind_of_answer(code), operation, code, text)
        if is_change(model.name) and model.name not in PLANS:
            self.changes.append(operation)

    def _failed(self, service: str, *, exception: Exception, event_name: str, **_: Any) -> None:
        if not isinstance(exception, (BotoCoreError, ClientError, ResponseParserError)):
            return  # not a failure of the call: botocore raises it again
        name = event_name.rpartition(".")[2]
        operation, kind = f"{service}:{name}", kind_of_exception(exception, name)
        if kind is Kind.CHANGE_LOST and name not in PLANS:
            self.changes.append(operation)
        raise AwsError(kind, operation, type(exception).__name__, str(exception)) from exception

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        return self._watched(self._session.client("cloudformation", config=self._config))

    @cached_property
    def cloudwatch(self) -> "CloudWatchClient":
        return self._watched(self._session.client("cloudwatch", config=self._config))

    @cached_property
    def ec2(self) -> "EC2Client":
        return self._watched(self._session.client("ec2", config=self._config))

    @cached_property
    def ecr(self) -> "ECRClient":
        return self._watched(self._session.client("ecr", config=self._config))

    @cached_property
    def ecs(self) -> "ECSClient":
        return self._watched(self._session.client("ecs", config=self._config))

    @cached_property
    def elbv2(self) -> "ElasticLoadBalancingv2Client":
        return self._watched(self._session.client("elbv2", config=self._config))

    @cached_property
    def iam(self) -> "IAMClient":
        return self._watched(self._session.client("iam", config=self._config))

    @cached_property
    def kms(self) -> "KMSClient":
        return self._watched(self._session.client("kms", config=self._config))

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        return self._watched(self._session.client("logs", config=self._config))

    @cached_property
    def route53(self) -> "Route53Client":
        return self._watched(self._session.client("route53", config=self._config))

    @cached_property
    def s3(self) -> "S3Client":
        return self._watched(self._session.client("s3", config=self._config))

    @cached_property
    def scaling(self) -> "ApplicationAutoScalingClient":
        return self._watched(
            self._session.client("application-autoscaling", config=self._config),
        )

    @cached_property
    def wafv2(self) -> "WAFV2Client":
        return self._watched(self._session.client("wafv2", config=self._config))

    @cached_property
    def sts(self) -> "STSClient":
        return self._watched(self._session.client("sts", config=self._config))


def shared_session() -> boto3.Session:
    """A session with credentials from AWS's usual chain. Credentials of assumed roles are cached in
    the AWS CLI's folder, so that not every command asks for MFA.

    Raises AwsError if the profile does not exist or has no credentials.
    """
    core = get_session()
    try:
        chain = core.get_component("credential_provider")
        chain.get_provider("assume-role").cache = JSONFileCache(
            str(Path.home() / ".aws" / "cli" / "cache")
        )
        core.get_credentials()
    # OSError and ValueError: a credential_process that does not exist, or prints no JSON.
    except (BotoCoreError, ClientError, OSError, ValueError) as error:
        raise AwsError(Kind.SIGN_IN, "sign-in", type(error).__name__, str(error)) from error
    return boto3.Session(botocore_session=core)
