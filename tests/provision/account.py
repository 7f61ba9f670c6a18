"""An AWS account for infra/provision.sh: new at first, and as a test makes it.

It is the stage of the deploy tests, with other scenes: each call is what AWS would accept and each
answer has the shape of AWS's, so botocore's models say. An administrator may do anything.
"""

import itertools
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.model import OperationModel
from botocore.session import get_session
from botocore.validate import ParamValidator
from stage import (
    NOW,
    PLAYER,
    TOOLS,
    URL,
    Call,
    Json,
    Options,
    Refusal,
    Run,
    Stage,
    operation,
    refusal,
)

HOST = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
PREFIX = "repo:my-company@11/ai-assistant@22"
SUBJECT = f"{PREFIX}:ref:refs/heads/main"
ZONES = {"subnet-a": "us-east-1a", "subnet-b": "us-east-1b", "subnet-c": "us-east-1c"}
SERVICE_ROLES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "ecs.application-autoscaling.amazonaws.com": (
        "AWSServiceRoleForApplicationAutoScaling_ECSService"
    ),
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
}
NO_CHANGES = "The submitted information didn't contain changes. Submit different information."
ASKS = ("get-", "describe-", "list-")
CHANGE_SET = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/provision/1"
BALANCER = "ai-assistant-alb-1.us-east-1.elb.amazonaws.com"


@cache
def states() -> set[str]:
    """Of resources and of stacks."""
    model = get_session().get_service_model("cloudformation")
    shapes = map(model.shape_for, ("ResourceStatus", "StackStatus"))
    return {state for shape in shapes for state in shape.metadata["enum"]}


@dataclass(frozen=True)
class Asked(Call):
    """A call with its options as the CLI understands them, flags and files included."""

    folder: Path

    def parameters(self) -> Json:
        service, command, *rest = self.words
        shape = operation(service, command).input_shape
        members = {xform_name(name, "-"): name for name in shape.members} if shape else {}
        found: Json = {}
        for option, values in itertools.groupby(Options(rest), key=lambda pair: pair[0]):
            given = [value for _, value in values if value is not None]
            if option == "output":
                assert given == ["json"], f"{self.name}: the answer is read as JSON"
            elif option == "no-paginate":
                assert given == []
            elif option == "cli-input-json":
                found |= json.loads(given[0])
            else:
                assert option in members, f"aws {self.name} has no --{option}"
                member = shape.members[members[option]]
                found[members[option]] = self.typed(given, member.type_name)
        return found

    def typed(self, given: list[str], kind: str) -> Any:
        if kind == "boolean":
            return given == []
        if kind == "list":
            return given
        (value,) = given
        if kind == "structure":
            key, word = value.split("=")
            return {key: {"true": True, "false": False}[word]}
        if value.startswith("file://"):
            return (self.folder / value.removeprefix("file://")).read_text(encoding="utf-8")
        return int(value) if kind in ("integer", "long") else value


class Account(Stage):
    """An account in which nothing is, and a GitHub that tells the subject of the service."""

    def __post_init__(self) -> None:
        self.service = self.folder / "service"
        self.stage = self.folder / "stage"
        self.bin = self.folder / "bin"
        shutil.copytree(self.render.path, self.service)
        self.git("init", "--quiet", "--initial-branch", "main")
        self.settings = self.render.settings()
        self.bin.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, f"{tool} is missing: install it"
            (self.bin / tool).symlink_to(found)
        for program in "aws", "date", "sleep", "gh", "curl":
            (self.bin / program).symlink_to(PLAYER)

        account, name = self.settings["AWS_ACCOUNT_ID"], self.settings["STACK_NAME"]
        self.stack_id = f"arn:aws:cloudformation:us-east-1:{account}:stack/{name}/1"
        identity = {"Account": account, "Arn": f"arn:aws:iam::{account}:user/me", "UserId": "AIDA"}
        self.answers("sts get-caller-identity", identity)
        self.has_network()
        self.has_provider(None)
        self.has_service_roles()
        self.has_group(None)
        self.github_says({"use_default": True, "sub_claim_prefix": PREFIX})
        self.has_no_stack()
        self.changes(*self.resources())
        for command in (
            "cloudformation execute-change-set",
            "cloudformation delete-change-set",
            "cloudformation delete-stack",
            "iam add-client-id-to-open-id-connect-provider",
            "iam put-role-policy",
            "iam delete-role-policy",
            "iam add-user-to-group",
            "iam remove-user-from-group",
            "iam put-group-policy",
            "iam delete-group-policy",
            "iam delete-group",
            "ecr put-lifecycle-policy",
            "ecr put-image-tag-mutability",
            "ecr put-image-scanning-configuration",
            "ecr delete-repository",
            "logs put-retention-policy",
            "logs delete-log-group",
            "application-autoscaling deregister-scalable-target",
        ):
            self.answers(command, "")  # nobody reads them
        self.answers("iam create-open-id-connect-provider", {"OpenIDConnectProviderArn": "x" * 20})
        self.has_service("DRAINING", "DRAINING", "INACTIVE")
        self.has_tasks()
        self.has_lost()

    # --- what is there ---

    def has_network(self, zones: Mapping[str, str] = ZONES, *, vpc: str | None = "vpc-1") -> None:
        vpcs = [{"VpcId": vpc, "IsDefault": True}] if vpc else []
        self.answers("ec2 describe-vpcs", {"Vpcs": vpcs})
        subnets = [
            {"SubnetId": id, "AvailabilityZone": zone, "VpcId": vpc or "vpc-2"}
            for id, zone in zones.items()
        ]
        self.answers("ec2 describe-subnets", {"Subnets": subnets})
        self.has_internet_gateway(vpc or "vpc-2")

    def has_internet_gateway(self, vpc: str | None) -> None:
        attached = [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": vpc}]}] if vpc else []
        self.answers("ec2 describe-internet-gateways", {"InternetGateways": attached})

    def has_provider(self, audiences: Sequence[str] | None) -> None:
        answer = refusal("NoSuchEntity") if audiences is None else {"ClientIDList": audiences}
        self.answers("iam get-open-id-connect-provider", answer)

    def has_group(self, members: Sequence[str] | None) -> None:
        """The group by which a user deploys, and its members; None where it is not there."""
        name = self.settings["DEPLOY_ROLE"]
        more = {"Path": "/", "Arn": "arn:aws:iam::123456789012:x/y", "CreateDate": NOW}
        group = {"GroupName": name, "GroupId": "A" * 16} | more
        users = [{"UserName": user, "UserId": "A" * 16} | more for user in members or []]
        there = refusal("NoSuchEntity") if members is None else {"Group": group, "Users": users}
        self.answers("iam get-group", there)
        self.answers("iam create-group", {"Group": group})

    def has_user(self, name: str) -> None:
        arn = f"arn:aws:iam::123456789012:user/{name}"
        more = {"Path": "/", "Arn": arn, "CreateDate": NOW}
        self.answers("iam get-user", {"User": {"UserName": name, "UserId": "A" * 16} | more})

    def has_service_roles(self, *there: str) -> None:
        """Those roles that AWS itself takes on; the others are seen on the second look."""
        missing = refusal("NoSuchEntity")
        role = {
            "Role": {
                "Path": "/aws-service-role/",
                "RoleName": "AWSServiceRole",
                "RoleId": "A" * 16,
                "Arn": "arn:aws:iam::123456789012:role/aws-service-role/x",
                "CreateDate": NOW,
            }
        }
        looks: list[Json | str | Refusal] = [
            role if name in there else missing for name in SERVICE_ROLES.values()
        ]
        for name in SERVICE_ROLES.values():
            looks += [] if name in there else [missing, role]
        self.answers("iam get-role", *looks)
        self.answers("iam create-service-linked-role", {})

    def github_says(self, answer: Json | None) -> None:
        """What GitHub answers to `gh` and, then, to `curl`; None when it cannot be asked."""
        for command in "gh api", "curl --silent":
            scene = self.stage / "scenes" / command
            shutil.rmtree(scene, ignore_errors=True)
            scene.mkdir(parents=True)
            if answer is None:
                (scene / "000.refusal").write_text("no answer")
            else:
                (scene / "000").write_text(json.dumps(answer))

    def resources(self) -> list[tuple[str, str, str]]:
        """(Add, logical id, type) of every resource in the stack's template."""
        text = (self.service / "infra/stack.yml").read_text()
        body = text.split("\nResources:\n")[1].split("\nOutputs:\n")[0]
        pairs = re.findall(r"^  (\w+):\n    Type: (\S+)$", body, re.MULTILINE)
        assert pairs, "infra/stack.yml is not read as it is written any more"
        return [("Add", id, kind) for id, kind in pairs]

    # --- the stack ---

    def described_stack(self, status: str, parameters: Mapping[str, str]) -> Json:
        outputs = {
            "Url": URL,
            "TargetGroupArn": "arn:aws:elasticloadbalancing:x",
            "SubnetIds": "subnet-a,subnet-b",
            "TaskSecurityGroupId": "sg-1",
            "AssignPublicIp": "ENABLED",
            "ScalingResourceLabel": "app/x",
            "LoadBalancerDomain": BALANCER,
        }
        return {
            "StackName": self.settings["STACK_NAME"],
            "StackId": self.stack_id,
            "CreationTime": NOW,
            "StackStatus": status,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            "Outputs": [{"OutputKey": key, "OutputValue": outputs[key]} for key in outputs],
        }

    def has_no_stack(self) -> None:
        """None at first; what the first run makes is there afterwards."""
        self.status = ""
        gone = refusal("ValidationError", "Stack with id ai-assistant does not exist")
        made = {"Stacks": [self.described_stack("CREATE_COMPLETE", {})]}
        self.answers("cloudformation describe-stacks", gone, made)
        self.happens(self.event("REVIEW_IN_PROGRESS"), then=self.creation())

    def is_only_planned(self) -> None:
        """What a change set brings into being, and nobody executes."""
        gone = refusal("ValidationError", "Stack with id ai-assistant does not exist")
        planned = {"Stacks": [self.described_stack("REVIEW_IN_PROGRESS", {})]}
        self.answers("cloudformation describe-stacks", gone, planned)

    def has_that_stack(self, status: str = "UPDATE_COMPLETE", **parameters: str) -> None:
        self.status = status
        before = {"Stacks": [self.described_stack(status, parameters)]}
        after = {"Stacks": [self.described_stack("UPDATE_COMPLETE", parameters)]}
        self.answers("cloudformation describe-stacks", before, after)
        self.happens(self.event("CREATE_COMPLETE"), then=[[self.event("UPDATE_COMPLETE")]])

    def is_up_to_date(self, **parameters: str) -> None:
        """A second run: all is there already."""
        network = {"VpcId": "vpc-1", "SubnetIds": "subnet-a,subnet-b", "GitHubSubject": SUBJECT}
        self.has_that_stack(**(network | parameters))
        self.has_provider([AUDIENCE])
        self.has_service_roles(*SERVICE_ROLES.values())
        self.refuses_changes(NO_CHANGES)

    def changes(self, *changes: tuple[str, str, str], replacement: str = "False") -> None:
        """What the change set would do, as (action, logical id, type)."""
        resources: list[Json] = []
        for action, id, kind in changes:
            resource: Json = {"Action": action, "LogicalResourceId": id, "ResourceType": kind}
            if action == "Modify":
                resource["Replacement"] = replacement
            resources.append({"Type": "Resource", "ResourceChange": resource})
        ready = {"Status": "CREATE_COMPLETE", "Changes": resources}
        waits = {"Status": "CREATE_IN_PROGRESS"}
        self.answers("cloudformation describe-change-set", waits, ready)
        made = {"Id": CHANGE_SET, "StackId": self.stack_id}
        self.answers("cloudformation create-change-set", made)

    def refuses_changes(self, reason: str) -> None:
        failed = {"Status": "FAILED", "StatusReason": reason}
        self.answers("cloudformation describe-change-set", failed)
        self.answers("cloudformation describe-events", {"OperationEvents": []})

    # --- its events ---

    def event(
        self, status: str, id: str = "", kind: str = "AWS::CloudFormation::Stack", reason: str = ""
    ) -> Json:
        """Of a resource, or of the stack itself."""
        return {
            "StackId": self.stack_id,
            "StackName": self.settings["STACK_NAME"],
            "LogicalResourceId": id or self.settings["STACK_NAME"],
            "PhysicalResourceId": f"physical-{id}" if id else self.stack_id,
            "ResourceType": kind,
            "ResourceStatus": status,
        } | ({"ResourceStatusReason": reason} if reason else {})

    def creation(self) -> list[list[Json]]:
        """The events of a creation that goes well, by polls."""
        resources = [(id, kind) for _, id, kind in self.resources()]
        started = [self.event("CREATE_IN_PROGRESS", id, kind) for id, kind in resources]
        finished = [self.event("CREATE_COMPLETE", id, kind) for id, kind in resources]
        first, *others = finished
        return [
            [self.event("CREATE_IN_PROGRESS"), *started],
            [first],
            [*others, self.event("CREATE_COMPLETE")],
        ]

    def happens(self, *before: Json, then: Sequence[Sequence[Json | Refusal]]) -> None:
        """Events of the stack, oldest first: those of earlier days, and what each poll adds."""
        self.before = list(before)
        known: list[Json] = []
        answers: list[Json | str | Refusal] = []
        for poll in [before, *then]:
            if any(isinstance(event, Refusal) for event in poll):
                answers += [event for event in poll if isinstance(event, Refusal)]
                continue
            for event in poll:
                assert not isinstance(event, Refusal)
                number = len(known)
                more = {"EventId": f"e-{number}", "Timestamp": NOW + timedelta(seconds=number)}
                known.append(event | more)
            answers.append(self.page_of_events({"StackEvents": known[::-1][:100]}))
        self.answers("cloudformation describe-stack-events", *answers)

    def page_of_events(self, page: Json) -> str:
        """Its model lacks some states of a stack that CloudFormation tells all the same."""
        shape = operation("cloudformation", "describe-stack-events").output_shape
        report = ParamValidator().validate(page, shape).generate_report()
        assert not report, f"CloudFormation would not answer so: {report}"
        unknown = {event["ResourceStatus"] for event in page["StackEvents"]} - states()
        assert not unknown, f"CloudFormation knows no {unknown}"
        return json.dumps(page, default=self.written)

    def is_deleted(self) -> None:
        """The stack goes when it is told to."""
        self.happens(
            self.event("CREATE_COMPLETE"),
            then=[
                [self.event("DELETE_IN_PROGRESS")],
                [
                    self.event("DELETE_COMPLETE", "Cluster", "AWS::ECS::Cluster"),
                    self.event("DELETE_SKIPPED", "Repository", "AWS::ECR::Repository"),
                    self.event("DELETE_COMPLETE"),
                ],
            ],
        )

    # --- the service ---

    def has_service(self, *looks: str) -> None:
        """What state it is in, from look to look after it was deleted."""
        states = [
            {"serviceName": "x", "status": state, "runningCount": 2, "desiredCount": 0}
            for state in looks
        ]
        self.answers("ecs delete-service", {"service": states[0]} if states else {})
        self.answers("ecs describe-services", *({"services": [state]} for state in states))

    def has_no_service(self) -> None:
        self.answers("ecs delete-service", refusal("ServiceNotFoundException"))
        self.answers("ecs describe-services", {"services": []})

    def has_tasks(self, *looks: str) -> None:
        """What state a task of the service is in, from look to look once it was told to stop."""
        arn = "arn:aws:ecs:us-east-1:123456789012:task/ai-assistant-cluster/1"
        task = {"taskArn": arn, "desiredStatus": "STOPPED"}
        none: Json = {"taskArns": []}
        listed: Json = {"taskArns": [arn] if looks else []}
        self.answers("ecs list-tasks", none, *[listed, none] * 20)
        self.answers(
            "ecs describe-tasks", *({"tasks": [task | {"lastStatus": look}]} for look in looks)
        )

    def runs_now(self, *task_definitions: Json, subnets: Sequence[str] = ("subnet-a",)) -> None:
        """A service that is there, and what each of its deployments runs, the last one first."""
        arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/x"
        network = {"awsvpcConfiguration": {"subnets": list(subnets)}}
        deployments = [
            {"taskDefinition": f"{arn}:{n}", "networkConfiguration": network}
            | {"runningCount": 1, "pendingCount": 0}
            for n in range(len(task_definitions), 0, -1)
        ]
        service = {"status": "ACTIVE", "deployments": deployments}
        self.answers("ecs describe-services", {"services": [service]})
        answers = ({"taskDefinition": definition} for definition in task_definitions)
        self.answers("ecs describe-task-definition", *answers)

    def has_lost(self, *names: str) -> None:
        """What somebody has deleted by hand of what the stack made: settings, by their names."""
        lost = {self.settings[name] for name in names}
        repository, group, cluster = (
            self.settings[name] for name in ("ECR_REPOSITORY", "LOG_GROUP", "ECS_CLUSTER")
        )
        self.answers(
            "ecr describe-repositories",
            refusal("RepositoryNotFoundException")
            if repository in lost
            else {"repositories": [{"repositoryName": repository}]},
        )
        groups = [{"logGroupName": f"{group}-of-a-neighbour"}]
        groups += [] if group in lost else [{"logGroupName": group}]
        self.answers("logs describe-log-groups", {"logGroups": groups})
        status = "INACTIVE" if cluster in lost else "ACTIVE"
        self.answers("ecs describe-clusters", {"clusters": [{"status": status}]})
        self.answers("ecr create-repository", {})
        self.answers("logs create-log-group", "")
        self.answers("ecs create-cluster", {})

    # --- the script ---

    def provision(self, *arguments: str) -> Run:
        return self.run("infra/provision.sh", *arguments)

    def destroy(self, *arguments: str, types: str = "ai-assistant") -> Run:
        script = str(self.service / "infra/provision.sh")
        typing = 'typed=$0; printf "%s\\n" "$typed" | "$@"'
        return self.ended(self.start("bash", "-c", typing, types, script, "--destroy", *arguments))

    def call(self, words: Sequence[str]) -> Call:
        return Asked(words[6], tuple(words[:6]), tuple(words[7:]), self.service)

    def check_permission(self, call: Call, model: OperationModel) -> None:
        """An administrator may do everything."""


def changed(run: Run) -> list[str]:
    """What was asked for but to be told: all of it changes something."""
    aws = (call.name for call in run.calls if call.program == "aws")
    return [name for name in aws if not name.split()[1].startswith(ASKS)]


def parameters(run: Run) -> dict[str, str]:
    """The parameters of the stack that were sent."""
    sent = run.request("cloudformation create-change-set")["Parameters"]
    return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in sent}
