"""All resources of an account, of each kind that the stack or a command creates."""

from collections.abc import Callable, Iterator
from typing import Any

from simulator.simulation import SimulatedAws

Json = dict[str, Any]
Client = Callable[[str], Any]


def names(found: list[Json], key: str) -> list[str]:
    return [str(one[key]) for one in found]


def roles(aws: Client) -> list[str]:
    return names(aws("iam").list_roles()["Roles"], "RoleName")


def role_policies(aws: Client) -> Iterator[str]:
    for role in roles(aws):
        for policy in aws("iam").list_role_policies(RoleName=role)["PolicyNames"]:
            yield f"{role}/{policy}"


def services(aws: Client) -> Iterator[str]:
    for cluster in clusters(aws):
        yield from aws("ecs").list_services(cluster=cluster)["serviceArns"]


def clusters(aws: Client) -> list[str]:
    ecs = aws("ecs")
    found = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    return names([cluster for cluster in found if cluster["status"] == "ACTIVE"], "clusterName")


def listeners(aws: Client) -> Iterator[str]:
    elb = aws("elbv2")
    for balancer in elb.describe_load_balancers()["LoadBalancers"]:
        found = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        yield from (f"{balancer['LoadBalancerName']}:{listener['Port']}" for listener in found)


def rules(aws: Client) -> Iterator[str]:
    for rule in aws("ec2").describe_security_group_rules()["SecurityGroupRules"]:
        if not rule["IsEgress"]:
            yield f"{rule['GroupId']}: {rule['FromPort']}"


def records(aws: Client) -> Iterator[str]:
    route53 = aws("route53")
    for zone in route53.list_hosted_zones()["HostedZones"]:
        found = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
        yield from (f"{record['Name']} {record['Type']}" for record in found)


def web_acls(aws: Client) -> Iterator[str]:
    """The web ACLs of load balancers."""
    for balancer in aws("elbv2").describe_load_balancers()["LoadBalancers"]:
        arn = balancer["LoadBalancerArn"]
        if acl := aws("wafv2").get_web_acl_for_resource(ResourceArn=arn).get("WebACL"):
            yield f"{balancer['LoadBalancerName']}: {acl['Name']}"


SCALED: Json = {"ServiceNamespace": "ecs"}

# By the types of CloudFormation, for resources of the stack.
LISTS: dict[str, Callable[[Client], list[str] | Iterator[str]]] = {
    "AWS::CertificateManager::Certificate": lambda aws: names(
        aws("acm").list_certificates()["CertificateSummaryList"], "CertificateArn"
    ),
    "AWS::CloudWatch::Alarm": lambda aws: names(
        aws("cloudwatch").describe_alarms()["MetricAlarms"], "AlarmName"
    ),
    "AWS::CloudWatch::Dashboard": lambda aws: names(
        aws("cloudwatch").list_dashboards()["DashboardEntries"], "DashboardName"
    ),
    "AWS::EC2::PrefixList": lambda aws: names(
        aws("ec2").describe_managed_prefix_lists()["PrefixLists"], "PrefixListName"
    ),
    "AWS::EC2::SecurityGroup": lambda aws: names(
        aws("ec2").describe_security_groups()["SecurityGroups"], "GroupName"
    ),
    "AWS::EC2::SecurityGroupIngress": rules,
    "AWS::ECR::Repository": lambda aws: names(
        aws("ecr").describe_repositories()["repositories"], "repositoryName"
    ),
    "AWS::ECS::Cluster": clusters,
    "AWS::ElasticLoadBalancingV2::Listener": listeners,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": lambda aws: names(
        aws("elbv2").describe_load_balancers()["LoadBalancers"], "LoadBalancerName"
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": lambda aws: names(
        aws("elbv2").describe_target_groups()["TargetGroups"], "TargetGroupName"
    ),
    "AWS::Events::Rule": lambda aws: names(aws("events").list_rules()["Rules"], "Name"),
    "AWS::IAM::Role": roles,
    "AWS::IAM::RolePolicy": role_policies,
    "AWS::Logs::LogGroup": lambda aws: names(
        aws("logs").describe_log_groups()["logGroups"], "logGroupName"
    ),
    "AWS::Route53::RecordSet": records,
    "AWS::WAFv2::WebACLAssociation": web_acls,
    "group": lambda aws: names(aws("iam").list_groups()["Groups"], "GroupName"),
    "identity provider": lambda aws: names(
        aws("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"], "Arn"
    ),
    "revision": lambda aws: aws("ecs").list_task_definitions()["taskDefinitionArns"],
    "scalable target": lambda aws: names(
        aws("application-autoscaling").describe_scalable_targets(**SCALED)["ScalableTargets"],
        "ResourceId",
    ),
    "scaling policy": lambda aws: names(
        aws("application-autoscaling").describe_scaling_policies(**SCALED)["ScalingPolicies"],
        "PolicyName",
    ),
    "service": services,
    "stack": lambda aws: names(aws("cloudformation").describe_stacks()["Stacks"], "StackName"),
}


def inventory(aws: SimulatedAws) -> dict[str, list[str]]:
    return {kind: sorted(found(aws.client)) for kind, found in LISTS.items()}


def new(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """The resources that were created in between, by their kind."""
    added = {kind: [name for name in after[kind] if name not in before[kind]] for kind in after}
    return {kind: found for kind, found in added.items() if found}
