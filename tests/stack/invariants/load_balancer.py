"""Load balancer, listeners, targets."""

import re

from tests.stack.invariants.invariant import invariant
from tests.stack.rendered_service import RenderedService, has_certificate
from tests.stack.switches import CERTIFICATE, ZONE


@invariant
def tasks_are_targets_by_address(service: RenderedService) -> None:
    target = service.stack().resources["TargetGroup"].properties
    assert target["TargetType"] == "ip", "a task on Fargate has a network interface, no instance"
    assert (target["Protocol"], target["Port"]) == ("HTTP", service.port)


@invariant
def the_load_balancer_and_the_container_check_the_same_path(service: RenderedService) -> None:
    target = service.stack().resources["TargetGroup"].properties
    asked = re.findall(r"GET (\S+) HTTP", " ".join(service.container["healthCheck"]["command"]))
    assert [target["HealthCheckPath"]] == asked == ["/health"], "one path, with its slash"
    assert target["Matcher"] == {"HttpCode": "200"}
    assert target.get("HealthCheckPort", "traffic-port") == "traffic-port"
    assert target.get("HealthCheckProtocol", "HTTP") == "HTTP"


@invariant
def health_checks_fit_into_their_interval_and_the_grace_period(service: RenderedService) -> None:
    target = service.stack().resources["TargetGroup"].properties
    interval = target["HealthCheckIntervalSeconds"]
    assert target["HealthCheckTimeoutSeconds"] < interval
    assert interval * target["UnhealthyThresholdCount"] <= 30
    grace = service.render.json("infra/service.json")["healthCheckGracePeriodSeconds"]
    assert interval * target["HealthyThresholdCount"] < grace, "or no task is healthy in time"


@invariant
def every_listener_forwards_to_the_tasks(service: RenderedService) -> None:
    """ECS refuses a service whose target group has no listener."""
    for stack in service.stacks:
        secure = has_certificate(stack)
        target = stack.outputs["TargetGroupArn"]
        assert target.partition(":targetgroup/")[2] == (
            f"{service.settings.service.name}-tg/0123456789abcdef"
        )
        forward = [{"Type": "forward", "TargetGroupArn": target}]
        listeners = {
            each.properties["Port"]: each.properties
            for each in stack.of_type("AWS::ElasticLoadBalancingV2::Listener")
        }
        assert listeners[443 if secure else 80]["DefaultActions"] == forward
        for listener in listeners.values():
            balancer = f"loadbalancer/app/{service.settings.service.name}-alb/0123456789abcdef"
            assert listener["LoadBalancerArn"] == service.place.arn(
                "elasticloadbalancing", balancer
            )


@invariant
def http_redirects_to_https_if_a_certificate_is_set_and_https_answers(
    service: RenderedService,
) -> None:
    to_https = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    for stack in service.stacks:
        [action] = stack.resources["HttpListener"].properties["DefaultActions"]
        secure = has_certificate(stack)
        assert (action["Type"] == "redirect") is secure
        if secure:
            assert action == {"Type": "redirect", "RedirectConfig": to_https}
            assert stack.order.index("HttpsListener") < stack.order.index("HttpListener"), (
                "or visitors are sent to a port where nothing listens yet"
            )


@invariant
def https_uses_the_certificate_and_no_old_protocol(service: RenderedService) -> None:
    listener = service.variants["certificate"].resources["HttpsListener"].properties
    assert (listener["Protocol"], listener["Port"]) == ("HTTPS", 443)
    assert listener["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert listener["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-Res-"), (
        "TLS 1.2 and 1.3 with forward secrecy, and nothing older"
    )


@invariant
def https_has_the_certificate_that_the_stack_requests(service: RenderedService) -> None:
    """The zone validates only this name: with any other one, CloudFormation would wait for ever."""
    stack = service.variants["zone"]
    certificate = stack.resources["Certificate"].properties
    domain = stack.given["DomainName"]
    assert certificate["DomainName"] == domain
    assert certificate["ValidationMethod"] == "DNS"
    assert certificate["DomainValidationOptions"] == [{"DomainName": domain, "HostedZoneId": ZONE}]
    listener = stack.resources["HttpsListener"].properties
    assert listener["Certificates"] == [
        {"CertificateArn": service.place.arn("acm", "certificate/Certificate")}
    ]
    assert stack.order.index("Certificate") < stack.order.index("HttpsListener")


@invariant
def the_record_of_the_domain_leads_to_the_load_balancer(service: RenderedService) -> None:
    for name in "zone", "record":
        stack = service.variants[name]
        record = stack.resources["DomainRecord"].properties
        assert record["Name"] == stack.given["DomainName"]
        assert record["HostedZoneId"] == ZONE
        assert record["Type"] == "A", "the load balancer has no other addresses"
        assert record["AliasTarget"]["DNSName"] == stack.outputs["LoadBalancerDomain"]
    assert "Certificate" not in service.variants["record"].resources
    for name in "nothing", "domain", "certificate":
        assert "DomainRecord" not in service.variants[name].resources


@invariant
def only_the_https_listener_adds_hsts_and_only_if_it_is_set(service: RenderedService) -> None:
    header = "routing.http.response.strict_transport_security.header_value"
    for stack in service.stacks:
        for name in "HttpListener", "HttpsListener":
            found = stack.resources[name].properties if name in stack.resources else {}
            asked = name == "HttpsListener" and stack.parameters["HstsSeconds"]
            expected = [{"Key": header, "Value": f"max-age={asked}"}] if asked else None
            assert found.get("ListenerAttributes") == expected


@invariant
def the_load_balancer_drops_invalid_headers(service: RenderedService) -> None:
    assert service.load_balancer("routing.http.drop_invalid_header_fields.enabled") == "true"


@invariant
def the_server_keeps_idle_connections_longer_than_the_load_balancer(
    service: RenderedService,
) -> None:
    idle = int(service.load_balancer("idle_timeout.timeout_seconds"))
    assert service.gunicorn("keepalive") > idle, "or the load balancer answers 502 now and then"


@invariant
def no_request_is_cut_off_by_a_rollout(service: RenderedService) -> None:
    idle = int(service.load_balancer("idle_timeout.timeout_seconds"))
    delay = int(service.load_balancer("deregistration_delay.timeout_seconds"))
    graceful = service.gunicorn("graceful_timeout")
    assert delay >= graceful + 20, "the guide's margin"
    assert delay + graceful >= idle, "as long as the load balancer waits for an answer"
    assert delay <= 120, "each rollout waits for so long"
