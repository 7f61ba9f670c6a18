"""The settings of a service, as typed models: each value has one shape."""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from infra.tool.scan import SEVERITIES
from infra.tool.security import BUCKET, Security
from infra.tool.service_names import Names, Service, names_of
from infra.tool.shapes import (
    BEDROCK_MODEL,
    arn_of,
    each,
    kms_key,
    matching,
    networks,
    of_this_account,
    one_of,
    stand_ins,
    switch,
    whole_number,
)
from infra.tool.tags import tag_table

GITHUB_ISSUER = "token.actions.githubusercontent.com"
DOMAIN = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
# The periods that CloudWatch Logs offers (PutRetentionPolicy), in days.
RETENTION = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)

Text = Annotated[
    str,
    matching(
        r"(?!\s)[^\x00-\x1f\x7f]*(?<!\s)",
        "text without control characters and without blanks at its ends",
        "production",
    ),
]
Subnets = Annotated[
    list[str],
    each(r"subnet-[0-9a-f]{8,17}", "ids of subnets", "subnet-0a1b2c3d", "subnet-4e5f6a7b"),
]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tasks(Section):
    min: Annotated[int, whole_number(1, 1)]
    max: Annotated[int, whole_number(1, 4)]
    subnets: Subnets = []
    public_ip: Annotated[bool, BeforeValidator(switch)] = True

    @field_validator("max")
    @classmethod
    def _max_is_at_least_min(cls, most: int, info: ValidationInfo) -> int:
        least: int = info.data.get("min", most)
        if most < least:
            raise ValueError(f"is below the minimum, {least}: for example {least + 3}")
        return most


class Deploy(Section):
    poll_seconds: Annotated[int, whole_number(0, 5)] = 5
    timeout_seconds: Annotated[int, whole_number(0, 1500)] = 1500
    # Relative paths start at the root of the service.
    build_flags: Annotated[
        list[str], each(r"[^\x00]+", "options of docker build", "--network=host", unique=False)
    ] = []
    # The most severe finding of ECR's scan that is deployed; empty: any.
    max_severity: Annotated[str, one_of(("", *SEVERITIES), "HIGH")] = ""
    # None: unless the load balancer is internal or allows few addresses
    reachable: Annotated[bool | None, BeforeValidator(switch)] = None
    # The values that test-image uses for secrets.
    test_secrets: Annotated[dict[str, str], BeforeValidator(stand_ins)] = {}


class GitHub(Section):
    repository: Annotated[
        str,
        matching(
            r"|(?!.*[.]git\Z)[A-Za-z0-9]+([-_][A-Za-z0-9]+)*/(?![.]{1,2}\Z)[A-Za-z0-9._-]{1,100}",
            "owner/name, not a URL",
            "my-company/ai-assistant",
        ),
    ] = ""
    environment: Text = ""
    subject: Annotated[
        str,
        matching(
            r"|[^*?\s:]+:[^*?\x00-\x1f\x7f]+(?<!\s)",
            "the subject of one branch or environment, without * and ?",
            "repo:my-company/ai-assistant:ref:refs/heads/main",
        ),
    ] = ""
    issuer: Annotated[
        str,
        matching(
            rf"{DOMAIN}(/[A-Za-z0-9._-]+)?",
            "the host and path of an OIDC issuer, without https://",
            GITHUB_ISSUER,
        ),
    ] = GITHUB_ISSUER
    deploy_user: Annotated[
        str,
        matching(r"|[A-Za-z0-9+=,.@_-]{1,64}", "the name of an IAM user, not its ARN", "deployer"),
    ] = ""


class Network(Section):
    vpc: Annotated[str, matching(r"|vpc-[0-9a-f]{8,17}", "the id of one VPC", "vpc-0a1b2c3d")] = ""
    subnets: Subnets = []
    internal: Annotated[bool, BeforeValidator(switch)] = False
    allowed_cidrs: Annotated[list[str], BeforeValidator(networks)] = []  # none: everywhere

    @property
    def scheme(self) -> str:
        """Of the load balancer, in AWS's words."""
        return "internal" if self.internal else "internet-facing"


class Https(Section):
    domain: Annotated[
        str, matching(rf"|{DOMAIN}", "a domain name, without https://", "api.example.com")
    ] = ""
    certificate: Annotated[
        str,
        arn_of(
            "acm",
            r"certificate/[0-9a-f-]{36}",
            "one certificate",
            "certificate/" + "0" * 8 + "-0000-0000-0000-" + "0" * 12,
        ),
    ] = ""

    hosted_zone: Annotated[
        str,
        matching(
            r"|Z[A-Z0-9]{1,31}",
            "the id of a hosted zone of Route 53, without /hostedzone/",
            "Z0123456789ABCDEFGHIJ",
        ),
    ] = ""
    hsts_seconds: Annotated[int, whole_number(0, 31_536_000)] = 0

    @property
    def is_on(self) -> bool:
        return bool(self.certificate or self.hosted_zone)

    @field_validator("certificate", "hosted_zone")
    @classmethod
    def _they_have_a_domain(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("domain") == "":
            raise ValueError(
                'needs the domain that it is for: for example domain = "api.example.com"'
            )
        return value

    @field_validator("hsts_seconds")
    @classmethod
    def _only_https_has_hsts(cls, seconds: int, info: ValidationInfo) -> int:
        if seconds and not (info.data.get("certificate", "?") or info.data.get("hosted_zone", "?")):
            raise ValueError(
                "needs certificate or hosted_zone, because browsers ignore it over HTTP: without "
                "them, for example 0"
            )
        return seconds


class Logs(Section):
    retention_days: Annotated[int, one_of(RETENTION, 30), whole_number(1, 30)] = 30


class Alarms(Section):
    topic: Annotated[str, arn_of("sns", r"[A-Za-z0-9_-]{1,256}", "one SNS topic", "alarms")] = ""
    roll_back: Annotated[bool, BeforeValidator(switch)] = False  # whether they end a deployment


class Observe(Section):
    container_insights: Annotated[
        str, matching(r"|disabled|enabled|enhanced", "enabled, enhanced or disabled", "enabled")
    ] = ""
    dashboard: Annotated[bool, BeforeValidator(switch)] = False


class Permissions(Section):
    bedrock_models: Annotated[
        list[str],
        each(BEDROCK_MODEL, "ids or ARNs of models or inference profiles", "amazon.nova-lite-v1:0"),
        AfterValidator(of_this_account),
    ] = []
    s3_read_buckets: Annotated[list[str], each(BUCKET, "names of buckets", "my-bucket")] = []
    tracing: Annotated[str, one_of(("", "xray"), "xray")] = ""
    secrets_key: Annotated[str, kms_key()] = ""


class Settings(Section):
    service: Service
    names: Names
    tasks: Tasks
    deploy: Deploy = Deploy()
    github: GitHub = GitHub()
    network: Network = Network()
    https: Https = Https()
    logs: Logs = Logs()
    alarms: Alarms = Alarms()
    observe: Observe = Observe()
    permissions: Permissions = Permissions()
    security: Security = Security()
    tags: Annotated[dict[str, str], BeforeValidator(tag_table)] = {}

    @property
    def is_reachable(self) -> bool:
        """Whether the URL is expected to answer from where deploys run."""
        if self.deploy.reachable is not None:
            return self.deploy.reachable
        return not (self.network.internal or self.network.allowed_cidrs)

    def role_arn(self, name: str) -> str:
        """Of a role of the stack."""
        service, path = self.service, self.security.role_path or "/"
        return f"arn:{service.partition}:iam::{service.account}:role{path}{name}"

    @model_validator(mode="before")
    @classmethod
    def _absent_names_follow_from_the_service(cls, sections: Any) -> Any:
        service, names = sections.get("service"), sections.get("names", {})
        if not isinstance(names, dict):
            return sections
        return sections | {"names": names_of(service) | names}
