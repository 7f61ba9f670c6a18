"""A stage for infra/deploy.sh: a service in git, and an AWS and a docker that play written scenes.

What they play has the shape that AWS answers in, and what they are asked is what AWS would accept
and the deploying principal may do: botocore's models and the service's own policy say so.
"""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.model import OperationModel
from botocore.session import get_session
from botocore.utils import ArgumentGenerator
from botocore.validate import ParamValidator
from documents import enum_findings
from rendering import Render
from repository import Repository

Json = dict[str, Any]

PLAYER = Path(__file__).with_name("player")
# All that the scripts may use, beside the four that they check for.
TOOLS = [
    *("bash", "cat", "dirname", "env", "git", "jq"),
    *("mktemp", "mv", "rm", "sed", "sha256sum", "tr"),
]

DIGEST = "sha256:" + "d1" * 32
NOW = datetime(2026, 11, 23, 12, 0, 0, 250000, UTC)
URL = "http://service-alb-1.elb.amazonaws.com"
TARGET_GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/service-tg/73e2d6bc"
LABEL = "app/service-alb/50dc6c495c0c9188/targetgroup/service-tg/73e2d6bc"
OUTPUTS: dict[str, str | None] = {
    "Url": URL,
    "TargetGroupArn": TARGET_GROUP,
    "SubnetIds": "subnet-1,subnet-2",
    "TaskSecurityGroupId": "sg-1",
    "AssignPublicIp": "ENABLED",
    "ScalingResourceLabel": LABEL,
}

OURS, BEFORE = 42, 41  # revisions: the one that is rolled out, and one that has served before it


@cache
def operation(service: str, command: str) -> Any:
    """The operation of the API behind a command of the CLI, such as ("ecs", "list-tasks")."""
    if (service, command) == ("ecr", "get-login-password"):
        command = "get-authorization-token"
    model = get_session().get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert command in names, f"aws {service} has no {command}"
    return model.operation_model(names[command])


@cache
def settings(service: Path) -> dict[str, str]:
    return Render(service, {}).settings()


@dataclass(frozen=True)
class Refusal:
    """What aws prints when it exits with an error."""

    text: str


def refusal(code: str, message: str = "AWS says no") -> Refusal:
    return Refusal(f"An error occurred ({code}) when calling the Some operation: {message}")


@dataclass(frozen=True)
class Call:
    """One call of aws or docker."""

    program: str
    environment: tuple[str, ...]  # of the variables that the player names
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return (
            " ".join(self.words[:2]) if self.program == "aws" else f"{self.program} {self.words[0]}"
        )

    def parameters(self) -> Json:
        """What the CLI would send. Raises AssertionError for an option that it does not know."""
        service, command, *rest = self.words
        shape = operation(service, command).input_shape
        members = {xform_name(name, "-"): name for name in shape.members} if shape else {}
        found: Json = {}
        options = itertools.groupby(Options(rest), key=lambda pair: pair[0])
        for option, values in options:
            given = [value for _, value in values if value is not None]
            if option == "output":
                assert given == ["json"], f"{self.name}: the answer is read as JSON"
            elif option == "cli-input-json":
                found |= json.loads(given[0])
            else:
                assert option in members, f"aws {self.name} has no --{option}"
                member = shape.members[members[option]]
                found[members[option]] = as_parameter(given, member.type_name)
        return found


class Options(Iterable[tuple[str, str | None]]):
    """(option, value) for each value, or (option, None) for the option itself."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words

    def __iter__(self) -> Any:
        option = ""
        for word in self.words:
            if word.startswith("--"):
                option = word.removeprefix("--")
                yield option, None
            else:
                yield option, word


def as_parameter(given: list[str], kind: str) -> Any:
    if kind == "list":
        return [dict([value.split("=", 1)]) if "=" in value else value for value in given]
    (value,) = given
    return int(value) if kind in ("integer", "long") else value


@dataclass(frozen=True)
class Run:
    """What a script did: its exit code, what it printed, what it called."""

    code: int
    out: str
    err: str
    calls: list[Call]

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def asked(self) -> list[str]:
        """The commands in their order, such as "ecs describe-services" and "docker push"."""
        return [call.name for call in self.calls]

    def request(self, name: str) -> Json:
        """The parameters of the one call of that name."""
        (call,) = (call for call in self.calls if call.name == name)
        return call.parameters()

    def ends(self, code: int, *says: str) -> None:
        """Assert how it ended, and that it said each of some things."""
        assert self.code == code, f"exit {self.code} instead of {code}:\n{self.text}"
        for words in says:
            assert words in self.text, f"it should say {words!r}:\n{self.text}"

    def changed_nothing(self) -> None:
        """Assert that AWS was only asked to tell, and that docker built nothing."""
        telling = re.compile(r"[\w-]+ (describe|filter|get|list)-|docker version|curl ")
        changing = [name for name in self.asked if not telling.match(name)]
        assert changing == [], f"this may change nothing:\n{self.text}"


def deployment_id(revision: int) -> str:
    return f"ecs-svc/{revision:019}"


@dataclass
class Stage(Repository):
    """A service in a git repository of its own, and what AWS and docker answer to its scripts.

    At first all is well: the stack is there, an earlier commit serves, and ECR lacks this one.
    """

    render: Render
    folder: Path
    cli: int = 2  # the version of aws: it writes times as text (2) or as numbers (1)
    environment: dict[str, str] = field(default_factory=dict)
    clock: int = 1000  # seconds, when a script is started

    def __post_init__(self) -> None:
        self.service = self.folder / "service"
        self.stage = self.folder / "stage"
        self.bin = self.folder / "bin"
        self.settings = settings(self.render.path)
        pristine = self.render.path.with_name("committed")
        if pristine.exists():
            shutil.copytree(pristine, self.service)
        else:
            shutil.copytree(self.render.path, self.service)
            self.begin()
            shutil.copytree(self.service, pristine)

        self.bin.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, f"{tool} is missing: install it"
            (self.bin / tool).symlink_to(found)
        for program in "aws", "docker", "date", "sleep":
            (self.bin / program).symlink_to(PLAYER)

        account = self.settings["AWS_ACCOUNT_ID"]
        identity = {"Account": account, "Arn": f"arn:aws:iam::{account}:user/me", "UserId": "AIDA"}
        self.answers("sts get-caller-identity", identity)
        self.has_stack()
        self.knows("ecs create-service")
        self.answers("docker version", "27.0.3")
        for verb in "login", "build", "push":
            self.answers(f"docker {verb}", "")
        self.answers("ecr get-login-password", "a-password")
        self.answers("ecr describe-images", refusal("ImageNotFoundException"), image())
        self.answers("ecs register-task-definition", {"taskDefinition": self.task_definition(OURS)})
        self.has_revision(BEFORE, {"commit": "0" * 40, "document": "0" * 64})
        self.serves(BEFORE)
        self.answers("ecs list-tasks", {"taskArns": []})
        target = {"ScalableTargetARN": "arn:aws:application-autoscaling:target"}
        self.answers("application-autoscaling register-scalable-target", target)
        policy = {"PolicyARN": "arn:aws:autoscaling:policy", "Alarms": []}
        self.answers("application-autoscaling put-scaling-policy", policy)
        self.has_policies()
        self.answers("application-autoscaling delete-scaling-policy", {})

    # --- what AWS and docker answer ---

    def answers(self, command: str, *answers: Json | str | Refusal) -> None:
        """What a command gets to hear, in turn; the last again and again."""
        others = "curl ", "docker "
        scene = (
            self.stage / "scenes" / (command if command.startswith(others) else f"aws {command}")
        )
        shutil.rmtree(scene, ignore_errors=True)
        scene.mkdir(parents=True)
        for number, answer in enumerate(answers):
            file = scene / f"{number:03}"
            if isinstance(answer, Refusal):
                file.with_suffix(".refusal").write_text(answer.text)
            elif isinstance(answer, str):
                file.write_text(answer)
            else:
                service, name = command.split()
                shape = operation(service, name).output_shape
                report = ParamValidator().validate(answer, shape).generate_report()
                wrong = [*report.splitlines(), *enum_findings(answer, shape)]
                assert not wrong, f"AWS would not answer {command} so: {wrong}"
                file.write_text(json.dumps(answer, default=self.written))

    def knows(self, command: str, *, but_not: Sequence[str] = ()) -> None:
        """What aws knows of the input of a command; the path of what it lacks is `but_not`."""
        skeleton = ArgumentGenerator().generate_skeleton(operation(*command.split()).input_shape)
        if but_not:
            *above, name = but_not
            within = skeleton
            for key in above:
                within = within[key]
            del within[name]
        file = self.stage / "skeletons" / command
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(skeleton))

    def written(self, moment: datetime) -> str | float:
        return moment.timestamp() if self.cli == 1 else moment.isoformat()

    def has_stack(self, status: str = "CREATE_COMPLETE", **outputs: str | None) -> None:
        """A stack with all that it should put out, but for changes; None takes one away."""
        there = {key: value for key, value in (OUTPUTS | outputs).items() if value}
        stack = {
            "StackName": self.settings["STACK_NAME"],
            "CreationTime": NOW,
            "StackStatus": status,
            "Outputs": [{"OutputKey": key, "OutputValue": there[key]} for key in there],
        }
        self.answers("cloudformation describe-stacks", {"Stacks": [stack]})

    def has_image(self) -> None:
        self.answers("ecr describe-images", image())

    def task_definition(self, revision: int) -> Json:
        document: Json = json.loads((self.service / "infra/task-definition.json").read_text())
        document["containerDefinitions"][0]["image"] += f"@{DIGEST}"
        return document | {
            "taskDefinitionArn": self.arn("task-definition", f"{document['family']}:{revision}"),
            "revision": revision,
            "status": "ACTIVE",
        }

    def has_revision(self, revision: int, tags: Mapping[str, str], **more: Any) -> None:
        answer = {
            "taskDefinition": self.task_definition(revision) | more,
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        self.answers("ecs describe-task-definition", answer)

    def arn(self, kind: str, rest: str) -> str:
        region, account = self.settings["AWS_REGION"], self.settings["AWS_ACCOUNT_ID"]
        return f"arn:aws:ecs:{region}:{account}:{kind}/{rest}"

    def revision(self, number: int) -> str:
        return f"{self.settings['TASK_FAMILY']}:{number}"

    def deployment(
        self,
        revision: int,
        state: str = "IN_PROGRESS",
        *,
        status: str = "PRIMARY",
        running: int = 0,
        pending: int = 0,
        desired: int = 1,
        failed: int = 0,
        reason: str = "",
        id: str = "",
    ) -> Json:
        return {
            "id": id or deployment_id(revision),
            "status": status,
            "taskDefinition": self.arn("task-definition", self.revision(revision)),
            "desiredCount": desired,
            "pendingCount": pending,
            "runningCount": running,
            "failedTasks": failed,
            "createdAt": NOW if revision == OURS else NOW - timedelta(days=1),
            "rolloutState": state,
            "rolloutStateReason": reason or f"ECS deployment {deployment_id(revision)} goes on.",
        }

    def steady(self, revision: int) -> Json:
        """The deployment of a revision that has served for a while."""
        return self.deployment(revision, "COMPLETED", running=1)

    def leaving(self) -> Json:
        """The deployment of the revision that serves until ours does."""
        return self.deployment(self.serving, "COMPLETED", status="ACTIVE", running=1)

    def described(
        self, *deployments: Json, says: Sequence[str] = (), status: str = "ACTIVE"
    ) -> Json:
        """A service as ECS describes it; `says` are the events of our rollout, oldest first."""
        primary = next((d for d in deployments if d["status"] == "PRIMARY"), None)
        old = {"id": "e-old", "createdAt": NOW - timedelta(hours=1), "message": "an old event"}
        events = [
            {"id": f"e-{n}", "createdAt": NOW + timedelta(seconds=n), "message": message}
            for n, message in enumerate(says)
        ]
        return {
            "serviceName": self.settings["ECS_SERVICE"],
            "status": status,
            "desiredCount": 1,
            "runningCount": 1,
            "pendingCount": 0,
            "deployments": list(deployments),
            "events": [*reversed(events), old],
        } | ({"taskDefinition": primary["taskDefinition"]} if primary else {})

    def describes(self, *services: Json | Refusal | None) -> None:
        """The service at each look, the first before the rollout; None where there is none."""
        answers: list[Json | str | Refusal] = []
        for service in services:
            if isinstance(service, Refusal):
                answers.append(service)
            elif service is None:
                failure = {"arn": self.arn("service", "x"), "reason": "MISSING"}
                answers.append({"services": [], "failures": [failure]})
            else:
                answers.append({"services": [service], "failures": []})
        self.answers("ecs describe-services", *answers)

    def serves(self, revision: int) -> None:
        """The service runs a revision, and stays so unless `rolls_out` says what happens then."""
        self.serving = revision
        self.now: Json | None = self.described(self.steady(revision))
        self.describes(self.now)

    def has_no_service(self) -> None:
        self.now = None
        self.describes(None)

    def rolls_out(self, *looks: Json | Refusal | None) -> None:
        """What the service looks like from poll to poll, once it is pointed at our revision."""
        self.describes(self.now, *looks)
        if self.now and self.now["status"] == "ACTIVE":
            started = self.described(self.deployment(OURS), self.leaving())
            self.answers("ecs update-service", {"service": started})
        else:
            self.answers("ecs create-service", {"service": self.described(self.deployment(OURS))})

    def rolls_out_well(self) -> None:
        """At once; `rolls_out_slowly` takes the steps that a real rollout takes."""
        self.rolls_out(self.described(self.deployment(OURS, "COMPLETED", running=1)))

    def rolls_out_slowly(self) -> None:
        self.rolls_out(
            self.described(
                self.deployment(OURS, pending=1), self.leaving(), says=["started 1 task"]
            ),
            self.described(
                self.deployment(OURS, running=1), self.leaving(), says=["started 1 task"]
            ),
            self.described(self.deployment(OURS, "COMPLETED", running=1)),
        )

    def has_served(self, *revisions: int) -> None:
        """The revisions that were rolled out well, the last first; ECS lists them in no order."""
        cluster, service = self.settings["ECS_CLUSTER"], self.settings["ECS_SERVICE"]
        rollouts: list[Json] = []
        tasks: list[Json] = []
        for age, revision in enumerate(revisions):
            arn = self.arn("service-revision", f"{cluster}/{service}/{revision}")
            task = self.arn("task-definition", self.revision(revision))
            created = NOW - timedelta(hours=age)
            rollouts.insert(age // 2, {"targetServiceRevisionArn": arn, "createdAt": created})
            tasks.append({"serviceRevisionArn": arn, "taskDefinition": task})
        unique = {task["serviceRevisionArn"]: task for task in sorted(tasks, key=str)}
        self.answers("ecs list-service-deployments", {"serviceDeployments": rollouts})
        described = {"serviceRevisions": list(unique.values()), "failures": []}
        self.answers("ecs describe-service-revisions", described)

    def stops(self, *tasks: Json) -> None:
        """Tasks that have stopped."""
        self.answers("ecs list-tasks", {"taskArns": [task["taskArn"] for task in tasks]})
        self.answers("ecs describe-tasks", {"tasks": list(tasks), "failures": []})

    def task(
        self,
        id: str,
        *,
        code: str = "EssentialContainerExited",
        reason: str = "Essential container in task exited",
        exit_code: int | None = 1,
        container_reason: str = "",
        revision: int = OURS,
        at: int = 0,
        status: str = "STOPPED",
    ) -> Json:
        container: Json = {"name": self.settings["CONTAINER_NAME"], "lastStatus": "STOPPED"}
        if exit_code is not None:
            container["exitCode"] = exit_code
        if container_reason:
            container["reason"] = container_reason
        return {
            "taskArn": self.arn("task", f"{self.settings['ECS_CLUSTER']}/{id}"),
            "taskDefinitionArn": self.arn("task-definition", self.revision(revision)),
            "startedBy": deployment_id(revision),
            "lastStatus": status,
            "stopCode": code,
            "stoppedReason": reason,
            "stoppedAt": NOW + timedelta(seconds=at),
            "containers": [container],
        }

    def logs(self, *messages: str) -> None:
        events = [{"timestamp": 1, "message": message, "ingestionTime": 1} for message in messages]
        self.answers("logs get-log-events", {"events": events})

    def has_policies(self, *more: str) -> None:
        """The scaling policies of the document, and more that stand in AWS alone."""
        documented = self.render.json("infra/autoscaling.json")["policies"]
        names = [policy["PolicyName"] for policy in documented]
        policies = [
            {
                "PolicyARN": f"arn:aws:autoscaling:policy/{name}",
                "PolicyName": name,
                "ServiceNamespace": "ecs",
                "ResourceId": "service/x/y",
                "ScalableDimension": "ecs:service:DesiredCount",
                "PolicyType": "TargetTrackingScaling",
                "CreationTime": NOW,
            }
            for name in (*names, *more)
        ]
        command = "application-autoscaling describe-scaling-policies"
        self.answers(command, {"ScalingPolicies": policies})

    # --- the scripts ---

    def lacks(self, *tools: str) -> None:
        for tool in tools:
            (self.bin / tool).unlink()

    def start(self, *command: str) -> subprocess.Popen[str]:
        for name in "calls", "counts":
            shutil.rmtree(self.stage / name, ignore_errors=True)
            (self.stage / name).mkdir()
        (self.stage / "clock").write_text(f"{self.clock}\n")
        # What the shell of the caller says of AWS must not matter.
        given = {"PATH": str(self.bin), "STAGE": str(self.stage), "HOME": str(self.folder)}
        given |= {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-north-1"}
        given |= {"TMPDIR": str(self.folder / "tmp")}
        (self.folder / "tmp").mkdir(exist_ok=True)
        given |= {name: value for name, value in os.environ.items() if name.startswith("GIT_")}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=given | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, script: str, *arguments: str) -> Run:
        return self.ended(self.start(str(self.service / script), *arguments))

    def deploy(self, *arguments: str) -> Run:
        return self.run("infra/deploy.sh", *arguments)

    def stopped(self, process: subprocess.Popen[str], sent: signal.Signals) -> Run:
        """The run after a signal, sent again where it fell between two programs."""
        for _ in range(30):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, sent)
            with suppress(subprocess.TimeoutExpired):
                return self.ended(process, timeout=2)
        raise AssertionError(f"the script does not end on {sent.name}")

    def ended(self, process: subprocess.Popen[str], timeout: float = 60) -> Run:
        out, err = process.communicate(timeout=timeout)
        files = sorted((self.stage / "calls").iterdir())
        calls = [self.call(file.read_text().split("\0")[:-1]) for file in files]
        run = Run(process.returncode, out, err, calls)
        self.check(run)
        return run

    def call(self, words: Sequence[str]) -> Call:
        return Call(words[6], tuple(words[:6]), tuple(words[7:]))

    def check(self, run: Run) -> None:
        """What holds for every run: see the top of this file."""
        left = [path.name for path in (self.folder / "tmp").iterdir()]
        assert left == [], f"these temporary files are left: {left}"
        for word in "unbound variable", "syntax error", "command not found", "jq: error", ": line ":
            assert word not in run.text, f"no user wants to read this:\n{run.text}"
        assert "has no answer to this" not in run.text, run.text
        for call in run.calls:
            if call.program != "aws":
                continue
            region = self.settings["AWS_REGION"]
            assert call.environment[:4] == (region, region, "", "UTC"), (
                f"{call.name}: the settings say which region, no pager may wait for a key, and"
                " times that are written as text must be in UTC"
            )
            model = operation(*call.words[:2])
            parameters = call.parameters()
            if model.input_shape is not None:
                report = ParamValidator().validate(parameters, model.input_shape).generate_report()
                wrong = [*report.splitlines(), *enum_findings(parameters, model.input_shape)]
                assert not wrong, f"AWS would refuse {call.name}: {wrong}"
            self.check_permission(call, model)

    def check_permission(self, call: Call, model: OperationModel) -> None:
        """Whoever deploys has the actions of one document."""
        if call.name == "sts get-caller-identity":  # nobody needs a permission for that
            return
        statements = self.render.json("ops/iam-policy-github-actions.json")["Statement"]
        allowed = {action for statement in statements for action in statement["Action"]}
        needed = f"{call.words[0]}:{model.name}"
        assert needed in allowed, f"ops/iam-policy-github-actions.json does not allow {needed}"

    def wait_for(self, command: str) -> None:
        """Return once a command was called, or once the script sleeps."""
        scene = f"aws {command}"
        for _ in range(500):
            slept = (self.stage / "clock").read_text().strip() not in ("", str(self.clock))
            if (self.stage / "counts" / scene).exists() or (command == "sleep" and slept):
                return
            time.sleep(0.02)
        raise AssertionError(f"{command} was not called within 10 s")


def image() -> Json:
    return {"imageDetails": [{"imageDigest": DIGEST}]}
