"""The tags of a stack on its resources, by the calls of their services.

"Resource tags" in CloudFormation's template reference: stack-level tags go to every resource that
can be tagged; the schema of a type says whether it can (`tagging`). A tag that the stack loses, its
resources lose too (UpdateStack, API Reference).
"""

from collections.abc import Callable, Mapping
from typing import Any

from simulator.cloudformation.resources.kind import Aws

Tags = Mapping[str, str]
# Sets tags on a resource and removes those with these keys.
Tagger = Callable[[Aws, str, Tags, list[str]], None]


def is_taggable(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("tagging", {}).get("taggable", True))


def upper(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def of_repository(aws: Aws, id: str, tags: Tags, gone: list[str]) -> None:
    ecr = aws("ecr")
    [found] = ecr.describe_repositories(repositoryNames=[id])["repositories"]
    if tags:
        ecr.tag_resource(resourceArn=found["repositoryArn"], tags=upper(tags))
    if gone:
        ecr.untag_resource(resourceArn=found["repositoryArn"], tagKeys=gone)


def of_log_group(aws: Aws, id: str, tags: Tags, gone: list[str]) -> None:
    logs = aws("logs")
    if tags:
        logs.tag_log_group(logGroupName=id, tags=dict(tags))
    if gone:
        logs.untag_log_group(logGroupName=id, tags=gone)


def of_cluster(aws: Aws, id: str, tags: Tags, gone: list[str]) -> None:
    ecs = aws("ecs")
    [found] = ecs.describe_clusters(clusters=[id])["clusters"]
    arn = found["clusterArn"]
    if tags:
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        ecs.tag_resource(resourceArn=arn, tags=listed)
    if gone:
        ecs.untag_resource(resourceArn=arn, tagKeys=gone)


def of_role(aws: Aws, id: str, tags: Tags, gone: list[str]) -> None:
    iam = aws("iam")
    if tags:
        iam.tag_role(RoleName=id, Tags=upper(tags))
    if gone:
        iam.untag_role(RoleName=id, TagKeys=gone)


def of_ec2(aws: Aws, id: str, tags: Tags, gone: list[str]) -> None:
    ec2 = aws("ec2")
    if tags:
        ec2.create_tags(Resources=[id], Tags=upper(tags))
    if gone:
        ec2.delete_tags(Resources=[id], Tags=[{"Key": key} for key in gone])


def of_load_balancing(aws: Aws, id: str, tags: Tags, gone: list[str]) -> None:
    elb = aws("elbv2")
    if tags:
        elb.add_tags(ResourceArns=[id], Tags=upper(tags))
    if gone:
        elb.remove_tags(ResourceArns=[id], TagKeys=gone)


def of_certificate(aws: Aws, id: str, tags: Tags, gone: list[str]) -> None:
    acm = aws("acm")
    if tags:
        acm.add_tags_to_certificate(CertificateArn=id, Tags=upper(tags))
    if gone:
        listed = [{"Key": key} for key in gone]
        acm.remove_tags_from_certificate(CertificateArn=id, Tags=listed)


def of_dashboard(aws: Aws, id: str, tags: Tags, gone: list[str]) -> None:
    cloudwatch = aws("cloudwatch")
    listed = cloudwatch.list_dashboards(DashboardNamePrefix=id)["DashboardEntries"]
    [arn] = [each["DashboardArn"] for each in listed if each["DashboardName"] == id]
    retag_arn(cloudwatch, arn, tags, gone)


def of_alarm(aws: Aws, id: str, tags: Tags, gone: list[str]) -> None:
    cloudwatch = aws("cloudwatch")
    [found] = cloudwatch.describe_alarms(AlarmNames=[id])["MetricAlarms"]
    retag_arn(cloudwatch, found["AlarmArn"], tags, gone)


def of_rule(aws: Aws, id: str, tags: Tags, gone: list[str]) -> None:
    events = aws("events")
    retag_arn(events, events.describe_rule(Name=id)["Arn"], tags, gone)


def retag_arn(client: Any, arn: str, tags: Tags, gone: list[str]) -> None:
    """By the calls that CloudWatch and EventBridge share."""
    if tags:
        client.tag_resource(ResourceARN=arn, Tags=upper(tags))
    if gone:
        client.untag_resource(ResourceARN=arn, TagKeys=gone)


TAGGERS: Mapping[str, Tagger] = {
    "AWS::CertificateManager::Certificate": of_certificate,
    "AWS::CloudWatch::Alarm": of_alarm,
    "AWS::CloudWatch::Dashboard": of_dashboard,
    "AWS::EC2::PrefixList": of_ec2,
    "AWS::EC2::SecurityGroup": of_ec2,
    "AWS::ECR::Repository": of_repository,
    "AWS::ECS::Cluster": of_cluster,
    "AWS::ElasticLoadBalancingV2::Listener": of_load_balancing,
    "AWS::ElasticLoadBalancingV2::ListenerRule": of_load_balancing,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": of_load_balancing,
    "AWS::ElasticLoadBalancingV2::TargetGroup": of_load_balancing,
    "AWS::Events::Rule": of_rule,
    "AWS::IAM::Role": of_role,
    "AWS::Logs::LogGroup": of_log_group,
}


def retag(aws: Aws, type: str, id: str, before: Tags, after: Tags) -> None:
    """Replace the tags that a resource has from its stack with those of the new template."""
    if before == after:
        return
    if type not in TAGGERS:
        raise NotImplementedError(f"tags of {type}: add it to {__name__}")
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    TAGGERS[type](aws, id, changed, sorted(before.keys() - after.keys()))
