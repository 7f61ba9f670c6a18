"""For tests of stacks: an operator who changes stacks, and the contents of an account."""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from simulator.simulation import SimulatedAws

Json = dict[str, Any]
PATIENCE = 50  # requests; no stack of the tests needs more than a dozen
STACK = "a-stack"


@dataclass
class Operator:
    """Creates and changes stacks by change sets, and waits until each operation ends."""

    aws: SimulatedAws
    template: str
    stack: str = STACK
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.client = self.aws.client("cloudformation")

    def request(self, template: str | None = None, **parameters: str) -> Json:
        given = [{"ParameterKey": key, "ParameterValue": parameters[key]} for key in parameters]
        return {
            "StackName": self.stack,
            "ChangeSetName": f"change-{next(self.numbers)}",
            "TemplateBody": template or self.template,
            "Parameters": given,
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "ImportExistingResources": True,
        }

    def plan(self, template: str | None = None, *, kind: str = "UPDATE", **parameters: str) -> Json:
        """A change set that is ready or has failed."""
        request = self.request(template, **parameters)
        return self.ask_for(request | {"ChangeSetType": kind})

    def ask_for(self, request: Json) -> Json:
        made = self.client.create_change_set(**request)["Id"]
        for _ in range(PATIENCE):
            found: Json = self.client.describe_change_set(ChangeSetName=made)
            if found["Status"] in {"CREATE_COMPLETE", "FAILED"}:
                return found
        raise AssertionError(f"the change set stays {found['Status']}")

    def execute(self, change_set: Json) -> str:
        assert change_set["Status"] == "CREATE_COMPLETE", change_set.get("StatusReason")
        self.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
        return self.follow(change_set["StackId"])

    def create(self, template: str | None = None, **parameters: str) -> str:
        return self.execute(self.plan(template, kind="CREATE", **parameters))

    def update(self, template: str | None = None, **parameters: str) -> str:
        return self.execute(self.plan(template, **parameters))

    def delete(self, **request: Any) -> str:
        stack = self.client.describe_stacks(StackName=self.stack)["Stacks"][0]["StackId"]
        self.client.delete_stack(StackName=stack, **request)
        return self.follow(stack)

    def follow(self, stack: str) -> str:
        """The final state of a stack, which is polled until then."""
        for _ in range(PATIENCE):
            events = self.client.describe_stack_events(StackName=stack)["StackEvents"]
            own = [event for event in events if event["PhysicalResourceId"] == stack]
            status: str = own[0]["ResourceStatus"]
            if not status.endswith("_IN_PROGRESS"):
                return status
        raise AssertionError(f"the stack stays {status}")

    @property
    def events(self) -> list[tuple[str, str]]:
        """(resource, status) of each event of the present stack, from first to last."""
        found = self.client.describe_stack_events(StackName=self.stack)["StackEvents"]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in found][::-1]

    def reason(self, resource: str, status: str, stack: str | None = None) -> str:
        """The reason in the last event of that status."""
        events = self.client.describe_stack_events(StackName=stack or self.stack)["StackEvents"]
        return next(
            str(event.get("ResourceStatusReason", ""))
            for event in events
            if (event["LogicalResourceId"], event["ResourceStatus"]) == (resource, status)
        )

    @property
    def ids(self) -> dict[str, str]:
        found = self.client.list_stack_resources(StackName=self.stack)["StackResourceSummaries"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    @property
    def status(self) -> str:
        return str(self.client.describe_stacks(StackName=self.stack)["Stacks"][0]["StackStatus"])

    @property
    def outputs(self) -> dict[str, str]:
        [stack] = self.client.describe_stacks(StackName=self.stack)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def actions(change_set: Json) -> dict[str, str]:
    """The action of a change set on each resource, for example "Add", "Modify", "Modify True"."""
    changes = [each["ResourceChange"] for each in change_set["Changes"]]
    return {
        each["LogicalResourceId"]: " ".join(
            [each["Action"], *([each["Replacement"]] if each.get("Replacement") != "False" else [])]
            if "Replacement" in each
            else [each["Action"]]
        )
        for each in changes
    }


def everything(aws: SimulatedAws) -> Json:
    """Every resource that stacks create, as its service describes it; no service-linked roles."""
    roles = [
        role
        for role in aws.client("iam").list_roles()["Roles"]
        if not role["Path"].startswith("/aws-")
    ]
    elb = aws.client("elbv2")
    balancers = elb.describe_load_balancers()["LoadBalancers"]
    targets = elb.describe_target_groups()["TargetGroups"]
    logs = aws.client("logs").describe_log_groups()["logGroups"]
    events = aws.client("events")
    rules = events.list_rules()["Rules"]
    described = {
        "repositories": aws.client("ecr").describe_repositories()["repositories"],
        "logs": logs,
        "clusters": clusters(aws),
        "roles": [role | {"policies": policies(aws, role["RoleName"])} for role in roles],
        "groups": [
            group
            for group in aws.client("ec2").describe_security_groups()["SecurityGroups"]
            if group["GroupName"] != "default"
        ],
        "balancers": [
            each
            | elb.describe_load_balancer_attributes(LoadBalancerArn=each["LoadBalancerArn"])
            | elb.describe_listeners(LoadBalancerArn=each["LoadBalancerArn"])
            for each in balancers
        ],
        "targets": [
            each
            | elb.describe_target_group_attributes(TargetGroupArn=each["TargetGroupArn"])
            # moto lists a load balancer once for each listener that ever forwarded to it
            | {"LoadBalancerArns": list(set(each["LoadBalancerArns"]))}
            for each in targets
        ],
        "alarms": aws.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "rules": [rule | events.list_targets_by_rule(Rule=rule["Name"]) for rule in rules],
    }
    return {kind: settled(found) for kind, found in described.items()}


def clusters(aws: SimulatedAws) -> list[Json]:
    """Without deleted ones, which AWS lists for a while."""
    ecs = aws.client("ecs")
    found = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    return [cluster for cluster in found if cluster["status"] == "ACTIVE"]


def policies(aws: SimulatedAws, role: str) -> Json:
    iam = aws.client("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in names
    }


def settled(value: Any) -> Any:
    """Without values that differ from call to call, and with sorted lists."""
    if isinstance(value, dict):
        passing = {"ResponseMetadata"} | {key for key in value if key.endswith("Timestamp")}
        return {key: settled(member) for key, member in value.items() if key not in passing}
    if isinstance(value, list):
        return sorted(map(settled, value), key=lambda item: json.dumps(item, default=str))
    return value
