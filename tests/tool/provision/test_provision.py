"""`provision`: what it creates, in which order, and the states of a stack that it refuses."""

import json
import re
from typing import Any

import pytest
from infra.tool.provision import policies

from simulator.docker_client import IMAGE
from tests.support.checkout import Checkout, Run
from tests.support.company_settings import create_key
from tests.support.settings import Value
from tests.support.stack_by_calls import SERVICE_LINKED_ROLES

CREATES, EXECUTES = "cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"
APPLIES = [
    "ecr:PutImageTagMutability",
    "ecr:PutImageScanningConfiguration",
    "logs:PutRetentionPolicy",
    "ecr:PutLifecyclePolicy",
    *["iam:PutRolePolicy"] * 2,
]
MAKES_READY = [
    "iam:CreateOpenIDConnectProvider",
    *["iam:CreateServiceLinkedRole"] * len(SERVICE_LINKED_ROLES),
]
Json = dict[str, Any]


def status(checkout: Checkout) -> str:
    name = checkout.settings.names.stack
    [found] = checkout.aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return str(found["StackStatus"])


def stacks(checkout: Checkout) -> list[Json]:
    found: list[Json] = checkout.aws.client("cloudformation").describe_stacks()["Stacks"]
    return found


def log_groups(checkout: Checkout) -> dict[str, int]:
    """The retention of each in days; 0 means for ever."""
    found = checkout.aws.client("logs").describe_log_groups()["logGroups"]
    return {each["logGroupName"]: each.get("retentionInDays", 0) for each in found}


# --- what it creates ---


def test_a_new_account_gets_everything_and_nothing_before_the_change_set_is_valid(
    new: Checkout,
) -> None:
    run = new.administer("provision").expect(0)
    assert run.changes == [CREATES, *MAKES_READY, EXECUTES, *APPLIES]
    assert "stack       ai-assistant: 18 to add" in run.out
    assert run.operations[-1] == "cloudformation:DescribeStacks", "as a deploy looks at the stack"
    assert re.search(r"^url +http://ai-assistant-alb-", run.out, re.MULTILINE)
    assert "bash infra/deploy-manual.sh" in run.out
    new.release()
    new.run("deploy").expect(0)


def test_both_documents_are_applied_byte_for_byte(new: Checkout) -> None:
    run = new.administer("provision").expect(0)
    lifecycle = run.request("ecr:PutLifecyclePolicy")["lifecyclePolicyText"]
    deploy = run.request("iam:PutRolePolicy", PolicyName="deploy")["PolicyDocument"]
    for applied, path in (lifecycle, policies.LIFECYCLE), (deploy, policies.DEPLOY):
        assert applied == (new.folder / path).read_text(encoding="utf-8")


def test_a_second_run_changes_nothing_and_applies_the_documents_again(new: Checkout) -> None:
    new.administer("provision").expect(0)
    run = new.administer("provision").expect(0)
    assert "nothing to change" in run.out
    assert run.changes == [CREATES, "cloudformation:DeleteChangeSet", *APPLIES]
    assert "cloudformation:DescribeEvents" not in run.operations, "nothing is wrong"


def test_a_refused_document_is_a_failure(new: Checkout) -> None:
    new.aws.faults.refuse("iam:PutRolePolicy", "MalformedPolicyDocument", "Syntax errors")
    run = new.administer("provision").expect(1, "aws-refused")
    assert "Syntax errors" in run.err


def test_the_output_says_where_the_domain_must_point(new: Checkout) -> None:
    new.set("https.domain", "api.example.com")
    run = new.administer("provision").expect(0)
    [balancer] = new.aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert f"api.example.com must point (CNAME or alias) to {balancer['DNSName']}" in run.out


def test_a_stack_without_the_outputs_that_a_deploy_needs_is_a_failure(existing: Checkout) -> None:
    """The stack was changed, so the exit code is 1 and not 2."""
    template = (existing.folder / "infra" / "stack.yml").read_text(encoding="utf-8")
    existing.write("infra/stack.yml", template.replace("\n  TargetGroupArn:\n", "\n  Other:\n"))
    existing.administer("provision").expect(1, "stack-outputs")


# --- before the first call to AWS ---


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("infra/task-definition.json", "{"),
        (policies.LIFECYCLE, ""),
        (policies.LIFECYCLE, "{} {}"),
        (policies.DEPLOY, "[]"),
    ],
)
def test_a_broken_document_is_named_before_aws_is_asked(
    new: Checkout, path: str, text: str
) -> None:
    new.write(path, text)
    run = new.administer("provision").expect(2, "document-broken")
    assert path in run.err
    assert run.operations == []


def test_a_task_definition_of_no_size_is_refused_before_aws_is_asked(new: Checkout) -> None:
    document = new.document("infra/task-definition.json")
    del document["memory"]
    new.write("infra/task-definition.json", json.dumps(document))
    run = new.administer("provision").expect(2, "document-wrong")
    assert run.operations == []


def test_a_missing_template_is_named(new: Checkout) -> None:
    (new.folder / "infra" / "stack.yml").unlink()
    run = new.administer("provision").expect(2, "template-missing").expect_no_change()
    assert "git restore infra/stack.yml" in run.err


def test_the_wrong_account_is_refused(new: Checkout) -> None:
    new.set("service.account", "210987654321")
    new.set("service.registry", "210987654321.dkr.ecr.us-east-1.amazonaws.com")
    document = (new.folder / "infra" / "task-definition.json").read_text(encoding="utf-8")
    new.write("infra/task-definition.json", document.replace("123456789012", "210987654321"))
    run = new.administer("provision").expect(2, "account-differs")
    assert run.operations == ["sts:GetCallerIdentity"]


def test_neither_docker_nor_a_lock_nor_a_commit_is_needed(new: Checkout) -> None:
    (new.folder / "uv.lock").unlink(missing_ok=True)
    new.write("not-committed", "")
    new.administer("provision", PATH="").expect(0)


def test_a_denied_request_asks_for_an_administrator(existing: Checkout) -> None:
    existing.aws.faults.refuse("iam:GetRole", "AccessDenied", "not allowed")
    run = existing.administer("provision").expect(2, "aws-denied").expect_no_change()
    assert "sign in as an administrator" in run.err


# --- the state of the stack ---


@pytest.mark.parametrize("words", [["provision"], ["provision", "--plan"]])
@pytest.mark.parametrize(
    ("state", "code", "remedy"),
    [
        ("CREATE_IN_PROGRESS", "stack-changing", "wait until that is done"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "stack-changing", "wait until that is done"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "stack-changing", "wait until that is done"),
        ("DELETE_IN_PROGRESS", "stack-changing", "wait until that is done"),
        ("ROLLBACK_IN_PROGRESS", "stack-changing", "wait until that is done"),
        ("DELETE_FAILED", "stack-half-deleted", "uv run --frozen -m infra destroy"),
        ("UPDATE_ROLLBACK_FAILED", "stack-stuck", "aws cloudformation continue-update-rollback"),
    ],
)
def test_a_stack_that_cannot_be_changed_is_left_alone(
    existing: Checkout, state: str, code: str, remedy: str, words: list[str]
) -> None:
    existing.stack_is(state)
    run = existing.administer(*words).expect(2, code).expect_no_change()
    assert remedy in run.err


def test_a_second_administrator_is_refused_meanwhile(new: Checkout) -> None:
    other = new.copy(new.folder.parent / "other")
    new.aws.moments.when(
        EXECUTES, lambda: other.administer("provision").expect(2, "stack-changing")
    )
    new.administer("provision").expect(0)
    assert status(new) == "CREATE_COMPLETE"


def test_a_failed_creation_names_the_resource_and_the_next_run_creates_it_again(
    new: Checkout,
) -> None:
    new.aws.cloudformation.fails("LoadBalancer", "create", "You have too many")
    run = new.administer("provision").expect(1, "stack-not-changed")
    assert "(ROLLBACK_COMPLETE): LoadBalancer: You have too many" in run.err
    assert not set(APPLIES) & set(run.operations)
    plan = new.administer("provision", "--plan").expect(0).expect_no_change()
    assert "would be deleted and created again" in plan.out
    assert CREATES not in plan.operations
    run = new.administer("provision").expect(0)
    assert run.changes[:2] == ["cloudformation:DeleteStack", CREATES]
    assert run.request(CREATES)["ChangeSetType"] == "CREATE"
    assert "2 to take over" in run.out
    assert status(new) == "CREATE_COMPLETE"


def test_a_failed_creation_keeps_neither_its_network_nor_its_subject(new: Checkout) -> None:
    new.aws.cloudformation.fails("LoadBalancer", "create", "no")
    new.administer("provision").expect(1, "stack-not-changed")
    new.set("github.subject", "")
    new.environment["PATH"] = ""
    new.answer = OSError("no network")
    new.administer("provision").expect(2, "subject-unknown")


def test_a_stack_that_is_only_planned_is_created_without_deleting_it(new: Checkout) -> None:
    new.aws.faults.refuse("cloudformation:DeleteStack", "AccessDenied", "no")
    new.administer("provision", "--plan").expect(0)
    assert [stack["StackStatus"] for stack in stacks(new)] == ["REVIEW_IN_PROGRESS"]
    run = new.administer("provision").expect(0)
    assert "cloudformation:DeleteStack" not in run.operations
    assert status(new) == "CREATE_COMPLETE"


def test_a_failed_update_leaves_the_running_service_unchanged(running: Checkout) -> None:
    served = running.commit_served
    running.set("logs.retention_days", 90)
    running.aws.cloudformation.fails("LogGroup", "update", "the log is busy")
    run = running.administer("provision").expect(1, "stack-not-changed")
    assert "(UPDATE_ROLLBACK_COMPLETE): LogGroup: the log is busy" in run.err
    assert running.commit_served == served != ""
    running.set("logs.retention_days", 30)
    running.commit("Provision")
    running.release()
    running.run("deploy").expect(0)


def test_the_command_for_a_stuck_rollback_repairs_it(existing: Checkout) -> None:
    existing.set("logs.retention_days", 7)
    existing.set("permissions.tracing", "xray")
    existing.aws.cloudformation.fails("SendTraces", "create", "not today")
    existing.aws.cloudformation.fails("LogGroup", "roll back", "nor back")
    existing.administer("provision").expect(1, "stack-not-changed")
    run = existing.administer("provision").expect(2, "stack-stuck")
    command = "aws cloudformation continue-update-rollback --region us-east-1 --stack-name ai-assi"
    assert command in run.err
    name = existing.settings.names.stack
    existing.aws.client("cloudformation").continue_update_rollback(StackName=name)
    while status(existing).endswith("IN_PROGRESS"):
        pass  # each poll moves the operation on
    existing.administer("provision").expect(0)
    assert log_groups(existing) == {"/ecs/ai-assistant-app": 7}


# --- resources that exist already ---


def has_a_repository_and_a_log(checkout: Checkout) -> None:
    """As a guide creates them: tags can be moved, and the log is kept for ever."""
    names, ecr = checkout.settings.names, checkout.aws.client("ecr")
    ecr.create_repository(repositoryName=names.repository)
    ecr.put_image(
        repositoryName=names.repository,
        imageTag="latest",
        imageManifest='{"schemaVersion": 2}',
        imageManifestMediaType=IMAGE,
    )
    checkout.aws.client("logs").create_log_group(logGroupName=names.log_group)


def expect_imported(checkout: Checkout) -> None:
    ecr = checkout.aws.client("ecr")
    [repository] = ecr.describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    images = ecr.list_images(repositoryName=checkout.settings.names.repository)["imageIds"]
    assert [image.get("imageTag") for image in images] == ["latest"]
    assert log_groups(checkout) == {"/ecs/ai-assistant-app": 30}


def confirmed(checkout: Checkout) -> Run:
    """A provision by an administrator who types the name of the app if asked."""
    return checkout.run("provision", principal="root", typed="ai-assistant")


def test_a_repository_and_a_log_group_are_taken_over_with_their_content(new: Checkout) -> None:
    has_a_repository_and_a_log(new)
    consequences = (
        "in ai-assistant, tags become immutable",
        "infra/ecr-lifecycle-policy.json decides what expires: Remove untagged images after",
        "in /ecs/ai-assistant-app, lines are deleted after 30 days",
    )
    plan = new.administer("provision", "--plan").expect(0)
    run = confirmed(new).expect(0)
    assert "16 to add, 2 to take over" in run.out
    for text in consequences:
        assert text in plan.out
        assert text in run.out
    expect_imported(new)


def test_a_run_that_was_stopped_after_the_import_is_completed_by_the_next(new: Checkout) -> None:
    has_a_repository_and_a_log(new)
    new.aws.faults.refuse("ecr:PutImageTagMutability", "AccessDenied", "no")
    confirmed(new).expect(1, "aws-denied")
    confirmed(new).expect(0)
    expect_imported(new)


def test_images_survive_a_failed_first_creation(new: Checkout) -> None:
    has_a_repository_and_a_log(new)
    new.aws.cloudformation.fails("LoadBalancer", "create", "not today")
    confirmed(new).expect(1, "stack-not-changed")
    confirmed(new).expect(0)
    expect_imported(new)


@pytest.mark.parametrize("typed", ["", "yes", "ai-assistant-two"])
def test_images_and_lines_of_something_else_need_a_confirmation(new: Checkout, typed: str) -> None:
    has_a_repository_and_a_log(new)
    run = new.run("provision", principal="root", typed=typed)
    run.expect(2, "take-over-not-confirmed")
    assert "the images in ai-assistant may belong to something else" in run.err
    assert run.changes == [CREATES, "cloudformation:DeleteStack"], "only the change set"


@pytest.mark.parametrize(("days", "is_asked"), [(0, True), (90, True), (30, False), (7, False)])
def test_a_log_is_taken_over_without_a_question_if_no_line_is_lost(
    new: Checkout, days: int, is_asked: bool
) -> None:
    logs, group = new.aws.client("logs"), new.settings.names.log_group
    logs.create_log_group(logGroupName=group)
    if days:
        logs.put_retention_policy(logGroupName=group, retentionInDays=days)
    new.write_log("of another")
    run = new.administer("provision")
    if is_asked:
        run.expect(2, "take-over-not-confirmed")
        assert f"the log {group} may belong to something else" in run.err
    else:
        run.expect(0)


def test_empty_resources_are_taken_over_without_a_question(new: Checkout) -> None:
    names = new.settings.names
    new.aws.client("ecr").create_repository(repositoryName=names.repository)
    new.aws.client("logs").create_log_group(logGroupName=names.log_group)
    new.administer("provision").expect(0)


def test_resources_that_a_destroy_kept_are_taken_over_without_a_question(new: Checkout) -> None:
    new.administer("provision").expect(0)
    new.push_image()
    new.write_log("of this service")
    new.run("destroy", principal="root", typed="ai-assistant").expect(0)
    run = new.administer("provision").expect(0)
    assert "2 to take over" in run.out


# --- secrets of running revisions ---


def names_secret(checkout: Checkout, value: str) -> None:
    document = checkout.document("infra/task-definition.json")
    document["containerDefinitions"][0]["secrets"] = [{"name": "KEY", "valueFrom": value}]
    checkout.write("infra/task-definition.json", json.dumps(document))
    checkout.commit(f"Name the secret {value}")


def readable(checkout: Checkout) -> list[str]:
    """The parameters that the execution role may read."""
    iam, role = checkout.aws.client("iam"), checkout.settings.names.execution_role
    if "read-parameters" not in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        return []
    found = iam.get_role_policy(RoleName=role, PolicyName="read-parameters")
    [statement] = found["PolicyDocument"]["Statement"]
    return [arn.rpartition("/")[2] for arn in statement["Resource"]]


def test_a_renamed_secret_stays_readable_until_no_running_revision_names_it(
    existing: Checkout,
) -> None:
    for name in ("before", "after"):
        existing.aws.client("ssm").put_parameter(Name=name, Value="s", Type="SecureString")
    names_secret(existing, "before")
    existing.administer("provision").expect(0)
    existing.release()
    existing.run("deploy").expect(0)
    names_secret(existing, "after")
    plan = existing.administer("provision", "--plan").expect(0)
    assert re.findall(r"^grants +(.*)$", plan.out, re.MULTILINE) == [
        "to add: secret arn:aws:ssm:us-east-1:123456789012:parameter/after"
    ]
    served = existing.commit_served
    existing.administer("provision").expect(0)
    assert readable(existing) == ["after", "before"]
    assert existing.commit_served == served != ""
    existing.release()
    existing.run("deploy").expect(0)
    existing.administer("provision").expect(0)
    assert readable(existing) == ["after"]


def test_a_revision_cannot_ask_for_a_secret_that_the_documents_do_not_name(
    running: Checkout,
) -> None:
    """The deploy role writes revisions, so a revision must not make an administrator grant
    secrets."""
    ecs, names = running.aws.client("ecs"), running.settings.names
    task = ecs.describe_task_definition(taskDefinition=running.revision)["taskDefinition"]
    task["containerDefinitions"][0]["secrets"] = [{"name": "K", "valueFrom": "of-a-neighbour"}]
    wanted = {"family", "networkMode", "requiresCompatibilities", "cpu", "memory"}
    wanted |= {"executionRoleArn", "taskRoleArn", "containerDefinitions", "runtimePlatform"}
    new = ecs.register_task_definition(**{key: task[key] for key in wanted})["taskDefinition"]
    ecs.update_service(
        cluster=names.cluster, service=names.service, taskDefinition=new["taskDefinitionArn"]
    )
    run = running.administer("provision").expect(0)
    assert readable(running) == []
    assert "which the stack does not grant" in run.err
    assert "of-a-neighbour" in run.err


def test_a_secret_without_its_whole_arn_is_refused(new: Checkout) -> None:
    names_secret(new, "arn:aws:secretsmanager:us-east-1:123456789012:secret:key:part::")
    run = new.administer("provision").expect(2, "arns-wrong").expect_no_change()
    assert "-??????" in run.err


# --- the plan ---


def test_a_plan_for_a_new_account_changes_nothing_and_leaves_no_stack(new: Checkout) -> None:
    run = new.administer("provision", "--plan").expect(0)
    assert run.changes == [CREATES, "cloudformation:DeleteStack"]
    assert stacks(new) == []
    assert "  add               Cluster (AWS::ECS::Cluster)" in run.out
    assert "to create: token.actions.githubusercontent.com" in run.out
    assert run.out.count("to create, for AWS itself: ") == len(SERVICE_LINKED_ROLES)
    assert f"to apply: {policies.LIFECYCLE}, {policies.DEPLOY}" in run.out
    assert " a month without traffic" in run.out
    assert "Nothing was changed. To do it: uv run --frozen -m infra provision" in run.out


def test_a_plan_for_a_stack_lists_each_change(new: Checkout) -> None:
    new.administer("provision").expect(0)
    new.set("logs.retention_days", 7)
    new.set("permissions.tracing", "xray")
    run = new.administer("provision", "--plan").expect(0)
    assert "stack       ai-assistant: 1 to add, 1 to change" in run.out
    assert "  change            LogGroup (AWS::Logs::LogGroup)" in run.out
    assert "  add               SendTraces (AWS::IAM::RolePolicy)" in run.out
    assert run.changes == [CREATES, "cloudformation:DeleteChangeSet"]
    assert log_groups(new) == {"/ecs/ai-assistant-app": 30}


@pytest.mark.parametrize("words", [["--destory"], ["plan"], ["--plan", "--purge"]])
def test_an_unknown_argument_is_refused(rendered: Checkout, words: list[str]) -> None:
    run = rendered.administer("provision", *words).expect(2, "usage")
    assert run.operations == []


# --- every setting ---


def test_each_setting_is_turned_on_and_off_again_in_place(existing: Checkout) -> None:
    def ids() -> dict[str, str]:
        found = existing.aws.client("cloudformation").list_stack_resources(
            StackName=existing.settings.names.stack
        )["StackResourceSummaries"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    before = ids()
    asked = {"DomainName": "api.example.com"}
    certificate = existing.aws.client("acm").request_certificate(**asked)["CertificateArn"]
    on: dict[str, Value] = {
        "alarms.topic": existing.aws.client("sns").create_topic(Name="alarms")["TopicArn"],
        "permissions.bedrock_models": ["us.meta.llama4-v1:0"],
        "https.domain": "api.example.com",
        "https.certificate": certificate,
        "permissions.s3_read_buckets": ["one", "two"],
        "permissions.secrets_key": create_key(existing.aws),
        "permissions.tracing": "xray",
    }
    for name, value in on.items():
        existing.set(name, value)
    run = existing.administer("provision").expect(0)
    assert "url         https://api.example.com" in run.out
    assert before.items() <= ids().items(), "nothing is replaced"
    for name, value in on.items():
        existing.set(name, [] if isinstance(value, list) else "")
    existing.administer("provision").expect(0)
    assert ids() == before
