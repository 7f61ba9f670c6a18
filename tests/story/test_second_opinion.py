"""The tool against another simulation of AWS: ministack.

These tests use what ministack does well: change sets, events, waiting, a registry, rollouts that
succeed. It does not prove that a document is right, because it accepts subnets, roles and sizes
that do not exist. It does not support these parts, so they are left out or expected to fail:

- The resource types in UNKNOWN. A test fails if ministack supports one of them.
- Service-linked roles. They are created before, as in an account that is in use.
- Application Auto Scaling: the first deploy runs, but ends with an error because of it; a second
  deploy and a destroy are refused. So the revision that is rolled back is deployed by the AWS CLI.
- The history of deployments: a rollback has to name its revision.
- Responses of the load balancer, and so a healthy status.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.programs import put_program, python
from simulator.scripts import DOCKER
from tests.support.rendering import EXAMPLE, render
from tests.support.repository import ServiceRepository
from tests.support.settings import change

pytestmark = pytest.mark.slow

# In an environment of its own: it pins another botocore than the models that we validate against.
MINISTACK = "ministack==1.5.33"
UNKNOWN = ["AWS::EC2::SecurityGroupIngress", "AWS::IAM::RolePolicy"]
SERVICE_LINKED_ROLES = [
    "AWSServiceRoleForApplicationAutoScaling_ECSService",
    "AWSServiceRoleForECS",
    "AWSServiceRoleForElasticLoadBalancing",
]
START_UP = 120  # seconds; two, and longer where it is installed first
APP = EXAMPLE["app_name"]
TOOL = sys.executable, "-m", "infra"


@contextmanager
def ministack(log: Path) -> Iterator[str]:
    """Its address, while it runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uv = os.environ.get("UV", "uv")
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": EXAMPLE["aws_account_id"],
        "MINISTACK_REGION": EXAMPLE["aws_region"],
    }
    command = [uv, "tool", "run", "--python", sys.executable, "--from", MINISTACK, "ministack"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            env=os.environ | settings,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            wait_for(port, process, log)
            yield f"127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_UP
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"{MINISTACK} did not start:\n{log.read_text()}")


@dataclass
class MinistackService(ServiceRepository):
    """A service whose commands ask ministack instead of AWS."""

    scratch: Path
    address: str

    def __post_init__(self) -> None:
        self.folder = self.scratch / "service"
        change(self.folder, "deploy.poll_seconds", 1)
        change(self.folder, "github.subject", f"repo:{APP}/{APP}:ref:refs/heads/main")
        self.without_split_in_conditions()
        self.begin()
        (self.scratch / "bin").mkdir()
        put_program(self.scratch / "bin" / "docker", *python(DOCKER), "recorded")
        for role in SERVICE_LINKED_ROLES:
            self.aws(f"iam create-role --role-name {role} --assume-role-policy-document {{}}")
        self.make_public()

    def without_split_in_conditions(self) -> None:
        """ministack evaluates no Fn::Split in a condition. The lists of these are empty here."""
        file = self.folder / "infra" / "stack.yml"
        text = file.read_text(encoding="utf-8")
        plain, count = re.subn(
            r"^(  \w+: )!Not \[!Equals \[!Select .+$",
            r'\1!Not [!Equals ["", ""]]',
            text,
            flags=re.MULTILINE,
        )
        assert count > 0, "no condition selects an entry of a list any more: delete this"
        file.write_text(plain, encoding="utf-8")

    def make_public(self) -> None:
        """Add the route of AWS's default VPC: ministack's VPC has a gateway, but no route to it."""
        table = self.aws("ec2 describe-route-tables --query RouteTables[0].RouteTableId")
        gateways = "ec2 describe-internet-gateways --query InternetGateways[0].InternetGatewayId"
        where = "--destination-cidr-block 0.0.0.0/0"
        self.aws(
            f"ec2 create-route --route-table-id {table} {where} --gateway-id {self.aws(gateways)}"
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        folders = [str(self.scratch / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        given = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_DEFAULT_REGION": EXAMPLE["aws_region"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": f"http://{self.address}",
            "DOCKER_CONFIG": os.fspath(self.scratch / "docker"),
            "PATH": os.pathsep.join(folders),
            "SIMULATED_REGISTRY": self.address,
        }
        return subprocess.run(
            words,
            cwd=self.folder,
            env=os.environ | given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def aws(self, command: str) -> str:
        done = self.run("aws", *command.split(), "--output", "text")
        assert done.returncode == 0, done.stdout
        return done.stdout.strip()

    def status(self) -> str:
        return self.aws("cloudformation describe-stacks --query Stacks[].StackStatus")

    def serves(self) -> str:
        """The revision of the service and the digest of its image."""
        where = f"--cluster {APP}-cluster --services {APP}-service"
        deployments = "services[].deployments[?status=='PRIMARY'][]"
        arn = self.aws(f"ecs describe-services {where} --query {deployments}.taskDefinition")
        image = "taskDefinition.containerDefinitions[].image"
        found = self.aws(f"ecs describe-task-definition --task-definition {arn} --query {image}")
        return f"{arn.rpartition('/')[2]} {found.rpartition('@')[2]}"

    def pushed(self) -> str:
        """The digest of the image of this commit in the registry."""
        images = f"--repository-name {APP} --image-ids imageTag={self.head}"
        return self.aws(f"ecr describe-images {images} --query imageDetails[].imageDigest")

    def serve_another_revision(self) -> None:
        """Register a revision, and update the service to it."""
        family = f"{APP}-task"
        container = f"name={APP}-container,image=another"
        self.aws(
            f"ecs register-task-definition --family {family} --container-definitions {container}"
        )
        where = f"--cluster {APP}-cluster --service {APP}-service"
        self.aws(f"ecs update-service {where} --task-definition {family}:2")
        assert self.serves().startswith(f"{family}:2 ")

    def leave_out_what_is_unknown(self) -> None:
        text = (self.folder / "infra/stack.yml").read_text(encoding="utf-8")
        blocks = re.split(r"^(?=  \w+:\n)", text, flags=re.MULTILINE)
        known = [b for b in blocks if not any(f"Type: {type}\n" in b for type in UNKNOWN)]
        assert len(known) < len(blocks), "nothing is unknown any more: delete this"
        self.write("infra/stack.yml", "".join(known))
        self.commit("Leave out what ministack does not know")


@pytest.fixture
def service(template: Path, tmp_path: Path) -> Iterator[MinistackService]:
    """A service before its first provision."""
    render(template, tmp_path / "service", EXAMPLE)
    with ministack(tmp_path / "log") as address:
        yield MinistackService(tmp_path, address)


def test_a_template_that_is_refused_creates_no_stack(service: MinistackService) -> None:
    done = service.run(*TOOL, "provision")
    assert done.returncode == 2, done.stdout
    assert f"Unrecognized resource types: [{', '.join(UNKNOWN)}]" in done.stdout
    assert service.status() == ""


def test_a_failed_stack_names_the_failed_resource_and_is_an_error(
    service: MinistackService,
) -> None:
    service.leave_out_what_is_unknown()
    text = (service.folder / "infra/stack.yml").read_text(encoding="utf-8")
    service.write("infra/stack.yml", re.sub(r"\n +Threshold: .*", "", text))
    done = service.run(*TOOL, "provision")
    assert done.returncode == 1, done.stdout
    reason = "Threshold is required for AWS::CloudWatch::Alarm"
    assert re.search(rf"failed +\w+ \(AWS::CloudWatch::Alarm\): {reason}", done.stdout), done.stdout
    error = done.stdout.partition("error[stack-not-changed]")[2]
    assert reason in error, done.stdout
    assert service.status() == "ROLLBACK_COMPLETE"


def test_a_service_is_provisioned_deployed_and_rolled_back(service: MinistackService) -> None:
    service.leave_out_what_is_unknown()

    done = service.run(*TOOL, "provision")
    assert done.returncode == 0, done.stdout
    for created in "Repository", "Cluster", "LoadBalancer", "HttpListener", "UnhealthyTasks":
        assert re.search(rf"^  created +{created} ", done.stdout, re.MULTILINE), done.stdout
    assert service.status() == "CREATE_COMPLETE"
    url = service.aws("cloudformation describe-stacks --query Stacks[].Outputs[?OutputKey=='Url']")
    assert url.split()[-1] in done.stdout

    done = service.run(*TOOL, "provision")
    assert done.returncode == 0, done.stdout
    assert f"{APP}: nothing to change" in done.stdout, done.stdout

    change(service.folder, "logs.retention_days", 60)
    done = service.run(*TOOL, "provision", "--plan")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^  change.* LogGroup ", done.stdout, re.MULTILINE), done.stdout
    kept = service.aws("logs describe-log-groups --query logGroups[].retentionInDays")
    assert kept == "30", "a plan changes nothing"
    service.git("restore", ".")

    service.write("NOTES.md", "Release\n")
    service.commit("Release")
    done = service.run(*TOOL, "deploy")
    assert "error[scaling-not-set]" in done.stdout, done.stdout
    assert done.returncode == 1, done.stdout
    assert service.serves() == f"{APP}-task:1 {service.pushed()}"

    done = service.run(*TOOL, "deploy")
    assert "DescribeScheduledActions" in done.stdout, "ministack knows it: deploy a second release"
    assert done.returncode == 2, done.stdout
    service.serve_another_revision()

    done = service.run(*TOOL, "rollback", "1")
    assert "error[url-" in done.stdout, "no load balancer answers there, and all else went well"
    assert service.serves().startswith(f"{APP}-task:1 sha256:")
