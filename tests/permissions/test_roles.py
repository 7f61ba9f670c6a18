"""The roles of the tasks, put to use: ECS starts a task by the one, and the app calls AWS by the
other. tests/stack holds each of their statements to its words."""

import copy
import json
from dataclasses import dataclass
from typing import Any

import pytest

from simulator.cloudformation.template import Stack
from simulator.ecs.rollouts import Crashes
from simulator.fixtures import Ground
from simulator.policies import Need, denial, listed, trusts
from simulator.simulation import SimulatedAws
from tests.stack.rendered_service import RenderedService
from tests.stack.switches import KEY, SWITCHES
from tests.support.rendering import Render

Json = dict[str, Any]

EXECUTION = [
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameters",
]
# An action that a task was not seen to need here, and why it stays.
ROOM = {"ecr:BatchCheckLayerAvailability": "AWS's own AmazonECSTaskExecutionRolePolicy has it"}


@pytest.fixture(scope="module")
def service(example: Render) -> RenderedService:
    return RenderedService(example)


def policies(stack: Stack, role: str) -> list[Json]:
    name = stack.resources[role].properties["RoleName"]
    found = (policy.properties for policy in stack.of_type("AWS::IAM::RolePolicy"))
    return [policy["PolicyDocument"] for policy in found if policy["RoleName"] == name]


def without(policies: list[Json], action: str) -> list[Json]:
    """The policies without one action."""
    less = copy.deepcopy(policies)
    for policy in less:
        for statement in policy["Statement"]:
            statement["Action"] = [one for one in listed(statement["Action"]) if one != action]
        policy["Statement"] = [one for one in policy["Statement"] if one["Action"]]
    return [policy for policy in less if policy["Statement"]]


def actions(policies: list[Json]) -> set[str]:
    statements = [statement for policy in policies for statement in policy["Statement"]]
    return {action for statement in statements for action in listed(statement["Action"])}


# --- ECS starts a task ---


@dataclass
class Start:
    """A task with a secret, a parameter, a file and a log, and a sidecar with another image and
    log, started by the execution role of the stack."""

    ground: Ground
    service: RenderedService

    def __post_init__(self) -> None:
        client = self.ground.aws.client
        self.secret = client("secretsmanager").create_secret(Name="key", SecretString="s")["ARN"]
        client("s3").create_bucket(Bucket="files")
        client("s3").put_object(Bucket="files", Key="app.env", Body=b"A=1")
        self.file = "arn:aws:s3:::files/app.env"
        self.agent = "arn:aws:ecr:eu-west-1:210987654321:repository/agent"
        self.ground.aws.world.shared.add(self.agent)
        self.other_log = self.service.place.arn("logs", "log-group:/ecs/agent:*")
        self.parameter = self.service.place.arn("ssm", "parameter/one")
        client("ssm").put_parameter(Name="/one", Value="1", Type="SecureString")
        self.stack = self.service.stack(
            RepositoryName="app",
            LogGroupName="/ecs/app",
            ExecutionRoleName="execution",
            SecretArns=self.secret,
            ParameterArns=self.parameter,
            FileArns=self.file,
            FileBucketArns=self.file.partition("/")[0],
            ImageRepositoryArns=self.agent,
            OtherLogGroupArns=self.other_log,
            CreatedLogGroupArns=self.other_log,
        )
        trust = self.stack.resources["ExecutionRole"].properties["AssumeRolePolicyDocument"]
        client("iam").update_assume_role_policy(
            RoleName="execution", PolicyDocument=json.dumps(trust)
        )
        client("iam").delete_role_policy(RoleName="execution", PolicyName="p")
        self.policies = policies(self.stack, "ExecutionRole")

    def says(self, policies: list[Json], **changes: Any) -> str:
        """The stopped reason of a task whose app prints "it runs" and crashes, and the task's log.
        The changes are applied to its container definition."""
        client = self.ground.aws.client
        for number, policy in enumerate(policies):
            put = {"RoleName": "execution", "PolicyName": str(number)}
            client("iam").put_role_policy(**put, PolicyDocument=json.dumps(policy))
        self.ground.aws.next_rollout(Crashes(says=("it runs",)))
        secrets = {"S": self.secret, "P": self.parameter}
        named = [{"name": name, "valueFrom": arn} for name, arn in secrets.items()]
        app = {"secrets": named, "environmentFiles": [{"value": self.file, "type": "s3"}]}
        definition = self.ground.definition(**app | changes)
        definition["containerDefinitions"].append(self.sidecar)
        made = client("ecs").register_task_definition(**definition)["taskDefinition"]
        self.ground.create_service(made["taskDefinitionArn"])
        self.ground.watch()
        reasons = {task["stoppedReason"] for task in self.ground.stopped_tasks()}
        lines = client("logs").filter_log_events(logGroupName="/ecs/app")["events"]
        return "\n".join([*sorted(reasons), *(line["message"] for line in lines)])

    @property
    def sidecar(self) -> Json:
        options = {
            "awslogs-group": "/ecs/agent",
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": "ecs",
            "awslogs-create-group": "true",
        }
        return {
            "name": "agent",
            "image": "210987654321.dkr.ecr.eu-west-1.amazonaws.com/agent:1",
            "essential": False,
            "logConfiguration": {"logDriver": "awslogs", "options": options},
        }


@pytest.fixture
def start(aws: SimulatedAws, service: RenderedService) -> Start:
    return Start(Ground(aws), service)


def test_a_task_runs_by_the_execution_role(start: Start) -> None:
    said = start.says(start.policies)
    assert "Essential container in task exited" in said
    assert "it runs" in said, f"its log is not written:\n{said}"


def test_the_execution_role_has_no_other_actions(start: Start) -> None:
    assert actions(start.policies) == {*EXECUTION, *ROOM}


@pytest.mark.parametrize("action", EXECUTION)
def test_without_any_one_of_them_a_task_does_not_run(start: Start, action: str) -> None:
    said = start.says(without(start.policies, action))
    assert "it runs" not in said, f"nothing needs {action}: delete it in infra/stack.yml"
    if action == "logs:PutLogEvents":
        return  # the log driver ignores the error
    assert "Essential container in task exited" not in said
    # ECR and S3 return only "forbidden", without a reason.
    forbidden = {"ecr": "403 Forbidden", "s3": "AccessDenied: Access Denied"}
    assert action in said or forbidden.get(action.partition(":")[0], action) in said, said


@pytest.mark.parametrize("name", ["key-two", "/one/two"])
def test_a_task_gets_no_secret_that_the_stack_is_not_told_of(start: Start, name: str) -> None:
    client = start.ground.aws.client
    if name.startswith("/"):
        client("ssm").put_parameter(Name=name, Value="2", Type="SecureString")
        arn = start.service.place.arn("ssm", f"parameter{name}")
    else:
        arn = client("secretsmanager").create_secret(Name=name, SecretString="2")["ARN"]
    said = start.says(start.policies, secrets=[{"name": "S", "valueFrom": arn}])
    assert f"on resource: {arn}" in said, said


def test_guardduty_can_add_its_agent_to_the_tasks(start: Start) -> None:
    """guardian/cdk#2703. The account: "ECR Repository for GuardDuty agent" (its User Guide)."""
    account = "593207742271"
    start.ground.aws.world.guardduty = account
    start.ground.aws.world.shared.add(
        f"arn:aws:ecr:us-east-1:{account}:repository/aws-guardduty-agent-fargate"
    )
    start.says(start.policies)
    for task in start.ground.stopped_tasks():
        [agent] = [each for each in task["containers"] if "guardduty" in each["name"]]
        assert "reason" not in agent, agent


def test_a_task_gets_no_image_of_a_neighbour(start: Start) -> None:
    start.ground.aws.client("ecr").create_repository(repositoryName="neighbour")
    image = start.ground.image.replace("/app@", "/neighbour@")
    said = start.says(start.policies, image=image)
    assert f"{image}: 403 Forbidden" in said, said


# --- who is lent the roles ---

HERE = {
    "aws:SourceAccount": "123456789012",
    "aws:SourceArn": "arn:aws:ecs:us-east-1:123456789012:task/c/t",
}
BORROWERS: dict[str, tuple[str, Json, bool]] = {
    "its own tasks": ("ecs-tasks.amazonaws.com", HERE, True),
    "the tasks of another account": (
        "ecs-tasks.amazonaws.com",
        {name: value.replace("123456789012", "210987654321") for name, value in HERE.items()},
        False,
    ),
    "the tasks of another region": (
        "ecs-tasks.amazonaws.com",
        {name: value.replace("us-east-1", "eu-west-1") for name, value in HERE.items()},
        False,
    ),
    "ECS without the account and the task": ("ecs-tasks.amazonaws.com", {}, False),
    "another service of AWS": ("lambda.amazonaws.com", HERE, False),
}


@pytest.mark.parametrize("role", ["ExecutionRole", "TaskRole"])
@pytest.mark.parametrize("who", BORROWERS)
def test_a_role_is_lent_to_its_own_tasks_alone(
    service: RenderedService, role: str, who: str
) -> None:
    principal, context, is_trusted = BORROWERS[who]
    trust = service.stack().resources[role].properties["AssumeRolePolicyDocument"]
    assert trusts(trust, "Service", principal, "sts:AssumeRole", context) is is_trusted


# --- the app calls AWS ---

MODEL = "anthropic.claude-opus-4"
# By the switch of tests/stack/rendered_service.py: what the app may do then, and what is close to
# it that it may not.
OPENED: dict[str, tuple[list[Need], list[Need]]] = {
    "models": (
        [
            Need("bedrock:InvokeModel", f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"),
            Need(
                "bedrock:InvokeModelWithResponseStream",
                f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{MODEL}",
            ),
        ],
        [
            Need("bedrock:InvokeModel", f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}-5"),
            Need(
                "bedrock:DeleteInferenceProfile",
                f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{MODEL}",
            ),
        ],
    ),
    "buckets": (
        [
            Need("s3:ListBucket", "arn:aws:s3:::first"),
            Need("s3:GetObject", "arn:aws:s3:::first/a/b"),
            Need("s3:GetObject", "arn:aws:s3:::second/c"),
        ],
        [
            Need("s3:ListBucket", "arn:aws:s3:::first-two"),
            Need("s3:GetObject", "arn:aws:s3:::first-two/a"),
            Need("s3:GetObject", "arn:aws:s3:::second-two/c"),
            Need("s3:PutObject", "arn:aws:s3:::first/a"),
            Need("s3:DeleteObject", "arn:aws:s3:::second/c"),
        ],
    ),
    "tracing": ([Need("xray:PutTraceSegments")], [Need("xray:GetTraceSummaries")]),
}


@pytest.mark.parametrize("switch", ["nothing", *SWITCHES, "all"])
def test_the_app_may_what_its_settings_open_and_nothing_close_to_it(
    service: RenderedService, switch: str
) -> None:
    held = policies(service.variants[switch], "TaskRole")
    for name, (opened, closed) in OPENED.items():
        for need in opened:
            is_open = switch in (name, "all")
            assert (denial(held, need) is None) is is_open, f"{name} with {switch}: {need}"
        for need in closed:
            assert denial(held, need), f"with {switch}, the app may {need}"


@pytest.mark.parametrize(
    ("key", "through", "is_open"),
    [
        (KEY, "secretsmanager", True),
        (KEY, "ssm", True),
        (KEY, "s3", True),
        (KEY, "lambda", False),
        (f"{KEY}b", "ssm", False),
    ],
)
def test_a_key_of_one_s_own_opens_what_the_execution_role_reads(
    service: RenderedService, key: str, through: str, is_open: bool
) -> None:
    via = {"kms:ViaService": f"{through}.{service.place.region}.amazonaws.com"}
    held = policies(service.variants["key"], "ExecutionRole")
    assert (denial(held, Need("kms:Decrypt", key, via)) is None) is is_open
