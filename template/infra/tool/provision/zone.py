"""`[https] hosted_zone`: whether the stack can have a certificate and a record of the domain name
in it. Everything that would make either fail, or keep CloudFormation waiting, is refused here."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from infra.tool.aws_errors import AwsError
from infra.tool.errors import Problem
from infra.tool.lookup import read_stack
from infra.tool.provision import zone_records
from infra.tool.provision.zone_records import Names, Record
from infra.tool.target import Target

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import ResourceRecordSetOutputTypeDef

MISSING = Problem(
    "zone-missing",
    "[https] hosted_zone in infra/settings.toml is {zone}, but this account has no hosted zone of "
    "that id",
    "set it to an id that `aws route53 list-hosted-zones` shows, without /hostedzone/; or leave it "
    "empty, set certificate, and point the domain name at the load balancer yourself",
)
PRIVATE = Problem(
    "zone-private",
    "the hosted zone {zone} ({name}) is private, so ACM cannot validate a certificate with it",
    "set it to a public zone: the record of an internal load balancer can be there, too, and leads "
    "to its private addresses",
)
OTHER = Problem(
    "zone-other",
    "the hosted zone {zone} is for {name}, which does not contain {domain}",
    "set [https] hosted_zone to the zone that contains {domain}: `aws route53 list-hosted-zones` "
    "shows the zones",
)
DELEGATED = Problem(
    "zone-delegated",
    "the hosted zone {zone} ({name}) delegates {part} to other name servers, so clients would not "
    "find records of {domain} in this zone",
    "set [https] hosted_zone to the hosted zone of {part}",
)
FORBIDDEN = Problem(
    "zone-caa",
    "the CAA record of {name} lets no certificate authority of AWS issue a certificate for "
    "{domain}, so ACM would refuse it",
    'add 0 issue "amazon.com" to that record, then {again}',
)
TAKEN = Problem(
    "record-exists",
    "{domain} already has a record ({types}: {values}), and the stack does not overwrite it",
    "point that record at the load balancer{balancer}, and it is kept; or delete it; then {again}",
)
OWNED = Problem(
    "record-in-use",
    "the stack has the record of {domain} in the hosted zone {had}, and without [https] "
    "hosted_zone it would be removed: clients could not resolve that name any more",
    'set [https] hosted_zone = "{had}" in infra/settings.toml; or, to stop using the name, set '
    'domain = "", too',
)
REMEMBERED = Problem(
    "hsts-remembered",
    "infra/settings.toml turns HTTPS off, but after their last visit browsers use only HTTPS for "
    "{domain} for {seconds} s (HSTS), so they could not reach it any more",
    "keep HTTPS on, set [https] hsts_seconds = 0 and provision: browsers drop the rule at their "
    "next visit; turn HTTPS off {seconds} s later",
)
MOST_RECORDS = "300"  # of an answer of ListResourceRecordSets


def read(target: Target, had: Mapping[str, str]) -> Names:
    """The zones that the settings lead to; `had` are the parameters of the stack. Raises
    ToolError."""
    https = target.settings.https
    require_clients_kept(target, had)
    if not https.hosted_zone:
        return Names(notes=[*gone(had, https.domain), *plain_again(target, had)])
    name = read_name(target)
    names = zone_records.names_up_to(https.domain, name)
    if not names:
        raise OTHER(zone=https.hosted_zone, name=name, domain=https.domain)
    records = [record for each in names for record in read_records(target, each)]
    if part := zone_records.delegated(records, name):
        raise DELEGATED(zone=https.hosted_zone, name=name, part=part, domain=https.domain)
    requests = not https.certificate
    if requests and (forbidding := zone_records.forbids_acm(records, names)):
        raise FORBIDDEN(name=forbidding, domain=https.domain, again=target.again)
    is_ours = (had.get("RecordZoneId"), had.get("DomainName")) == (https.hosted_zone, https.domain)
    there = [] if is_ours else zone_records.addresses(records, https.domain)
    notes = [require_free(target, there)] if there else []
    return Names(
        certificate_zone=https.hosted_zone if requests else "",
        record_zone="" if there else https.hosted_zone,
        notes=[*notes, *gone(had, https.domain)],
    )


def require_clients_kept(target: Target, had: Mapping[str, str]) -> None:
    """Raises ToolError if the settings take away what clients of the domain name rely on."""
    https, domain = target.settings.https, had.get("DomainName", "")
    if had.get("RecordZoneId") and https.domain == domain and not https.hosted_zone:
        raise OWNED(domain=domain, had=had["RecordZoneId"])
    seconds = had.get("HstsSeconds", "")
    if seconds not in ("", "0") and not https.is_on:
        raise REMEMBERED(domain=domain, seconds=seconds)


def gone(had: Mapping[str, str], domain: str) -> Iterator[str]:
    before = had.get("DomainName", "")
    if had.get("RecordZoneId") and before != domain:
        yield f"the record of {before} is removed: clients cannot resolve that name any more"


def plain_again(target: Target, had: Mapping[str, str]) -> Iterator[str]:
    had_https = had.get("CertificateArn") or had.get("CertificateZoneId")
    if had_https and not target.settings.https.is_on:
        yield f"HTTPS goes: clients of https://{had.get('DomainName', '')} get no answer"


def read_name(target: Target) -> str:
    """The domain name of the hosted zone. Raises ToolError unless it exists and is public."""
    zone = target.settings.https.hosted_zone
    try:
        found = target.aws.route53.get_hosted_zone(Id=zone)["HostedZone"]
    except AwsError as error:
        if error.aws_code == "NoSuchHostedZone":
            raise MISSING(zone=zone) from None
        raise
    name = found["Name"].removesuffix(".")
    if found.get("Config", {}).get("PrivateZone"):
        raise PRIVATE(zone=zone, name=name)
    return name


def read_records(target: Target, name: str) -> list[Record]:
    """The records of one name. Route 53 answers in the order of names, beginning with it."""
    answer = target.aws.route53.list_resource_record_sets(
        HostedZoneId=target.settings.https.hosted_zone,
        StartRecordName=name,
        MaxItems=MOST_RECORDS,
    )
    found = map(as_record, answer["ResourceRecordSets"])
    return [record for record in found if record.name == name]


def as_record(answer: "ResourceRecordSetOutputTypeDef") -> Record:
    values = [each["Value"] for each in answer.get("ResourceRecords", [])]
    if "AliasTarget" in answer:
        values.append(answer["AliasTarget"]["DNSName"])
    return Record(answer["Name"].lower().removesuffix("."), answer["Type"], values)


def require_free(target: Target, there: Sequence[Record]) -> str:
    """That a record of the domain leads to the load balancer already, in words. Raises ToolError if
    it leads elsewhere."""
    stack = read_stack(target.aws, target.settings.names.stack)
    balancer = stack.load_balancer_domain.lower() if stack else ""
    if not balancer or any(each.targets != {balancer} for each in there):
        raise TAKEN(
            domain=target.settings.https.domain,
            types=", ".join(each.type for each in there),
            values=", ".join(value for each in there for value in each.values),
            balancer=f", {balancer}" if balancer else " once it exists",
            again=target.again,
        )
    return "its record leads to the load balancer already, and is left alone"
