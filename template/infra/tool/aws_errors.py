"""One exception for every call that AWS did not carry out, and the reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from infra.tool.errors import ExitCode, Problem, ToolError

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
