"""The responses of the load balancer's URL to the tool, which runs outside of AWS."""

import json
import ssl
from typing import Any

import pytest

from simulator.fixtures import Ground


def secured(ground: Ground, source: str, port: int = 80) -> None:
    """Give the load balancer a security group that lets one source in."""
    ec2 = ground.aws.client("ec2")
    made = ec2.create_security_group(GroupName="alb", Description="alb", VpcId=ground.vpc)
    ec2.authorize_security_group_ingress(
        GroupId=made["GroupId"],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": port,
                "ToPort": port,
                "IpRanges": [{"CidrIp": source}],
            }
        ],
    )
    balancing = ground.aws.client("elbv2")
    (balancer,) = balancing.describe_load_balancers()["LoadBalancers"]
    balancing.set_security_groups(
        LoadBalancerArn=balancer["LoadBalancerArn"], SecurityGroups=[made["GroupId"]]
    )


def internal(ground: Ground) -> str:
    """The name of a load balancer that only the network of the account reaches."""
    made = ground.aws.client("elbv2").create_load_balancer(
        Name="inside", Subnets=ground.subnets, Scheme="internal"
    )
    return str(made["LoadBalancers"][0]["DNSName"])


def listens_to_https(ground: Ground) -> None:
    balancing: Any = ground.aws.client("elbv2")
    (balancer,) = balancing.describe_load_balancers()["LoadBalancers"]
    certificate = ground.aws.client("acm").request_certificate(DomainName="api.example.com")
    balancing.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": certificate["CertificateArn"]}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": ground.target_group}],
    )


def test_the_url_answers_with_the_running_commit(ground: Ground) -> None:
    url = f"http://{ground.host}/health"
    assert ground.aws.fetch(url).status == 503
    ground.serving()
    status, body = ground.aws.fetch(url, timeout=5)
    assert (status, json.loads(body)) == (200, {"status": "ok", "commit": "first"})
    assert ground.aws.fetch(f"http://{ground.host}/").status == 404


def test_an_unknown_name_does_not_resolve(ground: Ground) -> None:
    with pytest.raises(OSError, match="Name or service not known"):
        ground.aws.fetch("http://app-alb-9.us-east-1.elb.amazonaws.com/health")


def test_an_internal_load_balancer_times_out_from_outside(ground: Ground) -> None:
    url, before = f"http://{internal(ground)}/health", ground.aws.clock.now()
    with pytest.raises(TimeoutError):
        ground.aws.fetch(url, timeout=5)
    assert (ground.aws.clock.now() - before).total_seconds() == 5


def test_a_port_without_a_listener_refuses(ground: Ground) -> None:
    with pytest.raises(ConnectionRefusedError):
        ground.aws.fetch(f"https://{ground.host}/health")


@pytest.mark.parametrize(
    ("source", "port", "gets_in"),
    [
        ("0.0.0.0/0", 80, True),
        ("198.51.100.0/24", 80, True),
        ("10.0.0.0/8", 80, False),
        ("0.0.0.0/0", 443, False),
    ],
)
def test_a_security_group_decides_which_clients_get_in(
    ground: Ground, source: str, port: int, gets_in: bool
) -> None:
    secured(ground, source, port)
    url = f"http://{ground.host}/health"
    if gets_in:
        assert ground.aws.fetch(url).status == 503
    else:
        with pytest.raises(TimeoutError):
            ground.aws.fetch(url)


def test_https_is_for_the_name_of_the_certificate(ground: Ground) -> None:
    ground.serving()
    listens_to_https(ground)
    with pytest.raises(OSError, match="not known"):
        ground.aws.fetch("https://api.example.com/health")
    ground.aws.load_balancer.records["api.example.com"] = ground.host
    assert ground.aws.fetch("https://api.example.com/health").status == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        ground.aws.fetch(f"https://{ground.host}/health")
