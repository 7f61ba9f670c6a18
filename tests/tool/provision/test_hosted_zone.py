"""`[https] hosted_zone`: the stack requests the certificate and creates the record, or provision
stops before its first change; and HSTS."""

from typing import Any

import pytest

from tests.support.checkout import Checkout, Run
from tests.support.zones import DOMAIN, Zone, create_zone

HSTS = "routing.http.response.strict_transport_security.header_value"


def with_zone(checkout: Checkout, name: str = "example.com", **kind: bool) -> Zone:
    """Set a domain, and create a hosted zone for it."""
    zone = create_zone(checkout.aws, name, **kind)
    checkout.set("https.domain", DOMAIN)
    checkout.set("https.hosted_zone", zone.id)
    return zone


def balancer(checkout: Checkout) -> str:
    [found] = checkout.aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return str(found["DNSName"])


def listeners(checkout: Checkout) -> dict[int, dict[str, Any]]:
    """By their ports."""
    elb = checkout.aws.client("elbv2")
    [found] = elb.describe_load_balancers()["LoadBalancers"]
    answer = elb.describe_listeners(LoadBalancerArn=found["LoadBalancerArn"])
    return {each["Port"]: each for each in answer["Listeners"]}


def certificate(checkout: Checkout) -> str:
    """The ARN of the certificate of the load balancer."""
    [found] = listeners(checkout)[443]["Certificates"]
    return str(found["CertificateArn"])


def certificates(checkout: Checkout) -> dict[str, str]:
    """The domain of each."""
    found = checkout.aws.client("acm").list_certificates()["CertificateSummaryList"]
    return {each["CertificateArn"]: each["DomainName"] for each in found}


def requested(checkout: Checkout) -> str:
    """A certificate that a person has requested."""
    made = checkout.aws.client("acm").request_certificate(DomainName=DOMAIN)
    return str(made["CertificateArn"])


def hsts(checkout: Checkout) -> str:
    """The header that the HTTPS listener adds; empty if it adds none."""
    found = checkout.aws.client("elbv2").describe_listener_attributes(
        ListenerArn=listeners(checkout)[443]["ListenerArn"]
    )["Attributes"]
    return next((each["Value"] for each in found if each["Key"] == HSTS), "")


def answers_https(checkout: Checkout) -> bool:
    return checkout.aws.fetch(f"https://{DOMAIN}/health").status == 200


def expect_refused(checkout: Checkout, code: str, *words: str) -> Run:
    run = checkout.administer("provision").expect(2, code).expect_no_change()
    assert not [word for word in words if word not in run.err], f"{run.err} must name {words}"
    return run


# --- on ---


def test_a_new_service_gets_its_certificate_and_its_record(new: Checkout) -> None:
    zone = with_zone(new)
    run = new.administer("provision").expect(0)
    assert zone.leads_to == [f"A {balancer(new)}"]
    assert certificates(new) == {certificate(new): DOMAIN}
    assert listeners(new)[80]["DefaultActions"][0]["Type"] == "redirect"
    assert f"url         https://{DOMAIN}" in run.out
    assert f"dns         {DOMAIN} leads to {balancer(new)}" in run.out
    new.release()
    new.run("deploy").expect(0)
    assert answers_https(new)


def test_a_running_service_moves_to_https_and_answers_meanwhile(running: Checkout) -> None:
    zone = with_zone(running)
    url = f"http://{balancer(running)}/health"
    seen: list[int] = []
    looks = "cloudformation:DescribeStackEvents"
    running.aws.moments.whenever(looks, lambda: seen.append(running.aws.fetch(url).status))
    run = running.administer("provision").expect(0)
    assert set(seen) <= {200, 301}, "the service answers, or redirects to a listener that answers"
    assert seen[0] == 200
    assert "validate Certificate: Content of DNS Record is: {Name: _" in run.out
    assert "waiting for Certificate (for its validation by DNS" in run.out
    assert running.ecs_service["runningCount"] == 1
    assert answers_https(running)
    assert zone.leads_to == [f"A {balancer(running)}"]


def test_with_your_own_certificate_only_the_record_is_created(existing: Checkout) -> None:
    zone = with_zone(existing)
    own = requested(existing)
    existing.set("https.certificate", own)
    existing.administer("provision").expect(0)
    assert certificates(existing).keys() == {own}
    assert certificate(existing) == own
    assert zone.leads_to == [f"A {balancer(existing)}"]


def test_an_internal_load_balancer_has_its_record_in_a_public_zone(new: Checkout) -> None:
    zone = with_zone(new)
    new.set("network.internal", True)
    new.administer("provision").expect(0)
    assert zone.leads_to == [f"A {balancer(new)}"]
    assert balancer(new).startswith("internal-")


def test_a_second_provision_changes_nothing(existing: Checkout) -> None:
    with_zone(existing)
    existing.administer("provision").expect(0)
    run = existing.administer("provision").expect(0)
    assert "stack       ai-assistant: nothing to change" in run.out


def test_a_plan_shows_the_certificate_and_the_record(existing: Checkout) -> None:
    zone = with_zone(existing)
    run = existing.administer("provision", "--plan").expect(0)
    assert "  add               Certificate (AWS::CertificateManager::Certificate)" in run.out
    assert "  add               DomainRecord (AWS::Route53::RecordSet)" in run.out
    assert zone.records() == []


# --- a record that exists ---


def test_a_record_that_leads_elsewhere_is_not_overwritten(existing: Checkout) -> None:
    zone = with_zone(existing)
    zone.add(DOMAIN, "A", "192.0.2.1")
    expect_refused(existing, "record-exists", DOMAIN, "192.0.2.1", balancer(existing))
    assert [each["ResourceRecords"] for each in zone.records()] == [[{"Value": "192.0.2.1"}]]


@pytest.mark.parametrize("type", ["AAAA", "CNAME"])
def test_every_type_of_address_record_counts(existing: Checkout, type: str) -> None:
    zone = with_zone(existing)
    zone.add(DOMAIN, type, {"AAAA": "2001:db8::1", "CNAME": "www.example.com"}[type])
    expect_refused(existing, "record-exists", type)


def test_without_a_load_balancer_an_existing_record_must_be_deleted_first(new: Checkout) -> None:
    with_zone(new).add(DOMAIN, "A", "192.0.2.1")
    expect_refused(new, "record-exists", "once it exists")


def test_records_of_other_kinds_and_names_do_no_harm(existing: Checkout) -> None:
    zone = with_zone(existing)
    zone.add(DOMAIN, "TXT", '"of another service"')
    zone.add("www.example.com", "A", "192.0.2.1")
    zone.add("example.com", "A", "192.0.2.1")
    existing.administer("provision").expect(0)
    assert zone.leads_to == [f"A {balancer(existing)}"]


@pytest.mark.parametrize("type", ["A", "CNAME"])
def test_a_record_that_already_points_to_the_load_balancer_is_kept(
    running: Checkout, type: str
) -> None:
    """The record was created by hand, as README.md says, and clients are not interrupted."""
    zone = with_zone(running)
    if type == "A":
        zone.alias(DOMAIN, balancer(running))
    else:
        zone.add(DOMAIN, "CNAME", balancer(running))
    before = zone.records()
    run = running.administer("provision").expect(0)
    assert "left alone" in run.out
    assert zone.records() == before
    assert "DomainRecord" not in run.out
    running.administer("provision").expect(0)
    zone.remove(DOMAIN, type)
    running.administer("provision").expect(0)
    assert zone.leads_to == [f"A {balancer(running)}"], "without it, the stack makes its own"


# --- a zone that cannot be used ---


def test_a_zone_that_does_not_exist_is_refused(existing: Checkout) -> None:
    with_zone(existing)
    existing.set("https.hosted_zone", "Z0123456789ABCDEFGHIJ")
    expect_refused(existing, "zone-missing", "aws route53 list-hosted-zones")


def test_a_private_zone_is_refused(existing: Checkout) -> None:
    with_zone(existing, private=True)
    expect_refused(existing, "zone-private", "public zone")


@pytest.mark.parametrize("name", ["example.org", "ample.com", "www.api.example.com"])
def test_a_zone_of_another_name_is_refused(existing: Checkout, name: str) -> None:
    with_zone(existing, name)
    expect_refused(existing, "zone-other", name, DOMAIN)


def test_the_domain_may_be_that_of_the_zone(existing: Checkout) -> None:
    zone = with_zone(existing, DOMAIN)
    existing.administer("provision").expect(0)
    assert zone.leads_to == [f"A {balancer(existing)}"]


def test_a_delegated_part_of_the_zone_is_refused(existing: Checkout) -> None:
    zone = with_zone(existing)
    zone.add(DOMAIN, "NS", "ns.example.net")
    expect_refused(existing, "zone-delegated", f"the hosted zone of {DOMAIN}")


def test_a_caa_record_that_forbids_acm_is_found_before_the_certificate_is_requested(
    existing: Checkout,
) -> None:
    zone = with_zone(existing)
    zone.add("example.com", "CAA", '0 issue "letsencrypt.org"')
    expect_refused(existing, "zone-caa", "example.com", '0 issue "amazon.com"')
    zone.add(DOMAIN, "CAA", '0 issue "amazon.com"')
    existing.administer("provision").expect(0)


def test_caa_records_are_not_read_if_the_certificate_exists(existing: Checkout) -> None:
    with_zone(existing).add("example.com", "CAA", '0 issue "letsencrypt.org"')
    existing.set("https.certificate", requested(existing))
    existing.administer("provision").expect(0)


def test_a_validation_that_does_not_end_names_where_to_look(running: Checkout) -> None:
    with_zone(running)
    running.aws.acm.undelegated.add("example.com")
    running.set("deploy.timeout_seconds", 300)
    run = running.administer("provision").expect(3, "stack-timeout")
    assert "aws route53 get-hosted-zone" in run.err
    assert list(listeners(running)) == [80], "HTTP goes on as before"
    assert running.aws.fetch(f"http://{balancer(running)}/health").status == 200


def test_a_validation_that_fails_leaves_everything_unchanged(running: Checkout) -> None:
    """A CAA record of a parent that is in another account's zone."""
    zone = with_zone(running, DOMAIN)
    parent = create_zone(running.aws, "example.com")
    parent.add("example.com", "CAA", '0 issue "letsencrypt.org"')
    run = running.administer("provision").expect(1, "stack-not-changed")
    assert "CAA_ERROR" in run.err
    assert list(listeners(running)) == [80]
    assert (zone.leads_to, certificates(running)) == ([], {})
    assert running.aws.fetch(f"http://{balancer(running)}/health").status == 200


# --- other values, and off ---


def test_another_domain_gets_its_certificate_before_the_old_one_is_deleted(
    running: Checkout,
) -> None:
    zone = with_zone(running)
    running.administer("provision").expect(0)
    before = certificate(running)
    running.set("https.domain", "new.example.com")
    run = running.administer("provision").expect(0)
    assert f"the record of {DOMAIN} is removed" in run.out
    assert certificates(running) == {certificate(running): "new.example.com"}
    assert certificate(running) != before
    assert (zone.leads_to, len(zone.records("new.example.com"))) == ([], 1)


def test_certificates_swap_in_place(running: Checkout) -> None:
    """From the owner's certificate to that of the stack, and back: the listener stays."""
    own = requested(running)
    running.set("https.domain", DOMAIN)
    running.set("https.certificate", own)
    running.administer("provision").expect(0)
    listener = listeners(running)[443]["ListenerArn"]
    with_zone(running)
    running.set("https.certificate", "")
    running.administer("provision").expect(0)
    assert certificate(running) != own
    running.set("https.certificate", own)
    running.administer("provision").expect(0)
    assert (certificate(running), [*certificates(running)]) == (own, [own])
    assert listeners(running)[443]["ListenerArn"] == listener


def test_the_record_is_removed_only_with_the_domain(running: Checkout) -> None:
    zone = with_zone(running)
    running.administer("provision").expect(0)
    running.set("https.hosted_zone", "")
    running.set("https.certificate", requested(running))
    expect_refused(running, "record-in-use", zone.id, DOMAIN)
    running.set("https.certificate", "")
    running.set("https.domain", "")
    plan = running.administer("provision", "--plan").expect(0)
    assert f"the record of {DOMAIN} is removed" in plan.out
    assert f"HTTPS goes: clients of https://{DOMAIN} get no answer" in plan.out
    running.administer("provision").expect(0)
    assert (zone.leads_to, list(listeners(running))) == ([], [80])
    assert listeners(running)[80]["DefaultActions"][0]["Type"] == "forward"
    assert running.aws.fetch(f"http://{balancer(running)}/health").status == 200


def test_the_record_moves_to_another_zone(running: Checkout) -> None:
    before = with_zone(running)
    running.administer("provision").expect(0)
    after = with_zone(running, DOMAIN)
    running.administer("provision").expect(0)
    assert (before.leads_to, after.leads_to) == ([], [f"A {balancer(running)}"])


def test_certificate_and_record_are_deleted_with_the_stack(existing: Checkout) -> None:
    zone = with_zone(existing)
    existing.administer("provision").expect(0)
    existing.administer("destroy", typed="ai-assistant").expect(0)
    assert (zone.leads_to, certificates(existing)) == ([], {})


# --- HSTS ---


def test_hsts_is_a_header_of_the_https_listener(running: Checkout) -> None:
    with_zone(running)
    running.set("https.hsts_seconds", 300)
    running.administer("provision").expect(0)
    assert hsts(running) == "max-age=300"
    elb = running.aws.client("elbv2")
    plain = elb.describe_listener_attributes(ListenerArn=listeners(running)[80]["ListenerArn"])
    assert HSTS not in {each["Key"] for each in plain["Attributes"]}


def test_hsts_that_is_turned_off_is_revoked(running: Checkout) -> None:
    """Browsers drop HSTS only after a header with 0, and a listener keeps its attributes."""
    with_zone(running)
    for seconds, header in ((0, ""), (300, "max-age=300"), (0, "max-age=0"), (0, "max-age=0")):
        running.set("https.hsts_seconds", seconds)
        running.administer("provision").expect(0)
        assert hsts(running) == header


def test_https_is_not_turned_off_while_hsts_is_in_effect(running: Checkout) -> None:
    with_zone(running)
    running.set("https.hsts_seconds", 300)
    running.administer("provision").expect(0)
    for name in "domain", "hosted_zone":
        running.set(f"https.{name}", "")
    running.set("https.hsts_seconds", 0)
    expect_refused(running, "hsts-remembered", "300 s", "hsts_seconds = 0")
    with_zone(running, DOMAIN)
    running.administer("provision").expect(0)
    for name in "domain", "hosted_zone":
        running.set(f"https.{name}", "")
    running.administer("provision").expect(0)
    assert list(listeners(running)) == [80]
