"""The deployers of a service: a workflow with the deploy role, or a user with an access key. Each
command that they run, with its result if IAM allows every call."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from simulator.ecs.rollouts import Crashes
from tests.support.alarms import ERRORS, goes_off, put
from tests.support.checkout import SUBJECT, Checkout, Run
from tests.support.processes import TOOL
from tests.workflows.runner import Runner

Json = dict[str, Any]

HOST, AUDIENCE = "token.actions.githubusercontent.com", "sts.amazonaws.com"
USER = "deployer"
DENIALS = {"AccessDenied", "AccessDeniedException", "DENIED"}


@dataclass
class Deployer:
    """A user or a workflow with credentials, who deploys a provisioned service."""

    service: Checkout
    keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.aws, self.settings = self.service.aws, self.service.settings

    # --- coming in ---

    def come_in_by_role(self, token: str = f"{HOST}|{AUDIENCE}|{SUBJECT}") -> None:
        """As the workflow does: the role is what its own step reads from the settings."""
        role = self.step("Read the settings")[1]["role"]
        given = self.aws.client("sts").assume_role_with_web_identity(
            RoleArn=role, RoleSessionName="run-1-1", WebIdentityToken=token
        )
        self._keep(given["Credentials"])

    def come_in_by_keys(self, user: str) -> None:
        made = self.aws.client("iam").create_access_key(UserName=user)["AccessKey"]
        self._keep(made)

    def _keep(self, given: Json) -> None:
        self.keys = {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        }
        if token := given.get("SessionToken"):
            self.keys["AWS_SESSION_TOKEN"] = token

    # --- running things ---

    def run(self, *words: str) -> Run:
        """A command of the tool, with these keys instead of those of a principal."""
        return self.service.run(*words, principal="root", **self.keys)

    def run_program(self, *words: str) -> Run:
        return self.service.run_program(*words, **self.keys)

    def step(self, name: str, **given: str) -> tuple[Run, dict[str, str]]:
        """A step of the deploy workflow, and what it puts out."""
        before = len(self.aws.calls)
        variables = self.aws.environment() | self.keys | {"GITHUB_SHA": self.service.head}
        runner = Runner(self.service.folder, self.service.home, variables)
        runner.uv(*TOOL)
        run = runner.run("deploy-ecs", name, **given)
        return Run(run.code, run.said, "", list(self.aws.calls)[before:]), run.outputs

    # --- the policy of the role ---

    @property
    def policy(self) -> Json:
        """As provisioning has put it there, or `may` since."""
        where = {"RoleName": self.settings.names.deploy_role, "PolicyName": "deploy"}
        found: Json = self.aws.client("iam").get_role_policy(**where)["PolicyDocument"]
        return found

    @contextmanager
    def may(self, policy: Json) -> Iterator[None]:
        """Another policy, for as long as the block lasts."""
        where = {"RoleName": self.settings.names.deploy_role, "PolicyName": "deploy"}
        put, before = self.aws.client("iam").put_role_policy, self.policy
        put(**where, PolicyDocument=json.dumps(policy))
        try:
            yield
        finally:
            put(**where, PolicyDocument=json.dumps(before))

    # --- what others do meanwhile ---

    @property
    def here(self) -> dict[str, str]:
        return {"cluster": self.settings.names.cluster, "service": self.settings.names.service}

    def look(self) -> Json | None:
        """The service, one step further; None where there is none."""
        name = self.here["service"]
        answer = self.aws.client("ecs").describe_services(
            cluster=self.here["cluster"], services=[name]
        )
        return next((s for s in answer["services"] if s["status"] != "INACTIVE"), None)

    def commit_of(self, service: Json) -> str:
        answer = self.aws.client("ecs").describe_task_definition(
            taskDefinition=service["taskDefinition"], include=["TAGS"]
        )
        tags: dict[str, str] = {tag["key"]: tag["value"] for tag in answer["tags"]}
        return tags.get("commit", "")

    def take_the_service_away(self) -> None:
        if self.look():
            self.aws.client("ecs").delete_service(**self.here, force=True)
        while self.look():
            pass

    def let_another_revision_serve(self) -> None:
        """Where there is no service, one as the first deploy made it."""
        ecs = self.aws.client("ecs")
        service = self.look()
        if not service:
            first = self.aws.calls.of("ecs:CreateService")[0].parameters
            family = {"taskDefinition": self.settings.names.family}
            service = ecs.create_service(**(first | family))["service"]
        present = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
        shape = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape
        definition = present["taskDefinition"]
        again = {key: definition[key] for key in shape.members if key in definition}
        made = ecs.register_task_definition(**again)["taskDefinition"]["taskDefinitionArn"]
        ecs.update_service(**self.here, taskDefinition=made)
        while (service := self.look()) and service["deployments"][0]["rolloutState"] != "COMPLETED":
            pass

    def put_a_policy_that_the_document_lacks(self) -> None:
        self.aws.client("application-autoscaling").put_scaling_policy(
            PolicyName="of-old",
            PolicyType="TargetTrackingScaling",
            ServiceNamespace="ecs",
            ResourceId=f"service/{self.here['cluster']}/{self.here['service']}",
            ScalableDimension="ecs:service:DesiredCount",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": 50,
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ECSServiceAverageMemoryUtilization"
                },
            },
        )

    def let_its_deployments_wait(self) -> None:
        """At a PAUSE hook, from the next deploy on."""
        name = "infra/service.json"
        document = self.service.document(name)
        hook = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}
        document["deploymentConfiguration"]["lifecycleHooks"] = [hook]
        self.service.change(name, document)

    def answer(self) -> None:
        """CONTINUE, to the hook at which the deployment waits."""
        ecs = self.aws.client("ecs")
        listed = ecs.list_service_deployments(**self.here, status=["IN_PROGRESS"])
        arns = [each["serviceDeploymentArn"] for each in listed["serviceDeployments"]]
        described = ecs.describe_service_deployments(serviceDeploymentArns=arns)
        for each in described["serviceDeployments"]:
            for hook in each["lifecycleHookDetails"]:
                ecs.continue_service_deployment(
                    serviceDeploymentArn=each["serviceDeploymentArn"], hookId=hook["hookId"]
                )

    def let_its_deployments_go_on(self) -> None:
        self.service.git("revert", "--no-edit", "HEAD")
        self.aws.client("ecs").update_service(
            **self.here, deploymentConfiguration={"lifecycleHooks": []}
        )

    def let_alarms_end_its_deployments(self) -> None:
        self.service.set("alarms.roll_back", True)
        self.service.commit("Let alarms end a deployment")

    def let_no_alarm_end_its_deployments(self) -> None:
        self.service.git("revert", "--no-edit", "HEAD")
        put(self.service, "OK")
        off = {"alarmNames": [], "enable": False, "rollback": False}
        self.aws.client("ecs").update_service(**self.here, deploymentConfiguration={"alarms": off})

    def let_the_app_say(self, line: str) -> None:
        logs = self.aws.client("logs")
        stream = {
            "logGroupName": self.settings.names.log_group,
            "logStreamName": f"ecs/{self.settings.names.container}/{uuid4().hex}",
        }
        logs.create_log_stream(**stream)
        said = {"timestamp": int(self.aws.clock.now().timestamp() * 1000), "message": line}
        logs.put_log_events(**stream, logEvents=[said])

    def take_the_log_away_after_one_look(self) -> None:
        gone = "The specified log group does not exist."
        self.aws.faults.refuse(
            "logs:FilterLogEvents", "ResourceNotFoundException", gone, times=3, after=1
        )


@dataclass(frozen=True)
class DeployerRun:
    """A deployer's command, its preparation, and its result if IAM allows every call."""

    prepare: Callable[[Deployer], object]
    act: Callable[[Deployer], Run]
    code: int
    says: tuple[str, ...]
    slow: bool = False  # it needs no action that the others do not need

    def carry_out(self, deployer: Deployer) -> Run:
        self.prepare(deployer)
        run = self.act(deployer)
        deployer.aws.faults.clear()
        deployer.aws.next_rollout()
        return run

    def lacks(self, run: Run) -> list[str]:
        """How it ended otherwise; nothing where it ended as it should."""
        found = [f"it does not say {words!r}" for words in self.says if words not in run.text]
        found += [f"it was refused {call.name}" for call in run.calls if call.error in DENIALS]
        return found + ([f"exit {run.exit_code}"] if run.exit_code != self.code else [])


def command(*words: str) -> Callable[[Deployer], Run]:
    return lambda deployer: deployer.run(*words)


def workflow(deployer: Deployer) -> Run:
    """The step of the workflow that follows the credentials."""
    return deployer.step("Deploy this commit", GITHUB_TOKEN="")[0]


def prepare_first_deploy(deployer: Deployer) -> None:
    deployer.take_the_service_away()
    deployer.service.new_commit()


def prepare_deploy(deployer: Deployer) -> None:
    deployer.let_another_revision_serve()
    deployer.service.new_commit()


def prepare_again(deployer: Deployer) -> None:
    service = deployer.look()
    if not service or deployer.commit_of(service) != deployer.service.head:
        deployer.service.administer("deploy").expect(0)
    deployer.put_a_policy_that_the_document_lacks()


def prepare_tag(deployer: Deployer) -> None:
    prepare_deploy(deployer)
    deployer.service.set("tags", {"team": "search"})
    deployer.service.commit("Tag the service")


def deploy_with_a_tag_and_without(deployer: Deployer) -> Run:
    first = deployer.run("deploy")
    deployer.service.git("revert", "--no-edit", "HEAD")
    second = deployer.run("deploy")
    return Run(
        max(first.exit_code, second.exit_code),
        first.out + second.out,
        first.err + second.err,
        [*first.calls, *second.calls],
    )


def prepare_failure(deployer: Deployer) -> None:
    prepare_deploy(deployer)
    deployer.aws.next_rollout(Crashes(exit_code=3, says=("RuntimeError: boom",)))


def prepare_pause(deployer: Deployer) -> None:
    prepare_deploy(deployer)
    deployer.let_its_deployments_wait()
    # Not at the call that reads the hooks: a run that is refused it must end, too.
    deployer.aws.moments.when("ecs:ListTasks", deployer.answer, after=2)


def deploy_with_a_pause(deployer: Deployer) -> Run:
    run = deployer.run("deploy")
    deployer.let_its_deployments_go_on()
    return run


def prepare_alarm(deployer: Deployer) -> None:
    prepare_deploy(deployer)
    deployer.let_alarms_end_its_deployments()
    deployer.aws.moments.when("ecs:DescribeServices", goes_off(deployer.service), after=3)


def deploy_with_alarms(deployer: Deployer) -> Run:
    run = deployer.run("deploy")
    deployer.let_no_alarm_end_its_deployments()
    return run


def prepare_rollback(deployer: Deployer) -> None:
    deployer.let_another_revision_serve()
    deployer.let_another_revision_serve()


def prepare_status(deployer: Deployer) -> None:
    deployer.let_another_revision_serve()
    deployer.let_the_app_say("Good morning")


def prepare_logs(deployer: Deployer) -> None:
    deployer.let_the_app_say("Good evening")
    deployer.take_the_log_away_after_one_look()


RUNS: dict[str, DeployerRun] = {
    "first deploy": DeployerRun(
        prepare_first_deploy, workflow, 0, ("in steady state", "answers with commit")
    ),
    "deploy again": DeployerRun(
        prepare_again, command("deploy"), 0, ("in steady state already", "of-old")
    ),
    "deploy": DeployerRun(prepare_deploy, command("deploy"), 0, ("in steady state",), slow=True),
    "deploys with a tag and without": DeployerRun(
        prepare_tag, deploy_with_a_tag_and_without, 0, ("team", "without team", "steady state")
    ),
    "deploy that fails": DeployerRun(
        prepare_failure,
        command("deploy"),
        1,
        ("rolled back to", "exit code 3", "RuntimeError: boom"),
    ),
    "deploy that waits at a PAUSE hook": DeployerRun(
        prepare_pause, deploy_with_a_pause, 0, ("a PAUSE hook", "in steady state")
    ),
    "deploy that an alarm ends": DeployerRun(
        prepare_alarm, deploy_with_alarms, 1, (ERRORS, "rolled back to"), slow=True
    ),
    "rollback": DeployerRun(prepare_rollback, command("rollback"), 0, ("in steady state",)),
    "status": DeployerRun(
        prepare_status,
        command("status"),
        0,
        ("; scaling ", " in ALARM", "Good morning", "the service is healthy"),
    ),
    # Ctrl-C would end it as well; that the log is gone ends it at a known look.
    "logs --follow": DeployerRun(prepare_logs, command("logs", "--follow"), 2, ("Good evening",)),
}


def provisioned(service: Checkout) -> Deployer:
    """With both ways in: the role, and a user who has no keys yet."""
    service.aws.client("iam").create_user(UserName=USER)
    service.set("github.subject", SUBJECT)  # so GitHub is not asked
    service.set("github.deploy_user", USER)
    service.commit("Let a user in")
    service.administer("provision").expect(0)
    return Deployer(service)
