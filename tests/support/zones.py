"""Hosted zones of the simulated account, and their records."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.simulation import SimulatedAws

DOMAIN = "api.example.com"


@dataclass(frozen=True)
class Zone:
    aws: SimulatedAws
    id: str  # without /hostedzone/

    def add(self, name: str, type: str, *values: str) -> None:
        self.change("CREATE", record(name, type, *values))

    def alias(self, name: str, balancer: str) -> None:
        """Create an alias record, as the console does."""
        target = {
            "DNSName": f"dualstack.{balancer}",
            "HostedZoneId": "Z35SXDOTRQ7X7K",
            "EvaluateTargetHealth": True,
        }
        self.change("CREATE", {"Name": name, "Type": "A", "AliasTarget": target})

    def change(self, action: str, found: Mapping[str, Any]) -> None:
        self.aws.client("route53").change_resource_record_sets(
            HostedZoneId=self.id,
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": found}]},
        )

    def remove(self, name: str, type: str) -> None:
        [found] = [each for each in self.records(name) if each["Type"] == type]
        self.change("DELETE", found)

    def records(self, name: str = DOMAIN) -> list[dict[str, Any]]:
        answer = self.aws.client("route53").list_resource_record_sets(HostedZoneId=self.id)
        return [each for each in answer["ResourceRecordSets"] if each["Name"] == f"{name}."]

    @property
    def leads_to(self) -> list[str]:
        """The target of each record of the domain, with its type."""
        return [
            f"{each['Type']} {each['AliasTarget']['DNSName'].rstrip('.')}"
            for each in self.records()
            if "AliasTarget" in each
        ]


def zone_of(aws: SimulatedAws) -> Zone:
    """The hosted zone of example.com, created if it does not exist."""
    for found in aws.client("route53").list_hosted_zones()["HostedZones"]:
        if found["Name"] == "example.com.":
            return Zone(aws, found["Id"].rpartition("/")[2])
    return create_zone(aws)


def record(name: str, type: str, *values: str) -> dict[str, Any]:
    listed = [{"Value": value} for value in values]
    return {"Name": name, "Type": type, "TTL": 60, "ResourceRecords": listed}


def create_zone(aws: SimulatedAws, name: str = "example.com", *, private: bool = False) -> Zone:
    vpc = {"VPC": {"VPCRegion": "us-east-1", "VPCId": "vpc-0a1b2c3d"}} if private else {}
    made = aws.client("route53").create_hosted_zone(
        Name=name, CallerReference=name, HostedZoneConfig={"PrivateZone": private}, **vpc
    )
    return Zone(aws, made["HostedZone"]["Id"].rpartition("/")[2])
