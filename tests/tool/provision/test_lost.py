"""A stack keeps its names, and a resource that was deleted by hand is found before any change."""

import shlex
from collections.abc import Callable, Mapping

import pytest

from tests.support.checkout import SUBJECT, Checkout, Run

NAMES = {
    "service.name": "ai-assistant",
    "names.repository": "ai-assistant",
    "names.log_group": "/ecs/ai-assistant-app",
    "names.cluster": "ai-assistant-cluster",
    "names.service": "ai-assistant-service",
    "names.execution_role": "ai-assistant-us-east-1-execution",
    "names.task_role": "ai-assistant-us-east-1-task",
    "names.deploy_role": "ai-assistant-us-east-1-github-actions",
}
ROLES = [name for name in NAMES if name.endswith("_role")]
COMMANDS = ["provision", "provision --plan", "destroy"]


def line(setting: str, value: str) -> str:
    """As a message shows a setting."""
    section, _, key = setting.partition(".")
    return f'[{section}] {key} = "{value}"'


def run(checkout: Checkout, command: str = "provision") -> Run:
    checkout.set("github.subject", SUBJECT)
    return checkout.run(*command.split(), principal="root", typed="ai-assistant")


# --- names ---


@pytest.mark.parametrize("setting", NAMES)
def test_no_resource_of_a_stack_is_renamed(provisioned: Checkout, setting: str) -> None:
    """A new name of the app would also change the names derived from it, so these are written
    out."""
    for name, value in NAMES.items():
        provisioned.set(name, value)
    provisioned.set("names.stack", "ai-assistant")
    provisioned.set(setting, "another")
    found = run(provisioned, "destroy").expect(2, "stack-renamed").expect_no_change()
    assert line(setting, NAMES[setting]) in found.err


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_renames_a_resource(provisioned: Checkout, command: str) -> None:
    provisioned.set("names.cluster", "another")
    run(provisioned, command).expect(2, "stack-renamed").expect_no_change()


def test_all_renames_are_named_at_once(provisioned: Checkout) -> None:
    for setting in ("names.cluster", "names.service", "names.task_role"):
        provisioned.set(setting, "another")
    found = run(provisioned, "destroy").expect(2, "stack-renamed")
    for setting in ("names.cluster", "names.service", "names.task_role"):
        assert line(setting, NAMES[setting]) in found.err


def test_a_stack_that_never_came_up_may_be_renamed(provisioned: Checkout) -> None:
    provisioned.stack_is("ROLLBACK_COMPLETE")
    provisioned.set("names.service", "another")
    run(provisioned, "destroy").expect(0)


# --- roles ---


def delete_role(checkout: Checkout, name: str) -> None:
    iam = checkout.aws.client("iam")
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


@pytest.mark.parametrize("setting", ROLES)
def test_a_role_that_was_deleted_needs_another_name(provisioned: Checkout, setting: str) -> None:
    delete_role(provisioned, NAMES[setting])
    found = run(provisioned).expect(2, "roles-deleted").expect_no_change()
    assert line(setting, f"{NAMES[setting]}-2") in found.err


def test_a_role_that_was_deleted_is_created_under_another_name(provisioned: Checkout) -> None:
    """As the message says."""
    delete_role(provisioned, NAMES["names.deploy_role"])
    provisioned.set("names.deploy_role", NAMES["names.deploy_role"] + "-2")
    run(provisioned).expect(0)
    iam = provisioned.aws.client("iam")
    found = iam.list_role_policies(RoleName=NAMES["names.deploy_role"] + "-2")["PolicyNames"]
    assert sorted(found) == ["deploy", "deploy-limits"]
    provisioned.commit("Rename the deploy role")
    provisioned.push_image()
    provisioned.run("deploy").expect(0)
    assert provisioned.commit_served == provisioned.head


def test_a_role_of_running_tasks_that_was_deleted_is_created_under_another_name(
    deployed: Checkout,
) -> None:
    """Replacing it does no harm: the tasks have lost the role already."""
    role = NAMES["names.execution_role"]
    deployed.set("names.execution_role", role + "-2")
    deployed.edit("infra/task-definition.json", role, role + "-2")
    run(deployed).expect(2, "stack-renamed")
    delete_role(deployed, role)
    run(deployed).expect(0)


def test_a_stack_without_its_roles_can_be_deleted(provisioned: Checkout) -> None:
    for setting in ROLES:
        delete_role(provisioned, NAMES[setting])
    run(provisioned, "destroy").expect(0)


def test_a_role_that_cannot_be_looked_up_is_not_reported_as_deleted(provisioned: Checkout) -> None:
    provisioned.aws.faults.refuse("iam:GetRole", "AccessDenied")
    run(provisioned).expect(2, "aws-denied").expect_no_change()


# --- other resources ---


def delete_repository(checkout: Checkout) -> None:
    checkout.aws.client("ecr").delete_repository(repositoryName="ai-assistant", force=True)


def delete_log_group(checkout: Checkout) -> None:
    """A log group whose name only begins with this name does not count."""
    logs = checkout.aws.client("logs")
    logs.delete_log_group(logGroupName=NAMES["names.log_group"])
    logs.create_log_group(logGroupName=NAMES["names.log_group"] + "-2")


def delete_cluster(checkout: Checkout) -> None:
    """ECS lists it as INACTIVE for a while."""
    checkout.aws.client("ecs").delete_cluster(cluster=NAMES["names.cluster"])


DELETIONS: Mapping[str, tuple[Callable[[Checkout], None], str]] = {
    "repository": (delete_repository, "aws ecr create-repository"),
    "log group": (delete_log_group, "aws logs create-log-group"),
    "cluster": (delete_cluster, "aws ecs create-cluster"),
}


@pytest.mark.parametrize("resource", DELETIONS)
def test_a_resource_that_was_deleted_is_named_with_the_command_that_creates_it(
    provisioned: Checkout, resource: str
) -> None:
    delete, create = DELETIONS[resource]
    delete(provisioned)
    found = run(provisioned, "provision --plan").expect(2, "resources-deleted").expect_no_change()
    assert create in found.err
    others = [text for _, text in DELETIONS.values() if text != create]
    assert not any(text in found.err for text in others)


def test_the_commands_of_the_message_repair_the_stack(deployed: Checkout) -> None:
    """After the commands have created every deleted resource, a provision, which also changes the
    new log group, and a deploy succeed."""
    deployed.set("logs.retention_days", 90)
    ecs, service = deployed.aws.client("ecs"), NAMES["names.service"]
    where = {"cluster": NAMES["names.cluster"]}
    ecs.delete_service(**where, service=service, force=True)
    while ecs.describe_services(**where, services=[service])["services"][0]["status"] != "INACTIVE":
        pass
    for task in deployed.aws.ecs.tasks:
        task.stop()
    for delete, _ in DELETIONS.values():
        delete(deployed)
    found = run(deployed).expect(2, "resources-deleted")
    remedy = found.err.partition("empty: ")[2].partition("; then ")[0]
    for command in remedy.split(" && "):
        execute(deployed, shlex.split(command))
    run(deployed).expect(0)
    groups = deployed.aws.client("logs").describe_log_groups()["logGroups"]
    kept = {group["logGroupName"]: group.get("retentionInDays", 0) for group in groups}
    assert kept[NAMES["names.log_group"]] == 90
    deployed.commit("Name the subject")
    deployed.push_image()
    deployed.run("deploy").expect(0)
    assert deployed.commit_served == deployed.head


def execute(checkout: Checkout, words: list[str]) -> None:
    """A command of the AWS CLI with options of one value each."""
    _, service, operation, *options = words
    client = checkout.aws.client(service)
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert given.pop("--region") == "us-east-1"
    [(option, value)] = given.items()
    first, *rest = option.removeprefix("--").split("-")
    member = first + "".join(word.capitalize() for word in rest)
    getattr(client, operation.replace("-", "_"))(**{member: value})


def test_nothing_is_looked_up_for_a_stack_that_never_came_up(provisioned: Checkout) -> None:
    provisioned.stack_is("ROLLBACK_COMPLETE")
    delete_repository(provisioned)
    run(provisioned, "provision --plan").expect(0)


def test_nothing_is_looked_up_for_a_new_stack(rendered: Checkout) -> None:
    found = run(rendered, "provision --plan").expect(0)
    looked_up = {"ecr:DescribeRepositories", "logs:DescribeLogGroups", "ecs:DescribeClusters"}
    assert not looked_up & set(found.operations)
