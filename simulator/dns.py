"""Route 53 and ACM, where moto does less than AWS: records that exist, and certificates that wait.

Sources: "ChangeResourceRecordSets" and "ListResourceRecordSets" of the Route 53 API Reference; for
the texts of refusals, the threads that quote them; "DNS validation", "Certification Authority
Authorization (CAA)" and "Troubleshoot CAA problems" in the ACM User Guide.
"""

from collections.abc import Iterator
from typing import Any

from moto.route53.models import route53_backends

from simulator.refusal import Refused
from simulator.service import Service, World

Json = dict[str, Any]

# "Configure a CAA record": one of these must be allowed to issue.
ISSUERS = {"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"}


class Route53(Service):
    name = "route53"

    def create_hosted_zone(self, parameters: Json) -> Json:
        """Its id begins with Z, as in every example of the API Reference; moto draws any letter."""
        answer = self.moto("CreateHostedZone", parameters)
        zones = route53_backends[self.account.id][self.account.partition].zones
        id = answer["HostedZone"]["Id"].rpartition("/")[2]
        zone = zones.pop(id)
        zone.resource_id = f"Z{id[1:]}"
        zones[zone.resource_id] = zone
        answer["HostedZone"]["Id"] = zone.id
        servers = {"DelegationSet": {"NameServers": ["ns-0.awsdns-00.com"]}}
        return servers | answer  # in moto, a private zone has none

    def list_hosted_zones(self, parameters: Json) -> Json:
        """The model has the marker in every answer."""
        return {"Marker": parameters.get("Marker", "")} | self.moto("ListHostedZones", parameters)

    def change_resource_record_sets(self, parameters: Json) -> Json:
        """CREATE is refused for a record that exists (jenkins-x/terraform-aws-eks-jx#63), beside a
        CNAME (presslabs/zinc#178), and for a CNAME beside others (aws/aws-sdk-java#1996)."""
        zone = parameters["HostedZoneId"]
        for change in parameters["ChangeBatch"]["Changes"]:
            if change["Action"] == "CREATE":
                self._check_new(zone, change["ResourceRecordSet"])
        return self.moto("ChangeResourceRecordSets", parameters)

    def _check_new(self, zone: str, record: Json) -> None:
        name, type = absolute(record["Name"]), record["Type"]
        there = {each["Type"] for each in self.records(zone) if each["Name"] == name}
        if type in there:
            raise invalid(
                f"[Tried to create resource record set [name='{name}', type='{type}'] but it "
                "already exists]"
            )
        if "CNAME" in there:
            raise invalid(
                f"[RRSet of type {type} with DNS name {name} is not permitted because a "
                "conflicting RRSet of type CNAME with the same DNS name already exists in zone "
                f"{zone}]"
            )
        if type == "CNAME" and there:
            raise invalid(
                f"[RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with "
                f"other records with the same DNS name in zone {zone}]"
            )

    def records(self, zone: str) -> list[Json]:
        """All record sets of a zone."""
        asked = {"HostedZoneId": zone, "MaxItems": "300"}
        found: list[Json] = self.moto("ListResourceRecordSets", asked)["ResourceRecordSets"]
        return found

    def public_zones(self) -> Iterator[Json]:
        for zone in self.moto("ListHostedZones", {})["HostedZones"]:
            if not zone["Config"]["PrivateZone"]:
                yield zone

    def lookup(self, name: str, type: str) -> list[Json]:
        """The record sets that the internet sees: those of public zones."""
        return [
            record
            for zone in self.public_zones()
            for record in self.records(zone["Id"])
            if (record["Name"], record["Type"]) == (absolute(name), type)
        ]


class Acm(Service):
    """A certificate is issued a minute after ACM finds its CNAME record, unless a CAA record
    forbids it. moto would issue it by the time alone."""

    name = "acm"

    def __init__(self, world: World, route53: Route53) -> None:
        super().__init__(world)
        self.route53 = route53
        self.reset()

    def reset(self) -> None:
        # Domains whose registrar names other name servers: clients find no record of their zone.
        self.undelegated: set[str] = set()

    def describe_certificate(self, parameters: Json) -> Json:
        answer = self.moto("DescribeCertificate", parameters)
        found = answer["Certificate"]
        options = found.get("DomainValidationOptions", [])
        if found.get("Type") != "AMAZON_ISSUED" or not options:
            return answer
        if reason := self._forbidden(found["DomainName"]):
            found |= {"Status": "FAILED", "FailureReason": reason}
        elif not all(self._is_found(each) for each in options):
            found["Status"] = "PENDING_VALIDATION"
        return answer

    def _is_found(self, option: Json) -> bool:
        record = option["ResourceRecord"]
        is_lost = any(
            option["DomainName"] == each or option["DomainName"].endswith(f".{each}")
            for each in self.undelegated
        )
        return not is_lost and bool(self.route53.lookup(record["Name"], record["Type"]))

    def _forbidden(self, domain: str) -> str:
        """By the closest CAA record set, from the domain upwards (RFC 8659, section 3)."""
        labels = domain.split(".")
        for start in range(len(labels)):
            for record in self.route53.lookup(".".join(labels[start:]), "CAA"):
                values = [each["Value"].split(maxsplit=2) for each in record["ResourceRecords"]]
                issuers = {value.strip('"') for _, tag, value in values if tag == "issue"}
                return "CAA_ERROR" if issuers and not issuers & ISSUERS else ""
        return ""

    def delete_certificate(self, parameters: Json) -> Json:
        """ "DeleteCertificate" of the ACM API Reference: ResourceInUseException."""
        arn = parameters["CertificateArn"]
        if arn in self._used():
            raise Refused("ResourceInUseException", f"Certificate {arn} is in use.")
        return self.moto("DeleteCertificate", parameters)

    def _used(self) -> set[str]:
        elb = self.account.moto
        return {
            certificate["CertificateArn"]
            for balancer in elb("elbv2", "DescribeLoadBalancers")["LoadBalancers"]
            for listener in elb(
                "elbv2", "DescribeListeners", {"LoadBalancerArn": balancer["LoadBalancerArn"]}
            )["Listeners"]
            for certificate in listener.get("Certificates", [])
        }


def absolute(name: str) -> str:
    """A name as Route 53 has it: lower case, with a dot at its end."""
    return name.lower().removesuffix(".") + "."


def invalid(message: str) -> Refused:
    return Refused("InvalidChangeBatch", message)
