"""Records, certificates and dashboards, where moto does less than AWS."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator import dashboards
from simulator.simulation import SimulatedAws
from tests.support.zones import DOMAIN, create_zone


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def status(aws: SimulatedAws, arn: str) -> str:
    found = aws.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    return str(found["Status"])


def requested(aws: SimulatedAws) -> tuple[str, dict[str, Any]]:
    """A certificate, and the record of its validation."""
    acm = aws.client("acm")
    arn = acm.request_certificate(DomainName=DOMAIN, ValidationMethod="DNS")["CertificateArn"]
    found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    return arn, found["DomainValidationOptions"][0]["ResourceRecord"]


@pytest.mark.parametrize(
    ("there", "new"), [("A", "A"), ("CNAME", "A"), ("CNAME", "TXT"), ("A", "CNAME")]
)
def test_a_record_is_not_created_beside_one_that_excludes_it(
    aws: SimulatedAws, there: str, new: str
) -> None:
    values = {"A": "192.0.2.1", "CNAME": "www.example.com", "TXT": '"text"'}
    zone = create_zone(aws)
    zone.add(DOMAIN, there, values[there])
    with pytest.raises(ClientError) as error:
        zone.add(DOMAIN, new, values[new])
    assert code(error) == "InvalidChangeBatch"


def test_a_certificate_is_issued_once_its_record_is_found(aws: SimulatedAws) -> None:
    arn, record = requested(aws)
    aws.clock.sleep(3600)
    assert status(aws, arn) == "PENDING_VALIDATION"
    create_zone(aws).add(record["Name"].rstrip("."), record["Type"], record["Value"])
    assert status(aws, arn) == "ISSUED"
    aws.acm.undelegated.add("example.com")
    assert status(aws, arn) == "PENDING_VALIDATION", (
        "the zone is not delegated, so DNS does not find it"
    )


def test_a_private_zone_validates_nothing(aws: SimulatedAws) -> None:
    arn, record = requested(aws)
    zone = create_zone(aws, private=True)
    zone.add(record["Name"].rstrip("."), record["Type"], record["Value"])
    aws.clock.sleep(3600)
    assert status(aws, arn) == "PENDING_VALIDATION"


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [("letsencrypt.org", "FAILED"), ("amazon.com", "PENDING_VALIDATION")],
)
def test_a_caa_record_decides_whether_acm_issues(
    aws: SimulatedAws, issuer: str, expected: str
) -> None:
    arn, _ = requested(aws)
    create_zone(aws).add("example.com", "CAA", f'0 issue "{issuer}"')
    assert status(aws, arn) == expected


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("{", "invalid JSON"),
        ("{}", "array of widgets"),
        ('{"widgets": [{"type": "graph"}]}', "type graph"),
        ('{"widgets": [{"type": "metric", "properties": {"metrics": [["A", "b"]]}}]}', "region"),
        (
            '{"widgets": [{"type": "metric", "properties": {"region": "r", "metrics": [["A"]]}}]}',
            "is no namespace, name",
        ),
        (
            '{"widgets": [{"type": "metric", "width": 25, "properties": {"region": "r", '
            '"metrics": [["A", "b"]]}}]}',
            "width",
        ),
    ],
)
def test_an_invalid_dashboard_body_is_noticed(body: str, complaint: str) -> None:
    assert complaint in "; ".join(dashboards.complaints(body))


def test_dots_in_a_dashboard_repeat_the_value_above() -> None:
    lines = [["N", "a", "D", "1", {"stat": "p50"}], ["...", {"stat": "p99"}], [".", "b", ".", "2"]]
    found = [(name, pairs) for _, name, pairs, _ in dashboards.metrics({"metrics": lines})]
    assert found == [("a", {"D": "1"}), ("a", {"D": "1"}), ("b", {"D": "2"})]
