"""Resources of a stack that make a name lead to it: records, and certificates for the name."""

from collections.abc import Mapping
from typing import Any

from simulator.cloudformation.resources.kind import Failed, Json, Kind, Wanted, handler

PENDING = "PENDING_VALIDATION"


class RecordSet(Kind):
    """Ref gives the name, and the schema identifies it by its zone and type, too: what the physical
    id is, no source says."""

    type = "AWS::Route53::RecordSet"
    gone = ("NoSuchHostedZone",)

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        given = wanted.take_all()
        self.change(given, "CREATE")
        return "|".join(given[key] for key in ("HostedZoneId", "Name", "Type"))

    def adjust(self, id: str, wanted: Wanted) -> None:
        """The schema has Name and Type change in place: then the old record goes after the new one
        is there."""
        del id
        if not wanted.before or not wanted.changed:
            return
        before, after = dict(wanted.before), wanted.take_all()
        moved = any(before[key] != after[key] for key in ("Name", "Type"))
        self.change(after, "CREATE" if moved else "UPSERT")
        if moved:
            self.change(before, "DELETE")

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del id
        self.change(dict(properties), "DELETE")

    def change(self, properties: Json, action: str) -> None:
        record = {key: value for key, value in properties.items() if key != "HostedZoneId"}
        record["Name"] = record["Name"].removesuffix(".") + "."
        self.aws("route53").change_resource_record_sets(
            HostedZoneId=properties["HostedZoneId"],
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
        )


class Certificate(Kind):
    """With a hosted zone, CloudFormation writes the CNAME record of the validation, and waits
    until ACM has issued the certificate ("AWS::CertificateManager::Certificate"). The record stays
    when the certificate goes."""

    type = "AWS::CertificateManager::Certificate"
    gone = ("ResourceNotFoundException",)

    def make(self, name: str, wanted: Wanted) -> str:
        del name
        given = wanted.take("DomainName", "ValidationMethod", "DomainValidationOptions")
        zones = {
            each["DomainName"]: each["HostedZoneId"] for each in given["DomainValidationOptions"]
        }
        made = self.aws("acm").request_certificate(
            DomainName=given["DomainName"], ValidationMethod=given["ValidationMethod"]
        )
        arn = str(made["CertificateArn"])
        for record, domain in self.records(arn):
            change = {
                "Action": "UPSERT",
                "ResourceRecordSet": {
                    "Name": record["Name"],
                    "Type": record["Type"],
                    "TTL": 300,
                    "ResourceRecords": [{"Value": record["Value"]}],
                },
            }
            self.aws("route53").change_resource_record_sets(
                HostedZoneId=zones[domain], ChangeBatch={"Changes": [change]}
            )
        return arn

    def records(self, arn: str) -> list[tuple[Json, str]]:
        """Of the validation, with the domain of each."""
        options = self.described(arn)["DomainValidationOptions"]
        return [(each["ResourceRecord"], each["DomainName"]) for each in options]

    def described(self, arn: str) -> Json:
        found: Json = self.aws("acm").describe_certificate(CertificateArn=arn)["Certificate"]
        return found

    def waits_for(self, id: str) -> str:
        """An event names the record (aws/aws-cdk#605); no thread quotes its words. CloudFormation
        gives up after 12 hours (aws-cloudformation/cloudformation-coverage-roadmap#130), here
        never."""
        found = self.described(id)
        if found["Status"] == PENDING:
            [(record, _)] = self.records(id)
            name, type, value = record["Name"], record["Type"], record["Value"]
            return f"Content of DNS Record is: {{Name: {name},Type: {type},Value: {value}}}"
        if found["Status"] != "ISSUED":
            # No thread quotes what CloudFormation says then.
            why = f"{found['Status']}: {found.get('FailureReason', '')}"
            raise Failed(handler(f"Certificate {id} is {why}", "NotStabilized"))
        return ""

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("acm").delete_certificate(CertificateArn=id)
