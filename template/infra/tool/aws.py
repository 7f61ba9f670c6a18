"""AWS: boto3 clients that raise AwsError for all failures, and a record of changes."""

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
)
from botocore.parsers import ResponseParserError
from botocore.session import get_session
from botocore.utils import JSONFileCache

from infra.tool.aws_errors import AwsError, Kind, is_change, kind_of_answer, kind_of_exception

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

Client = TypeVar("Client", bound=BaseClient)

# A change set that is not executed changes no resource.
PLANS = frozenset({"CreateChangeSet", "DeleteChangeSet"})


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
