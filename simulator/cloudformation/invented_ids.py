"""The ids and attributes of resources that nothing has created yet."""

from collections.abc import Callable, Mapping

from simulator.cloudformation.resource import Place, Resource

Identity = Callable[[Resource, Place], str]


def named(key: str) -> Identity:
    return lambda resource, _: str(resource.properties[key])


def load_balancing(rest: str) -> Identity:
    return lambda resource, place: place.arn(
        "elasticloadbalancing", rest.format(resource.properties["Name"])
    )


ID = "0123456789abcdef"
LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"

# The values of Ref and GetAtt, from the section "Return values" of each type's documentation.
IDENTITIES: Mapping[tuple[str, str], Identity] = {
    ("AWS::EC2::SecurityGroup", "GroupId"): lambda resource, _: f"sg-{resource.name}",
    ("AWS::ECR::Repository", "Arn"): lambda resource, place: place.arn(
        "ecr", f"repository/{resource.properties['RepositoryName']}"
    ),
    ("AWS::IAM::Role", "Ref"): named("RoleName"),
    ("AWS::IAM::Role", "Arn"): lambda resource, place: place.role(resource.properties["RoleName"]),
    ("AWS::Logs::LogGroup", "Arn"): lambda resource, place: place.arn(
        "logs", f"log-group:{resource.properties['LogGroupName']}:*"
    ),
    ("AWS::ElasticLoadBalancingV2::Listener", "Ref"): lambda resource, place: place.arn(
        "elasticloadbalancing", f"listener/app/any/{ID}/{resource.name}"
    ),
    ("AWS::EC2::PrefixList", "Ref"): lambda resource, _: f"pl-{resource.name}",
    (LOAD_BALANCER, "Ref"): load_balancing(f"loadbalancer/app/{{}}/{ID}"),
    ("AWS::CertificateManager::Certificate", "Ref"): lambda resource, place: place.arn(
        "acm", f"certificate/{resource.name}"
    ),
    ("AWS::CloudWatch::Dashboard", "Ref"): named("DashboardName"),
    (LOAD_BALANCER, "CanonicalHostedZoneID"): lambda *_: "Z35SXDOTRQ7X7K",
    (LOAD_BALANCER, "DNSName"): lambda resource, place: (
        f"{resource.properties['Name']}-1.{place.region}.elb.amazonaws.com"
    ),
    (LOAD_BALANCER, "LoadBalancerFullName"): lambda resource, _: (
        f"app/{resource.properties['Name']}/{ID}"
    ),
    (TARGET_GROUP, "Ref"): load_balancing(f"targetgroup/{{}}/{ID}"),
    (TARGET_GROUP, "TargetGroupFullName"): lambda resource, _: (
        f"targetgroup/{resource.properties['Name']}/{ID}"
    ),
}
