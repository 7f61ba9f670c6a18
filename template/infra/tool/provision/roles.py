"""Resources that an account has once: GitHub's identity provider, and the roles that AWS itself
assumes. They are created if missing, and never deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from infra.tool.aws_errors import AwsError, tolerating
from infra.tool.errors import Problem
from infra.tool.provision.lost import role_exists
from infra.tool.target import Target

NOT_SHOWN = Problem(
    "role-not-shown",
    "the role {role} was created, but IAM does not return it after {looks} attempts",
    "{again}",
)

AUDIENCE = "sts.amazonaws.com"
LOOKS = 12  # for a new role; IAM usually shows it within seconds


class Provider(Enum):
    """The state of the identity provider."""

    FOUND = "found"
    MISSING = "missing"
    INCOMPLETE = "incomplete"  # without the audience of AWS


@dataclass(frozen=True)
class ServiceRole:
    """A service-linked role."""

    service: str
    name: str


# "Using service-linked roles" in the user guides of the three services.
SERVICE_ROLES = (
    ServiceRole("ecs.amazonaws.com", "AWSServiceRoleForECS"),
    ServiceRole(
        "ecs.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_ECSService",
    ),
    ServiceRole("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing"),
)


@dataclass(frozen=True)
class Missing:
    """The provider and the roles that the account lacks."""

    provider: Provider
    roles: Sequence[ServiceRole]


def read(target: Target) -> Missing:
    """Raises AwsError."""
    roles = [role for role in SERVICE_ROLES if not role_exists(target.aws, role.name)]
    return Missing(read_provider(target), roles)


def read_provider(target: Target) -> Provider:
    try:
        found = target.aws.iam.get_open_id_connect_provider(
            OpenIDConnectProviderArn=provider_arn(target)
        )
    except AwsError as error:
        if error.aws_code == "NoSuchEntity":
            return Provider.MISSING
        raise
    return Provider.FOUND if AUDIENCE in found["ClientIDList"] else Provider.INCOMPLETE


def provider_arn(target: Target) -> str:
    service, issuer = target.settings.service, target.settings.github.issuer
    return f"arn:{service.partition}:iam::{service.account}:oidc-provider/{issuer}"


def print_plan(target: Target, missing: Missing) -> None:
    """Say what `create` would do."""
    issuer = target.settings.github.issuer
    if missing.provider is Provider.MISSING:
        target.fact("provider", f"to create: {issuer}")
    if missing.provider is Provider.INCOMPLETE:
        target.fact("provider", f"to add: the audience {AUDIENCE} of {issuer}")
    for role in missing.roles:
        target.fact("role", f"to create, for AWS itself: {role.name}")


def create(target: Target, missing: Missing) -> None:
    """Create what the account lacks. Another run may do the same meanwhile. Raises ToolError."""
    create_provider(target, missing.provider)
    for role in missing.roles:
        create_service_role(target, role)


def create_provider(target: Target, state: Provider) -> None:
    iam, issuer = target.aws.iam, target.settings.github.issuer
    if state is Provider.MISSING:
        with tolerating("EntityAlreadyExists"):
            iam.create_open_id_connect_provider(Url=f"https://{issuer}", ClientIDList=[AUDIENCE])
        target.fact("provider", f"created: {issuer}")
    if state is Provider.INCOMPLETE:
        iam.add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=provider_arn(target), ClientID=AUDIENCE
        )
        target.fact("provider", f"added: the audience {AUDIENCE} of {issuer}")


def create_service_role(target: Target, role: ServiceRole) -> None:
    try:
        target.aws.iam.create_service_linked_role(AWSServiceName=role.service)
    except AwsError as error:
        # IAM's answer if the role exists; the code stands for other mistakes, too.
        if error.aws_code != "InvalidInput" or not role_exists(target.aws, role.name):
            raise
    wait_for_role(target, role.name)
    target.fact("role", f"created, for AWS itself: {role.name}")


def wait_for_role(target: Target, name: str) -> None:
    """A service that is asked for before IAM shows its role refuses to work. Raises ToolError."""
    for _ in range(LOOKS):
        if role_exists(target.aws, name):
            return
        target.runtime.clock.sleep(target.settings.deploy.poll_seconds)
    raise NOT_SHOWN(role=name, looks=LOOKS, again=target.again)
