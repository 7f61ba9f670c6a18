"""The parameters of infra/stack.yml. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from infra.tool.provision import arns
from infra.tool.provision.grants import Grant, Grants, Kind
from infra.tool.provision.zone_records import Names
from infra.tool.settings import Settings
from infra.tool.shapes import of_version

# Parameters that grant something, in the words of a plan.
GRANTS = {kind.parameter: kind.word for kind in Kind} | {
    "BedrockModelArns": "model",
    "S3BucketArns": "bucket",
}

# Without limits; egress.py says which there are.
NO_EGRESS = {"EgressCidrs": "", "EgressPrefixLists": "", "LimitEgress": ""}


@dataclass(frozen=True)
class Choices:
    """Values that the settings leave open, or that are read elsewhere."""

    grants: Grants  # of the execution role
    subject: str
    vpc: str
    subnets: tuple[str, ...]
    dns: Names = field(default_factory=Names)
    had: Mapping[str, str] = field(default_factory=dict)  # the parameters of the stack
    egress: Mapping[str, str] = field(default_factory=lambda: NO_EGRESS)


def parameters(settings: Settings, choices: Choices) -> dict[str, str]:
    """Every parameter of infra/stack.yml. Lists are comma separated."""
    names, permissions, security = settings.names, settings.permissions, settings.security
    had = choices.had
    return {
        "AppName": settings.service.name,
        "RepositoryName": names.repository,
        "LogGroupName": names.log_group,
        "LogRetentionDays": str(settings.logs.retention_days),
        "ClusterName": names.cluster,
        "ServiceName": names.service,
        "ExecutionRoleName": names.execution_role,
        **{kind.parameter: ",".join(of_kind(choices.grants, kind)) for kind in Kind},
        "SecretsKeyArn": permissions.secrets_key,
        "TaskRoleName": names.task_role,
        "BedrockModelArns": ",".join(arns.models(settings)),
        "S3BucketArns": ",".join(arns.buckets(settings)),
        "Tracing": permissions.tracing,
        "DeployRoleName": names.deploy_role,
        "GitHubSubject": choices.subject,
        "VpcId": choices.vpc,
        "SubnetIds": ",".join(choices.subnets),
        "TaskSubnetIds": ",".join(settings.tasks.subnets),
        "AssignPublicIp": "ENABLED" if settings.tasks.public_ip else "DISABLED",
        "LoadBalancerScheme": settings.network.scheme,
        "AllowedIpv4Cidrs": ",".join(of_version(settings.network.allowed_cidrs, 4)),
        "AllowedIpv6Cidrs": ",".join(of_version(settings.network.allowed_cidrs, 6)),
        "DomainName": settings.https.domain,
        "CertificateArn": settings.https.certificate,
        "CertificateZoneId": choices.dns.certificate_zone,
        "RecordZoneId": choices.dns.record_zone,
        "HstsSeconds": hsts_seconds(settings, choices.had),
        "ContainerInsights": container_insights(settings, choices.had),
        "DrawDashboard": "true" if settings.observe.dashboard else "",
        "AlarmTopicArn": settings.alarms.topic,
        "PermissionsBoundaryArn": security.permissions_boundary,
        "RolePath": security.role_path,
        "LogKeyArn": security.log_key,
        "RepositoryKeyArn": security.repository_key,
        "DeletionProtection": switched(security.deletion_protection, had, "DeletionProtection"),
        "AccessLogs": switched(bool(security.access_logs_bucket), had, "AccessLogs"),
        "AccessLogsBucket": security.access_logs_bucket,
        "WebAclArn": security.web_acl,
        **choices.egress,
    }


def switched(on: bool, had: Mapping[str, str], name: str) -> str:
    """A parameter that is empty until it is on, and "false" when it is off again: an attribute of a
    load balancer that the template no longer names may keep its value."""
    return "true" if on else "false" if had.get(name) else ""


# AWS documents for neither of these two whether an update that no longer names it turns it off. So
# once it was on, off is said in so many words.


def container_insights(settings: Settings, had: Mapping[str, str]) -> str:
    return settings.observe.container_insights or (
        "disabled" if had.get("ContainerInsights") else ""
    )


def hsts_seconds(settings: Settings, had: Mapping[str, str]) -> str:
    """0 has browsers forget it at their next visit (RFC 6797, section 6.1.1)."""
    if not settings.https.is_on:
        return ""
    seconds = settings.https.hsts_seconds
    return str(seconds) if seconds or had.get("HstsSeconds") else ""


def of_kind(grants: Grants, kind: Kind) -> list[str]:
    return sorted(grant.arn for grant in grants if grant.kind is kind)


def granted(had: Mapping[str, str]) -> Grants:
    """The permissions that the stack grants the execution role today."""
    return Grants(Grant(arn, kind) for kind in Kind for arn in listed(had.get(kind.parameter, "")))


def changed_grants(had: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    """Each ARN that would be added or removed."""
    for name, word in GRANTS.items():
        before, after = listed(had.get(name, "")), listed(wanted[name])
        yield from (f"to add: {word} {arn}" for arn in after if arn not in before)
        yield from (f"to remove: {word} {arn}" for arn in before if arn not in after)


# Parameters whose changes a plan tells elsewhere, and in other words.
TOLD = {*GRANTS, "GitHubSubject", "AllowedIpv4Cidrs", "AllowedIpv6Cidrs"}


def changed_settings(had: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    """Each other parameter of an existing stack that would change, in words."""
    for name, after in wanted.items():
        before = had.get(name, "")
        if had and before != after and name not in TOLD:
            old = f"it is {before}" if before else "it is empty"
            yield f"to change: {name} = {after} ({old})" if after else f"to empty: {name} ({old})"


def reached_from(parameters: Mapping[str, str]) -> str:
    """The ranges that may reach the load balancer, in words."""
    names = "AllowedIpv4Cidrs", "AllowedIpv6Cidrs"
    return ", ".join(each for name in names for each in listed(parameters.get(name, ""))) or (
        "everywhere"
    )


def listed(text: str) -> list[str]:
    """The items of a comma separated list."""
    return [item for item in text.split(",") if item]
