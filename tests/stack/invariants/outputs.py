"""Outputs of the stack: what the tool reads."""

from tests.stack.invariants.invariant import invariant, refusal
from tests.stack.rendered_service import RenderedService
from tests.stack.switches import CERTIFICATE


@invariant
def the_outputs_are_what_the_scripts_read(service: RenderedService) -> None:
    for stack in service.stacks:
        limited = "LimitedTaskSecurityGroup"
        own = {f"{limited}Id"} if stack.there(limited) else set()
        own |= {"DashboardName"} if stack.parameters["DrawDashboard"] else set()
        assert stack.outputs.keys() == own | {
            "Url",
            "LoadBalancerDomain",
            "TargetGroupArn",
            "ScalingResourceLabel",
            "SubnetIds",
            "TaskSecurityGroupId",
            "AssignPublicIp",
        }
        assert all(isinstance(value, str) and value for value in stack.outputs.values())


@invariant
def the_url_is_one_that_answers(service: RenderedService) -> None:
    app, region = service.settings.service.name, service.settings.service.region
    plain = f"http://{app}-alb-1.{region}.elb.amazonaws.com"
    urls = {name: stack.outputs["Url"] for name, stack in service.variants.items()}
    assert urls.pop("domain") == "http://api.example.com"
    secure = {urls.pop(name) for name in ("all", "certificate", "record", "zone")}
    assert secure == {"https://api.example.com"}
    assert set(urls.values()) == {plain}


@invariant
def the_load_balancer_is_told_under_its_own_name(service: RenderedService) -> None:
    """Where there is a domain, it has to point there."""
    app, region = service.settings.service.name, service.settings.service.region
    for stack in service.stacks:
        own = f"{app}-alb-1.{region}.elb.amazonaws.com"
        assert stack.outputs["LoadBalancerDomain"] == own


@invariant
def a_certificate_without_its_name_is_refused(service: RenderedService) -> None:
    """The load balancer's own name stands in no certificate, so https to it could not answer."""
    assert 'domain = "api.example.com"' in refusal(service.stack(CertificateArn=CERTIFICATE))
