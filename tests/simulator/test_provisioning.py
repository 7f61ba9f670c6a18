"""The tool against an AWS that creates what a stack declares.

tests/tool/provision proves what the tool does. This is about the simulation: that it creates,
changes and deletes the resources of infra/stack.yml as AWS does, and undoes what fails.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from simulator.simulation import SimulatedAws
from simulator.stacks import Json, Operator, everything, settled
from tests.support.checkout import SUBJECT, Checkout
from tests.support.company_settings import create_key
from tests.support.rendering import Render
from tests.support.settings import Value

pytestmark = pytest.mark.slow  # the story, which `make test` has, provisions on it too

APP = "ai-assistant"


@pytest.fixture
def service(aws: SimulatedAws, example: Render, tmp_path: Path) -> Checkout:
    found = Checkout.of(example, aws, tmp_path)
    found.set("github.subject", SUBJECT)  # so GitHub is not asked
    return found


def choose(service: Checkout, settings: Mapping[str, Value]) -> None:
    for name, value in settings.items():
        service.set(name, value)


def kinds(aws: SimulatedAws) -> set[str]:
    """Of the resources in the account."""
    found = everything(aws)
    return {kind for kind in found if found[kind]}


def stack(aws: SimulatedAws, service: Checkout) -> Operator:
    return Operator(aws, "", service.settings.names.stack)


def attributes(found: list[Json]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in found}


# --- what a stack creates ---


def test_a_new_account_gets_every_resource_of_the_stack_and_a_second_run_changes_none(
    aws: SimulatedAws, service: Checkout
) -> None:
    service.administer("provision").expect(0).expect_text("18 to add", "created  HttpListener")
    outputs, found = stack(aws, service).outputs, everything(aws)
    (balancer,), (targets,) = found["balancers"], found["targets"]
    assert outputs["Url"] == f"http://{balancer['DNSName']}"
    assert outputs["TargetGroupArn"] == targets["TargetGroupArn"]
    label = [balancer["LoadBalancerArn"].split("loadbalancer/")[1]]
    label += [targets["TargetGroupArn"].split(":")[-1]]
    assert outputs["ScalingResourceLabel"] == "/".join(label)
    assert attributes(balancer["Attributes"])["idle_timeout.timeout_seconds"] == "60"
    assert attributes(targets["Attributes"])["deregistration_delay.timeout_seconds"] == "50"
    assert targets["HealthCheckPath"] == "/health"
    (listener,) = balancer["Listeners"]
    (forward,) = listener["DefaultActions"]
    assert (listener["Port"], forward["TargetGroupArn"]) == (80, targets["TargetGroupArn"])

    groups = {group["GroupId"]: group for group in found["groups"]}
    of_tasks, [of_balancer] = outputs["TaskSecurityGroupId"], balancer["SecurityGroups"]
    assert groups.keys() == {of_tasks, of_balancer}
    (ingress,) = groups[of_tasks]["IpPermissions"]
    assert [pair["GroupId"] for pair in ingress["UserIdGroupPairs"]] == [of_balancer]
    (egress,) = groups[of_balancer]["IpPermissionsEgress"]
    assert [pair["GroupId"] for pair in egress["UserIdGroupPairs"]] == [of_tasks]

    (repository,), (log,) = found["repositories"], found["logs"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert log["retentionInDays"] == 30
    roles = {role["RoleName"]: role for role in found["roles"]}
    settings = service.settings
    deploys = roles[settings.names.deploy_role]
    document = service.document("ops/iam-policy-github-actions.json")
    assert deploys["policies"].keys() == {"deploy", "deploy-limits"}
    assert deploys["policies"]["deploy"] == settled(document)
    (pulls,) = roles[settings.names.execution_role]["policies"].values()
    [pulled] = [
        each["Resource"] for each in pulls["Statement"] if isinstance(each["Resource"], list)
    ]
    assert repository["repositoryArn"] in pulled
    assert roles[settings.names.task_role]["policies"] == {}
    dimensions = [alarm["Dimensions"] for alarm in found["alarms"]]
    watched = {each["Value"] for alarm in dimensions for each in alarm}
    assert watched == set(label)

    service.administer("provision").expect(0).expect_text("nothing to change")
    assert everything(aws) == found


def test_a_plan_changes_no_resource(aws: SimulatedAws, service: Checkout) -> None:
    service.administer("provision", "--plan").expect(0).expect_text(
        "18 to add", "Nothing was changed"
    )
    assert kinds(aws) == set()
    assert aws.client("cloudformation").describe_stacks()["Stacks"] == []
    service.administer("provision").expect(0)
    before = everything(aws)
    choose(service, {"logs.retention_days": 7, "permissions.tracing": "xray"})
    service.administer("provision", "--plan").expect(0).expect_text("1 to add, 1 to change")
    assert everything(aws) == before


def test_a_name_that_is_taken_leaves_everything_unchanged(
    aws: SimulatedAws, service: Checkout
) -> None:
    trust = {"Version": "2012-10-17", "Statement": []}
    name = service.settings.names.task_role
    aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    run = service.administer("provision")
    run.expect(2, "change-set-failed")
    assert f"TaskRole: Resource of type 'AWS::IAM::Role' with identifier '{name}'" in run.err
    assert kinds(aws) == {"roles"}
    assert aws.client("cloudformation").describe_stacks()["Stacks"] == []


# --- what the settings turn on ---


def test_every_setting_is_turned_on_and_off_again_in_place(
    aws: SimulatedAws, service: Checkout
) -> None:
    service.administer("provision").expect(0)
    before, ids = everything(aws), stack(aws, service).ids
    asks_for = {"DomainName": "api.example.com"}
    certificate = aws.client("acm").request_certificate(**asks_for)["CertificateArn"]
    topic = aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    on: dict[str, Value] = {
        "alarms.topic": topic,
        "permissions.bedrock_models": ["us.meta.llama4-v1:0"],
        "https.certificate": certificate,
        "https.domain": "api.example.com",
        "permissions.s3_read_buckets": ["one", "two"],
        "permissions.secrets_key": create_key(aws),
        "permissions.tracing": "xray",
    }
    choose(service, on)
    service.administer("provision").expect(0).expect_text("created  HttpsListener")
    assert ids.items() <= stack(aws, service).ids.items(), "nothing is replaced"

    found = everything(aws)
    (balancer,) = found["balancers"]
    ports = {listener["Port"]: listener for listener in balancer["Listeners"]}
    assert ports[443]["Certificates"] == [{"CertificateArn": certificate}]
    assert ports[80]["DefaultActions"][0]["Type"] == "redirect"
    assert [alarm["AlarmActions"] for alarm in found["alarms"]] == [[topic]] * 5
    (rule,) = found["rules"]
    assert [target["Arn"] for target in rule["Targets"]] == [topic]
    policies = {role["RoleName"]: set(role["policies"]) for role in found["roles"]}
    assert policies[service.settings.names.task_role] == {
        *("invoke-models", "read-buckets", "send-traces")
    }
    assert "decrypt-secrets" in policies[service.settings.names.execution_role]

    choose(service, {name: [] if isinstance(value, list) else "" for name, value in on.items()})
    service.administer("provision").expect(0).expect_text("deleted  HttpsListener")
    assert everything(aws) == before
    assert stack(aws, service).ids == ids


# --- what fails is undone ---


def test_a_failed_creation_leaves_images_and_log_alone(
    aws: SimulatedAws, service: Checkout
) -> None:
    aws.cloudformation.fails("LoadBalancer", "create", "not today")
    service.administer("provision").expect(1, "stack-not-changed").expect_text(
        "LoadBalancer: not today"
    )
    assert kinds(aws) == {"repositories", "logs"}
    service.administer("provision").expect(0).expect_text("2 to take over", "imported LogGroup")


def test_a_failure_at_any_step_of_an_update_leaves_everything_unchanged(
    aws: SimulatedAws, service: Checkout
) -> None:
    service.administer("provision").expect(0)
    before = everything(aws)
    (sent,) = aws.calls.of("cloudformation:CreateChangeSet")
    topic = aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    on: dict[str, Value] = {
        "AlarmTopicArn": topic,
        "LogRetentionDays": "7",
        "S3BucketArns": "arn:aws:s3:::one",
        "TaskSubnetIds": "subnet-a",
        "Tracing": "xray",
    }
    given = sent.parameters["Parameters"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in given}
    operator = stack(aws, service)
    operator.template = sent.parameters["TemplateBody"]
    changes = [each["ResourceChange"] for each in operator.plan(**parameters | on)["Changes"]]
    touched = [
        each["LogicalResourceId"]
        for each in changes
        # A reference to a resource that is updated in place is listed, and changes nothing.
        if each["Action"] != "Modify" or any(x["Evaluation"] == "Static" for x in each["Details"])
    ]
    assert len(touched) == 9
    for resource in touched:
        for verb in "create", "update":
            aws.cloudformation.failures = {(resource, verb): "not today"}
            state = operator.update(**parameters | on)
            assert state in {"UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE"}
            if state == "UPDATE_COMPLETE":  # it was made, not changed, or the other way round
                aws.cloudformation.failures = {}
                assert operator.update(**parameters) == "UPDATE_COMPLETE"
            assert everything(aws) == before, f"{resource} cannot {verb}"


def test_the_command_of_the_error_repairs_a_stuck_rollback(
    aws: SimulatedAws, service: Checkout
) -> None:
    """As a user runs it, by the real AWS CLI."""
    service.administer("provision").expect(0)
    before = everything(aws)
    choose(service, {"logs.retention_days": 7, "permissions.tracing": "xray"})
    aws.cloudformation.fails("SendTraces", "create", "not today")
    aws.cloudformation.fails("LogGroup", "roll back", "nor back")
    service.administer("provision").expect(1, "stack-not-changed").expect_text(
        "SendTraces: not today", "UPDATE_ROLLBACK_FAILED"
    )
    run = service.administer("provision")
    run.expect(2, "stack-stuck")
    command = re.search(r"to fix it: (aws cloudformation continue-update-rollback [^;]+);", run.err)
    assert command, f"the error names no command:\n{run.err}"
    service.run_program(*command[1].split()).expect(0)
    while stack(aws, service).status.endswith("IN_PROGRESS"):
        pass
    assert everything(aws) == before
    service.administer("provision").expect(0).expect_text("created  SendTraces")


# --- what a deletion keeps ---


def test_a_deletion_keeps_images_and_log_and_the_next_provision_imports_them(
    aws: SimulatedAws, service: Checkout
) -> None:
    service.administer("provision").expect(0)
    group = service.settings.names.log_group
    aws.client("logs").create_log_stream(logGroupName=group, logStreamName="of-old")
    service.administer("destroy", typed=APP).expect(0).expect_text("kept     Repository")
    assert kinds(aws) == {"repositories", "logs"}
    service.administer("provision").expect(0).expect_text("2 to take over")
    streams = aws.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["of-old"]
    service.administer("destroy", "--purge", typed=APP).expect(0)
    assert kinds(aws) == set()


def test_a_role_with_another_policy_blocks_the_deletion_of_the_stack(
    aws: SimulatedAws, service: Checkout
) -> None:
    service.administer("provision").expect(0)
    role = service.settings.names.task_role
    iam = aws.client("iam")
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName="by-hand", PolicyDocument=document)
    service.administer("destroy", typed=APP).expect(1, "stack-not-deleted").expect_text(
        "(DELETE_FAILED): TaskRole: "
    )
    iam.delete_role_policy(RoleName=role, PolicyName="by-hand")
    service.administer("destroy", typed=APP).expect(0).expect_text("deleted  TaskRole")
    assert kinds(aws) == {"repositories", "logs"}
