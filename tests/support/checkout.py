"""A service in a git checkout, the tool run in it, and its state in the simulated AWS."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from infra.tool import cli, settings_file
from infra.tool.aws import Aws
from infra.tool.console import Console
from infra.tool.health import Fetch, Response
from infra.tool.runtime import Runtime
from infra.tool.settings import Settings

from simulator.calls import Call
from simulator.deployments import Deployment
from simulator.simulation import SimulatedAws
from tests.support.repository import ServiceRepository
from tests.support.settings import Value, change

Json = dict[str, Any]

SUBJECT = "repo:my-company@1/ai-assistant@2:ref:refs/heads/main"
SERVICE_LINKED_ROLES = (
    "ecs.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
)


@dataclass(frozen=True)
class Run:
    """What a command of the tool did."""

    exit_code: int
    out: str
    err: str
    calls: list[Call]

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def operations(self) -> list[str]:
        """What was asked of AWS, in order, such as "ecs:DescribeServices"."""
        return [call.name for call in self.calls]

    @property
    def changes(self) -> list[str]:
        """What AWS was asked to change, and did."""
        return [call.name for call in self.calls if call.changes and not call.error]

    @property
    def error_code(self) -> str:
        """The code of the error that ended it; empty if none did."""
        return self.err.partition("error[")[2].partition("]")[0]

    def expect(self, exit_code: int, error_code: str = "") -> "Run":
        """Assert how the command ended."""
        found = (self.exit_code, self.error_code)
        assert found == (exit_code, error_code), (
            f"expected exit code {exit_code} and error {error_code or 'none'}, but it ended with "
            f"{self.exit_code} and {self.error_code or 'none'}:\n{self.text}"
        )
        return self

    def expect_no_change(self) -> "Run":
        assert self.changes == [], f"AWS must not be changed, but it was asked for {self.changes}"
        return self

    def request(self, operation: str, **named: str) -> Json:
        """The parameters of the only call of an operation with these values among them."""
        [call] = [
            call
            for call in self.calls
            if call.name == operation and named.items() <= call.parameters.items()
        ]
        return call.parameters


@dataclass
class Checkout(ServiceRepository):
    """A rendered service in a repository of its own, in an account of the simulated AWS."""

    aws: SimulatedAws
    folder: Path  # of the service
    environment: dict[str, str] = field(default_factory=dict)  # of the commands that are run
    answer: Response | OSError | None = None  # of the URL; None: what the load balancer answers
    terminal: StringIO | None = None  # where output and errors go; None: each to its own

    def __post_init__(self) -> None:
        self.service = self.folder
        git = {name: value for name, value in os.environ.items() if name.startswith("GIT_")}
        self.environment = {**git, "PATH": os.environ["PATH"], **self.environment}

    @property
    def settings(self) -> Settings:
        return settings_file.read(self.folder)

    def copy(self, folder: Path) -> "Checkout":
        """Another clone of it, in the same account."""
        shutil.copytree(self.folder, folder)
        return Checkout(self.aws, folder, dict(self.environment))

    # --- what its owner changes ---

    def set(self, name: str, value: Value) -> None:
        """A setting, such as "tasks.min". It is not committed."""
        change(self.folder, name, value)

    def document(self, name: str) -> Json:
        found: Json = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return found

    def release(self, note: str = "Release") -> str:
        """Commit something new to deploy, and push its image. Returns the commit."""
        self.write("NOTES.md", f"{note}\nAfter {self.head}.\n")
        self.commit(note)
        self.push_image()
        return self.head

    def push_image(self) -> None:
        """Leave an image of the commit in ECR, as an earlier deploy would."""
        names = self.settings.names
        self.aws.registry.put_image(names.repository, self.head)

    def docker(self) -> None:
        """Put a stand-in for docker on the PATH that pushes to the simulated registry."""
        self.environment |= {
            name: value
            for name, value in self.aws.environment().items()
            if name in ("PATH", "DOCKER_CONFIG", "SIMULATED_REGISTRY")
        }

    # --- the tool ---

    def run(self, *words: str, principal: str = "", typed: str = "", **environment: str) -> Run:
        """Run a command of the tool, as the deploy role unless another principal is named. `typed`
        answers its question."""
        return run_tool(
            self.aws,
            self.folder,
            *words,
            principal=principal or f"role/{self.settings.names.deploy_role}",
            environment=self.environment | environment,
            answer=self.answer,
            terminal=self.terminal,
            typed=typed,
        )

    def administer(self, *words: str, **environment: str) -> Run:
        """Run a command of the tool as an administrator."""
        return self.run(*words, principal="root", **environment)

    def process_environment(self, principal: str = "", **more: str) -> dict[str, str]:
        """That of a command in a process of its own, which asks the simulated AWS over HTTP."""
        who = principal or f"role/{self.settings.names.deploy_role}"
        keys = self.aws.world.principals.credentials(who)
        address = f"http://{self.aws.address}"
        given = {
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret,
            "AWS_SESSION_TOKEN": keys.token,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_ENDPOINT_URL": address,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "HOME": os.fspath(self.folder.parent),
            "http_proxy": address,  # so the names of load balancers lead to the simulation
            "no_proxy": "127.0.0.1",
        }
        return self.environment | {name: value for name, value in given.items() if value} | more

    def write_log(self, *messages: str, seconds_ago: float = 0) -> None:
        """Lines of the app's, in its log group, one millisecond after the other."""
        logs, group = self.aws.client("logs"), self.settings.names.log_group
        stream = {"logGroupName": group, "logStreamName": f"ecs/app/{uuid4().hex}"}
        first = round((self.aws.clock.now().timestamp() - seconds_ago) * 1000)
        events = [
            {"timestamp": first + number, "message": message}
            for number, message in enumerate(messages)
        ]
        logs.create_log_stream(**stream)
        logs.put_log_events(**stream, logEvents=events)

    # --- its state in AWS ---

    @property
    def ecs_service(self) -> Json:
        """The service as it is, without moving a deployment forward."""
        names = self.settings.names
        return self.aws.ecs.services[names.cluster, names.service].described()

    @property
    def ecs_deployment(self) -> Deployment:
        """The one that the service is at, or on its way to, as the simulation keeps it."""
        names = self.settings.names
        primary = self.aws.ecs.services[names.cluster, names.service].primary
        assert primary, "the service has no deployment"
        return primary

    def stack_is(self, status: str) -> None:
        """Put the stack in a state."""
        name = self.settings.names.stack
        [stack] = [each for each in self.aws.cloudformation.stacks.values() if each.name == name]
        stack.status = status

    @property
    def revision(self) -> str:
        """FAMILY:N of what the service is at, or on its way to."""
        return str(self.ecs_service["taskDefinition"]).rpartition("/")[2]

    @property
    def revisions(self) -> list[str]:
        """Every revision that was registered."""
        arns = self.aws.client("ecs").list_task_definitions()["taskDefinitionArns"]
        return [arn.rpartition("/")[2] for arn in arns]


def run_tool(
    aws: SimulatedAws,
    root: Path,
    *words: str,
    principal: str,
    environment: Mapping[str, str],
    answer: Response | OSError | None = None,
    terminal: StringIO | None = None,
    typed: str = "",
) -> Run:
    """Run a command of the tool as a principal, in the service in `root`."""
    before = len(aws.calls)
    out, err = terminal or StringIO(), terminal or StringIO()
    console = Console(environment, out, err)
    runtime = runtime_of(aws, root, principal, environment, console, typed)
    if answer:
        runtime = replace(runtime, fetch=always(answer))
    code = cli.run(words, runtime)
    return Run(int(code), out.getvalue(), err.getvalue(), list(aws.calls)[before:])


def always(answer: Response | OSError) -> Fetch:
    """What every URL answers, or the error instead."""

    def fetch(url: str, *, timeout: float, via: str = "") -> Response:  # noqa: ARG001
        if isinstance(answer, OSError):
            raise answer
        return answer

    return fetch


def runtime_of(
    aws: SimulatedAws,
    root: Path,
    principal: str,
    environment: Mapping[str, str],
    console: Console,
    typed: str = "",
) -> Runtime:
    """What a command in `root` works with, in process."""
    return Runtime(
        root=root,
        environment=environment,
        console=console,
        clock=aws.clock,
        connect=lambda region: Aws(aws.session(principal, region=region), region),
        fetch=lambda url, *, timeout, via="": Response(*aws.fetch(url, timeout=timeout, via=via)),
        ask=lambda _: typed,
        resolve=aws.resolve,
    )


def provision(checkout: Checkout) -> None:
    """Create what provisioning creates, by calls of the test's own."""
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
    wait_for(lambda: stack_status(checkout))
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
    """Look until something is created. Each look takes an operation of CloudFormation further."""
    looks = 100
    while (found := status()).endswith(("_PENDING", "_IN_PROGRESS")) and looks:
        looks -= 1
    assert found == "CREATE_COMPLETE", f"the stack of the test is in state {found}"


def stack_status(checkout: Checkout) -> str:
    client = checkout.aws.client("cloudformation")
    [stack] = client.describe_stacks(StackName=checkout.settings.names.stack)["Stacks"]
    return str(stack["StackStatus"])


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
