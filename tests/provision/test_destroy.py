"""infra/provision.sh --destroy takes the service down, and nothing that anybody might miss."""

import signal
from pathlib import Path

import pytest
from account import Account, changed
from rendering import Render
from stage import refusal

TAKES_DOWN = [
    "application-autoscaling deregister-scalable-target",
    "ecs delete-service",
    "iam delete-role-policy",
    "cloudformation delete-stack",
]
PURGES = ["ecr delete-repository", "logs delete-log-group"]


@pytest.fixture
def account(example: Render, tmp_path: Path) -> Account:
    account = Account(example, tmp_path)
    account.has_that_stack()
    account.is_deleted()
    return account


def test_it_takes_down_all_but_images_and_log(account: Account) -> None:
    run = account.destroy()
    run.ends(0, "Kept: the images", "--destroy --purge", "Kept: the revisions of", "which cost")
    run.ends(0, "removed    Cluster", "kept       Repository")
    assert changed(run) == TAKES_DOWN


def test_it_names_exactly_what_it_takes_down(account: Account) -> None:
    run = account.destroy("--purge")
    target, service, policy, stack = (run.request(name) for name in TAKES_DOWN)
    settings = account.settings
    cluster, name = settings["ECS_CLUSTER"], settings["ECS_SERVICE"]
    assert target == {
        "ServiceNamespace": "ecs",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": f"service/{cluster}/{name}",
    }
    assert service == {"cluster": cluster, "service": name, "force": True}
    assert policy == {"RoleName": settings["DEPLOY_ROLE"], "PolicyName": "deploy"}
    assert stack == {"StackName": account.stack_id}
    repository, log = (run.request(name) for name in PURGES)
    assert repository == {"repositoryName": settings["ECR_REPOSITORY"], "force": True}
    assert log == {"logGroupName": settings["LOG_GROUP"]}


def test_purge_takes_images_and_log_along(account: Account) -> None:
    run = account.destroy("--purge")
    run.ends(0, "every image", "the whole log")
    assert changed(run) == [*TAKES_DOWN, *PURGES]
    assert "Kept: the images" not in run.out


@pytest.mark.parametrize("typed", ["", "yes", "AI-assistant", "ai-assistant-2"])
def test_any_other_name_changes_nothing(account: Account, typed: str) -> None:
    run = account.destroy(types=typed)
    run.ends(2, "that is not its name", "type ai-assistant")
    assert changed(run) == []


def test_without_anybody_to_type_it_changes_nothing(account: Account) -> None:
    run = account.provision("--destroy")
    run.ends(2, "that is not its name")
    assert changed(run) == []


@pytest.mark.parametrize("arguments", [[], ["--purge"]])
def test_a_second_time_finds_all_gone(account: Account, arguments: list[str]) -> None:
    account.has_no_stack()
    account.has_no_service()
    for command, code in (
        (TAKES_DOWN[0], "ObjectNotFoundException"),
        (TAKES_DOWN[2], "NoSuchEntity"),
        (PURGES[0], "RepositoryNotFoundException"),
        (PURGES[1], "ResourceNotFoundException"),
    ):
        account.answers(command, refusal(code))
    run = account.destroy(*arguments)
    run.ends(0)
    assert TAKES_DOWN[3] not in run.asked


@pytest.mark.parametrize("command", [*TAKES_DOWN, *PURGES])
def test_what_aws_refuses_stops_it_there(account: Account, command: str) -> None:
    account.answers(command, refusal("AccessDenied"))
    run = account.destroy("--purge")
    run.ends(1, command)
    everything = [*TAKES_DOWN, *PURGES]
    assert changed(run) == everything[: everything.index(command) + 1]


def test_the_stack_waits_until_the_service_is_gone(account: Account) -> None:
    account.has_service(*["DRAINING"] * 9, "INACTIVE")
    run = account.destroy()
    run.ends(0, "waiting for 2 tasks")
    drained = len(run.asked) - 1 - run.asked[::-1].index("ecs describe-services")
    assert run.asked.count("ecs describe-services") == 10
    assert drained < run.asked.index("cloudformation delete-stack")


def test_the_stack_waits_until_the_last_task_has_stopped(account: Account) -> None:
    """ECS calls the service INACTIVE before that, and a task holds the cluster."""
    account.has_service("INACTIVE")
    account.has_tasks(*["DEPROVISIONING"] * 9, "STOPPED")
    run = account.destroy()
    run.ends(0, "waiting for 1 task of ai-assistant-cluster to stop")
    assert run.asked.count("ecs describe-tasks") == 10
    assert "ecs describe-tasks" not in run.asked[run.asked.index("cloudformation delete-stack") :]


def test_a_stack_that_is_gone_before_the_name_is_typed_is_not_waited_for(account: Account) -> None:
    account.has_that_stack("DELETE_IN_PROGRESS")
    account.happens(account.event("DELETE_COMPLETE"), then=[[]])
    run = account.destroy("--purge")
    run.ends(0, "gone: ai-assistant")
    assert changed(run)[-2:] == PURGES


def test_a_service_that_never_stops_is_no_verdict(account: Account) -> None:
    account.edit("infra/settings.env", 'ROLLOUT_TIMEOUT="1500"', 'ROLLOUT_TIMEOUT="60"')
    account.has_service("DRAINING")
    run = account.destroy()
    run.ends(3, "are not gone after 60 s", "run this again")
    assert "cloudformation delete-stack" not in run.asked


def test_one_answer_that_is_lost_does_no_harm_and_three_are_no_verdict(account: Account) -> None:
    lost = refusal("Throttling")
    draining = {"services": [{"status": "DRAINING", "runningCount": 1}]}
    gone = {"services": [{"status": "INACTIVE"}]}
    account.answers("ecs describe-services", lost, lost, draining, lost, gone)
    account.destroy().ends(0, "no answer from ECS (2 of 3)")

    account.answers("ecs describe-services", draining, lost)
    run = account.destroy()
    run.ends(3, "did not answer three times in a row", "run this again")
    assert run.asked.count("ecs describe-services") == 4
    assert "cloudformation delete-stack" not in run.asked


def test_a_stack_that_cannot_be_deleted_names_what_holds_it(account: Account) -> None:
    held = account.event(
        "DELETE_FAILED", "DeployRole", "AWS::IAM::Role", "must delete policies first"
    )
    account.happens(
        account.event("UPDATE_COMPLETE"),
        then=[[account.event("DELETE_IN_PROGRESS")], [held], [account.event("DELETE_FAILED")]],
    )
    run = account.destroy("--purge")
    run.ends(1, "DeployRole: must delete policies first", "--destroy --purge again")
    assert not set(PURGES) & set(run.asked)


@pytest.mark.parametrize(
    "status", ["DELETE_FAILED", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS"]
)
def test_a_stack_in_any_such_state_is_deleted(account: Account, status: str) -> None:
    account.has_that_stack(status)
    account.is_deleted()
    account.destroy().ends(0)


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
def test_a_stack_that_is_being_changed_is_waited_for(account: Account, status: str) -> None:
    account.has_that_stack(status)
    run = account.destroy()
    run.ends(2, status, "wait until it is done")
    assert changed(run) == []


def test_the_provider_is_never_deleted(account: Account) -> None:
    run = account.destroy("--purge")
    run.ends(0, "Kept: the identity provider")
    assert not [name for name in run.asked if "open-id" in name]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("ecs delete-service", "ECS goes on stopping"),
        ("cloudformation delete-stack", "CloudFormation goes on with ai-assistant"),
    ],
)
def test_ctrl_c_says_what_goes_on(account: Account, command: str, says: str) -> None:
    if "stack" in command:
        account.has_no_service()
    script = account.service / "infra/provision.sh"
    (account.stage / "real-time").touch()
    typing = 'echo ai-assistant | "$0" --destroy'
    process = account.start("bash", "-c", typing, str(script))
    account.wait_for(command)
    assert says in account.stopped(process, signal.SIGINT).text
