"""The stack of a service, created by direct calls to AWS, which is quicker than by the tool."""

import json
from collections.abc import Callable

from tests.support.checkout import SUBJECT, Checkout

SERVICE_LINKED_ROLES = (
    "ecs.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
)


def provision(checkout: Checkout) -> None:
    """Create what provisioning creates, by direct calls to AWS."""
    aws, names = checkout.aws, checkout.settings.names
    iam, cloudformation = aws.client("iam"), aws.client("cloudformation")
    for service in SERVICE_LINKED_ROLES:
        iam.create_service_linked_role(AWSServiceName=service)
    cloudformation.create_change_set(
        StackName=names.stack,
        ChangeSetName="create",
        ChangeSetType="CREATE",
        Capabilities=["CAPABILITY_NAMED_IAM"],
        TemplateBody=template_body(checkout),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in parameters(checkout).items()
        ],
    )
    change_set = {"StackName": names.stack, "ChangeSetName": "create"}
    wait_for(lambda: cloudformation.describe_change_set(**change_set)["Status"])
    cloudformation.execute_change_set(**change_set)
    wait_for(lambda: checkout.stack_status)
    policy = (checkout.folder / "ops" / "iam-policy-github-actions.json").read_text("utf-8")
    iam.put_role_policy(RoleName=names.deploy_role, PolicyName="deploy", PolicyDocument=policy)
    iam.put_role_policy(
        RoleName=names.deploy_role, PolicyName="deploy-limits", PolicyDocument=limits(checkout)
    )


def limits(checkout: Checkout) -> str:
    """The policy that denies the deploy role other subnets, and ECS Exec."""
    subnets = parameters(checkout)["SubnetIds"].split(",")
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Deny", "Action": "ecs:*", "Resource": "*", "Condition": condition}
                for condition in (
                    {"ForAnyValue:StringNotEquals": {"ecs:subnet": sorted(subnets)}},
                    {"StringEquals": {"ecs:enable-execute-command": "true"}},
                )
            ],
        }
    )


def template_body(checkout: Checkout) -> str:
    """infra/stack.yml with literal names for what CloudFormation may import."""
    names = checkout.settings.names
    template = (checkout.folder / "infra" / "stack.yml").read_text(encoding="utf-8")
    named = template.replace("!Ref RepositoryName", names.repository)
    return named.replace("!Ref LogGroupName", names.log_group)


def wait_for(status: Callable[[], str]) -> None:
    """Poll until something is created. Each poll moves an operation of CloudFormation forward."""
    looks = 100
    while (found := status()).endswith(("_PENDING", "_IN_PROGRESS")) and looks:
        looks -= 1
    assert found == "CREATE_COMPLETE", f"the stack of the test is in state {found}"


def parameters(checkout: Checkout) -> dict[str, str]:
    """The parameters of infra/stack.yml for the settings of an untouched render."""
    settings = checkout.settings
    names, ec2 = settings.names, checkout.aws.client("ec2")
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    return {
        "AppName": settings.service.name,
        "RepositoryName": names.repository,
        "LogGroupName": names.log_group,
        "LogRetentionDays": str(settings.logs.retention_days),
        "ClusterName": names.cluster,
        "ServiceName": names.service,
        "ExecutionRoleName": names.execution_role,
        "TaskRoleName": names.task_role,
        "DeployRoleName": names.deploy_role,
        "GitHubSubject": SUBJECT,
        "VpcId": subnets["Subnets"][0]["VpcId"],
        "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets["Subnets"]),
        "AssignPublicIp": "ENABLED",
        "LoadBalancerScheme": "internet-facing",
    }
