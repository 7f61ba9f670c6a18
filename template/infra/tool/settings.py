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
from infra.tool.shapes import (
    BEDROCK_MODEL,
    EXAMPLE_ACCOUNT,
    EXAMPLE_REGISTRY,
    arn_of,
    each,
    fits,
    kms_key,
    matching,
    networks,
    of_this_account,
    one_of,
    quoted,
    stand_ins,
    switch,
    whole_number,
)
from infra.tool.tags import tag_table

NAME = r"(?!aws-|internal-)(?=.{3,24}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*"
REGION = r"([a-z]{2}|us-gov)-(central|(north|south)?(east|west)?)(?<!-)-[1-9]"
GITHUB_ISSUER = "token.actions.githubusercontent.com"
ECS_NAME = r"[A-Za-z0-9_-]{1,255}"
ROLE_NAME = r"[A-Za-z0-9+=,.@_-]{1,64}"
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
EcsName = Annotated[str, matching(ECS_NAME, "letters, digits, - and _, at most 255", "my-service")]
RoleName = Annotated[str, matching(ROLE_NAME, "the name of a role, not its ARN", "my-role")]
Subnets = Annotated[
    list[str],
    each(r"subnet-[0-9a-f]{8,17}", "ids of subnets", "subnet-0a1b2c3d", "subnet-4e5f6a7b"),
]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Service(Section):
    """The identity of the service: it cannot change later."""

    name: Annotated[
        str,
        matching(
            NAME,
            "3 to 24 lowercase letters, digits and single hyphens",
            "ai-assistant",
        ),
    ]
    account: Annotated[
        str,
        matching(
            r"[0-9]{12}",
            "12 digits in quotes, as `aws sts get-caller-identity` shows them",
            EXAMPLE_ACCOUNT,
        ),
    ]
    region: Annotated[str, matching(REGION, "the name of a region", "us-east-1")]
    partition: Annotated[str, matching(r"aws|aws-cn|aws-us-gov", "a partition of AWS", "aws")]
    registry: Annotated[str, matching(r"\S+", "an ECR registry", EXAMPLE_REGISTRY)]

    @field_validator("registry")
    @classmethod
    def _registry_is_of_account_and_region(cls, registry: str, info: ValidationInfo) -> str:
        if {"account", "region", "partition"} <= info.data.keys():  # each of them is right
            ending = ".amazonaws.com.cn" if info.data["partition"] == "aws-cn" else ".amazonaws.com"
            right = f"{info.data['account']}.dkr.ecr.{info.data['region']}{ending}"
            if registry != right:
                raise ValueError(
                    f"expects the ECR registry of this account and region, {quoted(right)}"
                )
        return registry


class Names(Section):
    """The names of AWS resources. Those that are absent follow from the service."""

    stack: Annotated[str, matching(r"[A-Za-z][A-Za-z0-9-]{0,127}", "letters, digits, -", "api")]
    repository: Annotated[
        str,
        matching(
            r"(?=.{2,256}\Z)[a-z0-9]+([._/-][a-z0-9]+)*",
            "the name of an ECR repository, not its address",
            "ai-assistant",
        ),
    ]
    cluster: EcsName
    service: EcsName
    family: EcsName
    container: EcsName
    log_group: Annotated[
        str, matching(r"[A-Za-z0-9._/#-]{1,512}", "the name of a log group", "/ecs/api")
    ]
    execution_role: RoleName
    task_role: RoleName
    deploy_role: RoleName


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
        service = service if isinstance(service, dict) else {}
        # A wrong name or region is told once, and not again by the names that follow from it.
        name = service["name"] if fits(service.get("name"), NAME) else "service"
        region = service["region"] if fits(service.get("region"), REGION) else "us-east-1"
        derived = {
            "stack": name,
            "repository": name,
            "cluster": f"{name}-cluster",
            "service": f"{name}-service",
            "family": f"{name}-task",
            "container": f"{name}-container",
            "log_group": f"/ecs/{name}-app",
            "execution_role": f"{name}-{region}-execution",
            "task_role": f"{name}-{region}-task",
            "deploy_role": f"{name}-{region}-github-actions",
        }
        return sections | {"names": derived | names}
