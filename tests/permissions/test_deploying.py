"""ops/iam-policy-github-actions.json allows each call of a deployer, no other action, and no access
to another service's resources."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from simulator.account import Account
from simulator.calls import Call
from simulator.permissions import needs
from simulator.policies import Need, denial
from simulator.simulation import SimulatedAws
from tests.permissions.deployer import AUDIENCE, HOST, RUNS, USER, Deployer, Json, provisioned
from tests.support.checkout import SUBJECT, Checkout, Run
from tests.support.rendering import Render
from tests.support.settings import sections, value_of

pytestmark = pytest.mark.slow  # each run of it is a whole story under the policy

POLICY = "ops/iam-policy-github-actions.json"

# Actions that none of the runs here needs, and why they stay.
ROOM = {
    "ecr:GetDownloadUrlForLayer": "clients of docker's that look at a layer before they push it",
}
# Resources likewise, by the end of their ARN.
ROOM_FOR_RESOURCES = {
    "log-group:/ecs/ai-assistant-app": "the reference names a group so, where IAM adds a stream",
}


@dataclass
class RecordedRuns:
    """The deploy role's runs and its calls, under the policy that `provision` attached to it."""

    deployer: Deployer
    runs: dict[str, Run] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.deployer.come_in_by_role()
        self.runs = {
            name: run.carry_out(self.deployer) for name, run in RUNS.items() if not run.slow
        }

    @property
    def aws(self) -> SimulatedAws:
        return self.deployer.aws

    @property
    def account(self) -> Account:
        return self.aws.account

    @property
    def policy(self) -> Json:
        return self.deployer.policy

    @property
    def calls(self) -> Iterator[tuple[str, Call]]:
        """Each with the name of its run."""
        return ((name, call) for name, run in self.runs.items() for call in run.calls)

    def refused(self, policy: Json) -> dict[str, set[str]]:
        """Which actions a policy would refuse to each of the runs."""
        found: dict[str, set[str]] = {}
        for name, call in self.calls:
            for need in needs(call.service, call.operation, call.parameters, self.account):
                if denial([policy], need):
                    found.setdefault(name, set()).add(need.action)
        return found


@pytest.fixture(scope="module")
def record(
    started_aws: SimulatedAws, example: Render, tmp_path_factory: pytest.TempPathFactory
) -> RecordedRuns:
    started_aws.reset()
    folder = tmp_path_factory.mktemp("deployer")
    return RecordedRuns(provisioned(Checkout.of(example, started_aws, folder, own_process=True)))


@pytest.fixture(autouse=True)
def _the_simulation_knew_what_to_do(started_aws: SimulatedAws) -> Iterator[None]:
    yield
    started_aws.check()


# --- enough ---


def test_the_role_has_the_policy_as_it_stands_in_git(record: RecordedRuns, example: Render) -> None:
    assert record.policy == example.json(POLICY)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_ends_as_it_should_under_the_policy(record: RecordedRuns, name: str) -> None:
    run = record.runs.get(name) or RUNS[name].carry_out(record.deployer)
    lacks = "; ".join(RUNS[name].lacks(run))
    assert not lacks, f"{lacks}: does {POLICY} lack an action?\n{run.text}"


# --- not one more ---


def parts(policy: Json, key: str) -> Iterator[tuple[str, Json]]:
    """Each action, or each resource, and the policy without it."""
    for number, statement in enumerate(policy["Statement"]):
        for value in statement[key]:
            less = copy.deepcopy(policy)
            less["Statement"][number][key].remove(value)
            # One that is empty is no statement.
            less["Statement"] = [one for one in less["Statement"] if one[key]]
            yield value, less


def test_without_any_one_action_a_run_is_refused_just_that(record: RecordedRuns) -> None:
    unneeded = set()
    for action, less in parts(record.policy, "Action"):
        refused = record.refused(less)
        assert set().union(*refused.values()) <= {action}
        if not refused:
            unneeded.add(action)
    assert unneeded == ROOM.keys(), (
        f"{POLICY} allows what no run needs, or ROOM lists what one does: delete it there, or say "
        "in ROOM who else needs it"
    )


def test_without_any_one_resource_a_run_is_refused(record: RecordedRuns) -> None:
    unneeded = {
        resource.split(":", 5)[-1]
        for resource, less in parts(record.policy, "Resource")
        if not record.refused(less)
    }
    assert unneeded == ROOM_FOR_RESOURCES.keys(), (
        f"narrow {POLICY}, or say in ROOM_FOR_RESOURCES why"
    )


def all_actions() -> list[str]:
    template = Path(__file__).parents[2] / "template" / f"{POLICY}.jinja"
    statements = json.loads(template.read_text())["Statement"]
    return sorted({each for statement in statements for each in statement["Action"]} - ROOM.keys())


# docker asks by HEAD whether a layer is there, and an answer to that has no words: such is the end
# of aws/aws-toolkit-azure-devops#311.
WITHOUT_WORDS = {"ecr:BatchCheckLayerAvailability": "403"}


@pytest.mark.parametrize("action", all_actions())
def test_a_run_says_which_action_it_lacks(record: RecordedRuns, action: str) -> None:
    without = (less for removed, less in parts(record.policy, "Action") if removed == action)
    less = next(less for less in without if record.refused(less))
    name = next(iter(record.refused(less)))
    with record.deployer.may(less):
        run = RUNS[name].carry_out(record.deployer)
    assert RUNS[name].lacks(run), f"{name} succeeds without {action}:\n{run.text}"
    words = WITHOUT_WORDS.get(action, action)
    assert words in run.text, f"{name} does not say that it lacks {action}:\n{run.text}"


# --- nothing of a neighbour's ---

# Names of other resources: each with the name of this service that it replaces.
OTHER_NAMES = {
    "an app whose name begins alike": ("service.name", "ai-assistant-two"),
    "an app whose name this one begins with": ("service.name", "ai"),
    "a service in this cluster": ("names.service", "ai-assistant-service-two"),
    "a cluster": ("names.cluster", "ai-assistant-cluster-two"),
    "a family": ("names.family", "ai-assistant-task-two"),
    "a log group": ("names.log_group", "/ecs/ai-assistant-app-two"),
    "an execution role": ("names.execution_role", "administrator"),
    "a task role": ("names.task_role", "administrator"),
}


def renamed(parameters: Json, old: str, new: str) -> Json:
    """The parameters of a call, with another resource's name in place of this service's. Container
    definitions are left as they are: they depend on the roles of the task, not on this policy."""
    about = {key: value for key, value in parameters.items() if key != "containerDefinitions"}
    changed: Json = json.loads(json.dumps(about).replace(old, new))
    return parameters | changed


def allowed_elsewhere(
    record: RecordedRuns, call: Call, parameters: Json, account: Account
) -> list[str] | None:
    """The actions that the policy allows for the call on another resource; None if IAM sees no
    difference."""
    before = needs(call.service, call.operation, call.parameters, record.account)
    after = needs(call.service, call.operation, parameters, account)
    others = [need for was, need in zip(before, after, strict=True) if was != need]
    allowed = [need.action for need in others if not denial([record.policy], need)]
    return allowed if others else None


@pytest.mark.parametrize("whose", OTHER_NAMES)
def test_what_has_another_name_is_out_of_reach(record: RecordedRuns, whose: str) -> None:
    setting, new = OTHER_NAMES[whose]
    old = str(value_of(record.deployer.settings, setting))
    out_of_reach = set()
    for name, call in record.calls:
        parameters = renamed(call.parameters, old, new)
        if parameters == call.parameters:
            continue
        allowed = allowed_elsewhere(record, call, parameters, record.account)
        if allowed is None:
            assert not call.changes, f"IAM cannot tell whose it is, and {call.name} changes it"
        else:
            assert not allowed, f"{name} has {allowed} with {whose}: narrow {POLICY}\n{parameters}"
            out_of_reach.add(call.name)
    assert out_of_reach, f"no call names {old}: change OTHER_NAMES with it"


@pytest.mark.parametrize("where", [("123456789012", "eu-west-1"), ("210987654321", "us-east-1")])
def test_other_regions_and_accounts_are_out_of_reach(
    record: RecordedRuns, where: tuple[str, str]
) -> None:
    there, here = Account(*where), record.account
    out_of_reach = set()
    for name, call in record.calls:
        parameters = renamed(renamed(call.parameters, here.region, there.region), here.id, there.id)
        allowed = allowed_elsewhere(record, call, parameters, there)
        assert not allowed, f"{name} has {allowed} in {where}: narrow {POLICY}"
        if allowed is not None:
            out_of_reach.add(call.name)
    assert {call.name for _, call in record.calls if call.changes} <= out_of_reach


def test_roles_are_passed_to_tasks_alone(record: RecordedRuns) -> None:
    for setting in ("names.execution_role", "names.task_role"):
        name = value_of(record.deployer.settings, setting)
        role = record.account.arn("iam", f"role/{name}", region="")
        for service in ("ecs-tasks.amazonaws.com", "ec2.amazonaws.com", "lambda.amazonaws.com"):
            need = Need("iam:PassRole", role, {"iam:PassedToService": service})
            is_refused = denial([record.policy], need) is not None
            assert is_refused == (service != "ecs-tasks.amazonaws.com"), need


TRICKS = {
    "stop a neighbour's service": (
        "ecs update-service --cluster {names.cluster} --service neighbour --desired-count 0",
        "ecs:UpdateService on resource: {ecs}:service/{names.cluster}/neighbour",
    ),
    "run another family": (
        "ecs update-service --cluster {names.cluster} --service {names.service}"
        " --task-definition miner",
        "ecs:UpdateService on resource: {ecs}:service/{names.cluster}/{names.service}",
    ),
    "delete the service": (
        "ecs delete-service --cluster {names.cluster} --service {names.service} --force",
        "ecs:DeleteService on resource: {ecs}:service/{names.cluster}/{names.service}",
    ),
    "give the app the rights of an administrator": (
        "ecs register-task-definition --family {names.family}"
        " --container-definitions name=a,image=b --task-role-arn {iam}:role/administrator",
        "iam:PassRole on resource: {iam}:role/administrator",
    ),
    "scale a neighbour": (
        "application-autoscaling register-scalable-target --service-namespace ecs"
        " --scalable-dimension ecs:service:DesiredCount --resource-id service/other/neighbour"
        " --min-capacity 0 --max-capacity 0",
        "is missing the following permissions: ecs:DescribeServices",
    ),
    "read a neighbour's log": (
        "logs filter-log-events --log-group-name /ecs/neighbour-app",
        "logs:FilterLogEvents on resource: {logs}:log-group:/ecs/neighbour-app:log-stream:",
    ),
    "let an alarm call a neighbour's scaling": (
        "cloudwatch put-metric-alarm --evaluation-periods 1 --threshold 1 --alarm-name"
        " TargetTracking-service/{names.cluster}/{names.service}-AlarmHigh-0"
        " --comparison-operator GreaterThanThreshold --namespace AWS/ECS --metric-name x --period"
        " 60 --statistic Sum --ok-actions {scaling}:resource/ecs/service/c/neighbour:policyName/p",
        "cloudwatch:PutMetricAlarm on resource: {cloudwatch}:alarm:TargetTracking-service/",
    ),
    "move the service to another subnet": (
        "ecs update-service --cluster {names.cluster} --service {names.service}"
        " --network-configuration awsvpcConfiguration={{subnets=[subnet-0123456789]}}",
        "service/{names.cluster}/{names.service} with an explicit deny",
    ),
    "turn on ECS Exec": (
        "ecs update-service --cluster {names.cluster} --service {names.service}"
        " --enable-execute-command",
        "service/{names.cluster}/{names.service} with an explicit deny",
    ),
    "read what is wrong with a neighbour's image": (
        "ecr describe-image-scan-findings --repository-name neighbour --image-id imageTag=a",
        "ecr:DescribeImageScanFindings on resource: {ecr}:repository/neighbour",
    ),
    "look at a neighbour's images": (
        "ecr describe-images --repository-name neighbour",
        "ecr:DescribeImages on resource: {ecr}:repository/neighbour",
    ),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_is_refused(record: RecordedRuns, trick: str) -> None:
    command, refusal = TRICKS[trick]
    account = record.account
    arns = {
        name: account.arn(name, "").rstrip(":") for name in ("cloudwatch", "ecr", "ecs", "logs")
    }
    arns["iam"] = account.arn("iam", "", region="").rstrip(":")
    arns["scaling"] = account.arn("autoscaling", "scalingPolicy:0-0")
    words = sections(record.deployer.settings) | arns
    record.aws.client("ecs").register_task_definition(
        family="miner", containerDefinitions=[{"name": "a", "image": "b", "memory": 128}]
    )
    run = record.deployer.run_program("aws", *command.format(**words).split())
    assert refusal.format(**words) in run.err, run.text


# --- who else comes in ---

STRANGERS = {
    "another branch": SUBJECT.replace("main", "mine"),
    "a branch whose name begins alike": f"{SUBJECT}-two",
    "a tag": SUBJECT.replace("heads/main", "tags/main"),
    "a pull request": SUBJECT.replace("ref:refs/heads/main", "pull_request"),
    "an environment": SUBJECT.replace("ref:refs/heads/main", "environment:live"),
    "another repository": SUBJECT.replace("/ai-assistant@2", "/other@3"),
    "a repository that took over the name": SUBJECT.replace("@2", "@3"),
    "an owner who took over the name": SUBJECT.replace("@1", "@4"),
    "the earlier format, without ids": SUBJECT.replace("@1", "").replace("@2", ""),
    "other letters": SUBJECT.replace("my-company", "My-Company"),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_the_role_lets_no_stranger_in(record: RecordedRuns, who: str) -> None:
    assert STRANGERS[who] != SUBJECT
    with pytest.raises(
        ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"
    ):
        record.deployer.come_in_by_role(f"{HOST}|{AUDIENCE}|{STRANGERS[who]}")


def test_the_role_lets_no_token_in_that_was_made_for_another(record: RecordedRuns) -> None:
    # The provider is the account's, and others may have added an audience of theirs to it.
    iam = record.aws.client("iam")
    provider = record.account.arn("iam", f"oidc-provider/{HOST}", region="")
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    iam.create_open_id_connect_provider(Url=f"https://{HOST}", ClientIDList=[AUDIENCE, "another"])
    with pytest.raises(
        ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"
    ):
        record.deployer.come_in_by_role(f"{HOST}|another|{SUBJECT}")


# --- the other way in ---


@pytest.fixture(scope="module")
def by_keys(record: RecordedRuns) -> Deployer:
    deployer = Deployer(record.deployer.service)
    deployer.come_in_by_keys(USER)
    return deployer


@pytest.mark.parametrize("name", RUNS)
def test_a_run_ends_as_it_should_by_a_user_s_two_keys(
    record: RecordedRuns, by_keys: Deployer, name: str
) -> None:
    run = RUNS[name].carry_out(by_keys)
    user = record.account.arn("iam", f"user/{USER}", region="")
    # A call that ends with an injected fault has no principal.
    assert {call.principal for call in run.calls} - {""} == {user}
    assert not RUNS[name].lacks(run), run.text


def test_the_user_may_what_the_role_may_and_no_more(record: RecordedRuns) -> None:
    principals = record.aws.world.principals
    role = str(value_of(record.deployer.settings, "names.deploy_role"))
    of_role = list(principals.policies(principals.as_role(role, "run")))
    assert list(principals.policies(principals.user(USER))) == of_role
    assert record.policy in of_role
    assert len(of_role) == 2
