"""The meaning of the records of a zone for a domain name in it."""

import pytest
from infra.tool.provision.zone_records import (
    Record,
    addresses,
    delegated,
    forbids_acm,
    names_up_to,
)

NAMES = ["a.b.example.com", "b.example.com", "example.com"]


@pytest.mark.parametrize(
    ("domain", "zone", "names"),
    [
        ("a.b.example.com", "example.com", NAMES),
        ("example.com", "example.com", ["example.com"]),
        ("example.com", "a.example.com", []),
        ("anexample.com", "example.com", []),
    ],
)
def test_a_domain_is_in_its_zone_and_below_its_parents(
    domain: str, zone: str, names: list[str]
) -> None:
    assert names_up_to(domain, zone) == names


def test_the_name_servers_of_the_zone_itself_are_not_a_delegation() -> None:
    own = Record("example.com", "NS", ["ns.example.net."])
    assert delegated([own], "example.com") == ""
    assert delegated([own, Record("b.example.com", "NS", ["x"])], "example.com") == "b.example.com"


def caa(name: str, *values: str) -> Record:
    return Record(name, "CAA", values)


@pytest.mark.parametrize(
    ("records", "forbidding"),
    [
        ([], ""),
        ([caa("example.com", '0 issue "amazon.com"')], ""),
        ([caa("example.com", '0 issue "awstrust.com; cansignhttpexchanges=yes"')], ""),
        ([caa("example.com", '0 issue "letsencrypt.org"')], "example.com"),
        ([caa("example.com", '0 issue ";"')], "example.com"),
        ([caa("example.com", '0 issue "letsencrypt.org"', '0 issue "amazonaws.com"')], ""),
        ([caa("example.com", '0 issuewild "letsencrypt.org"')], ""),
        ([caa("example.com", '0 iodef "mailto:a@example.com"')], ""),
        (
            [caa("example.com", '0 issue "x.org"'), caa("b.example.com", '0 issue "amazon.com"')],
            "",
        ),
        (
            [caa("example.com", '0 issue "amazon.com"'), caa("b.example.com", '0 issue "x.org"')],
            "b.example.com",
        ),
    ],
)
def test_the_closest_caa_record_decides(records: list[Record], forbidding: str) -> None:
    assert forbids_acm(records, NAMES) == forbidding


def test_only_address_records_of_the_domain_count() -> None:
    name = NAMES[0]
    records = [Record(name, "A", ["x"]), Record(name, "MX", ["x"]), Record("x", "A", ["x"])]
    assert addresses(records, name) == records[:1]


def test_the_target_of_an_alias_is_compared_without_case_and_prefix() -> None:
    found = Record("a", "A", ["DualStack.ALB-1.us-east-1.elb.amazonaws.com."]).targets
    assert found == {"alb-1.us-east-1.elb.amazonaws.com"}
