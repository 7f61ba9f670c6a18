"""The outputs of the stack, which the tool reads."""

from tests.stack.invariants.invariant import invariant, refusal
from tests.stack.rendered_service import RenderedService
from tests.stack.switches import CERTIFICATE


@invariant
def the_outputs_are_those_that_the_tool_reads(service: RenderedService) -> None:
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
def an_output_has_the_load_balancers_own_name(service: RenderedService) -> None:
    """A domain name has to point to it."""
    app, region = service.settings.service.name, service.settings.service.region
    for stack in service.stacks:
        own = f"{app}-alb-1.{region}.elb.amazonaws.com"
        assert stack.outputs["LoadBalancerDomain"] == own


@invariant
def a_certificate_without_its_name_is_refused(service: RenderedService) -> None:
    """No certificate contains the load balancer's own name, so HTTPS to that name would fail."""
    assert 'domain = "api.example.com"' in refusal(service.stack(CertificateArn=CERTIFICATE))
