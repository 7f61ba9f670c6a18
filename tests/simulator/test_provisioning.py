"""infra/provision.sh for real, with the real aws, against an AWS that makes what a stack is for."""

import json
import re
from pathlib import Path

import pytest
from rehearsal import Done, Rehearsal
from rendering import Render

from simulator.docker_client import IMAGE
from simulator.simulation import SimulatedAws
from simulator.stacks import Json, Operator, everything, settled

pytestmark = pytest.mark.slow  # the story, which `make test` has, provisions on it too

HOST = "token.actions.githubusercontent.com"


@pytest.fixture
def service(aws: SimulatedAws, example: Render, tmp_path: Path) -> Rehearsal:
    return Rehearsal(aws, example, tmp_path)


def choose(service: Rehearsal, **settings: str) -> None:
    for name, value in settings.items():
        line = f'\n{name}="{service.settings[name]}"'
        service.edit("infra/settings.env", line, f'\n{name}="{value}"')
        service.settings[name] = value


def destroy(service: Rehearsal, *words: str) -> Done:
    return service.provision("--destroy", *words, typing=f"{service.settings['APP_NAME']}\n")


def there(aws: SimulatedAws) -> set[str]:
    """The kinds of things that are there at all."""
    found = everything(aws)
    return {kind for kind in found if found[kind]}


def stack(aws: SimulatedAws, service: Rehearsal) -> Operator:
    return Operator(aws, "", service.settings["STACK_NAME"])


def error(run: Done) -> str:
    (line,) = (line for line in run.err.splitlines() if line.startswith("error:"))
    return line


def attributes(found: list[Json]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in found}


# --- from nothing ---


def test_a_brand_new_account_gets_all_that_a_service_stands_on_and_a_second_run_changes_nothing(
    aws: SimulatedAws, service: Rehearsal
) -> None:
    run = service.provision()
    run.ends(0, "18 to add", "made       HttpListener", "infra/deploy-manual.sh")
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

    tasks, world = sorted(found["groups"], key=lambda group: "From everywhere" in str(group))
    assert outputs["TaskSecurityGroupId"] == tasks["GroupId"]
    assert balancer["SecurityGroups"] == [world["GroupId"]]
    (way_in,) = tasks["IpPermissions"]
    assert [pair["GroupId"] for pair in way_in["UserIdGroupPairs"]] == [world["GroupId"]]
    (way_out,) = world["IpPermissionsEgress"]
    assert [pair["GroupId"] for pair in way_out["UserIdGroupPairs"]] == [tasks["GroupId"]]

    (repository,), (log,) = found["repositories"], found["logs"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert log["retentionInDays"] == 30
    roles = {role["RoleName"]: role for role in found["roles"]}
    settings = service.settings
    deploys = roles[settings["DEPLOY_ROLE"]]
    document = service.render.json("ops/iam-policy-github-actions.json")
    assert deploys["policies"] == {"deploy": settled(document)}
    (pulls,) = roles[settings["EXECUTION_ROLE"]]["policies"].values()
    assert repository["repositoryArn"] in [each["Resource"] for each in pulls["Statement"]]
    assert roles[settings["TASK_ROLE"]]["policies"] == {}
    dimensions = [alarm["Dimensions"] for alarm in found["alarms"]]
    watched = {each["Value"] for alarm in dimensions for each in alarm}
    assert watched == set(label)

    again = service.provision()
    again.ends(0, "nothing to change")
    assert everything(aws) == found


def test_a_plan_is_only_words(aws: SimulatedAws, service: Rehearsal) -> None:
    run = service.provision("--plan")
    run.ends(0, "18 to add", f"to create: {HOST}", "Nothing was changed")
    assert there(aws) == set()
    assert aws.client("cloudformation").describe_stacks()["Stacks"] == []
    service.provision().ends(0)
    before = everything(aws)
    choose(service, LOG_RETENTION_DAYS="7", TRACING="xray")
    run = service.provision("--plan")
    run.ends(0, "change            LogGroup", "add               SendTraces")
    assert everything(aws) == before


# --- what the settings turn on ---


def test_every_setting_is_turned_on_and_off_again_in_place(
    aws: SimulatedAws, service: Rehearsal
) -> None:
    service.provision().ends(0)
    before, ids = everything(aws), stack(aws, service).ids
    asks_for = {"DomainName": "api.example.com"}
    certificate = aws.client("acm").request_certificate(**asks_for)["CertificateArn"]
    topic = aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    on = {
        "ALARM_TOPIC_ARN": topic,
        "BEDROCK_MODELS": "us.meta.llama4-v1:0",
        "CERTIFICATE_ARN": certificate,
        "DOMAIN_NAME": "api.example.com",
        "S3_READ_BUCKETS": "one, two",
        "SECRETS_KMS_KEY_ARN": "arn:aws:kms:us-east-1:123456789012:key/0a",
        "TRACING": "xray",
    }
    choose(service, **on)
    service.provision().ends(0, "https://api.example.com", "made       HttpsListener")
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
    assert policies[service.settings["TASK_ROLE"]] == {
        *("invoke-models", "read-buckets", "send-traces")
    }
    assert "decrypt-secrets" in policies[service.settings["EXECUTION_ROLE"]]

    choose(service, **dict.fromkeys(on, ""))
    service.provision().ends(0, "removed    HttpsListener")
    assert everything(aws) == before
    assert stack(aws, service).ids == ids


# --- it goes wrong ---


def test_a_creation_that_fails_names_what_failed_and_the_next_run_makes_it_anew(
    aws: SimulatedAws, service: Rehearsal
) -> None:
    reason = "You have reached the limit of load balancers"
    aws.cloudformation.fails("LoadBalancer", "create", reason)
    run = service.provision()
    run.ends(1, f"failed     LoadBalancer (AWS::ElasticLoadBalancingV2::LoadBalancer): {reason}")
    assert f"LoadBalancer: {reason}" in error(run)
    assert there(aws) == {"repositories", "logs"}
    again = service.provision()
    again.ends(0, "deleted and recreated", "2 to take over", "taken over LogGroup")


@pytest.mark.parametrize("fails", [False, True])
def test_a_repository_and_a_log_group_that_are_there_keep_what_is_in_them(
    aws: SimulatedAws, service: Rehearsal, fails: bool
) -> None:
    """Also where the first creation fails after it has taken them over."""
    name, group = service.settings["ECR_REPOSITORY"], service.settings["LOG_GROUP"]
    ecr, logs = aws.client("ecr"), aws.client("logs")
    ecr.create_repository(repositoryName=name)
    config = {"digest": "sha256:" + "0" * 64, "size": 1, "mediaType": "application/json"}
    manifest = {"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": []}
    ecr.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag="of-old")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="of-old")
    if fails:
        aws.cloudformation.fails("LoadBalancer", "create", "not today")
        service.provision().ends(1, "2 to take over", "not today")
    service.provision().ends(0, "2 to take over", "taken over Repository")
    assert [image["imageTag"] for image in ecr.list_images(repositoryName=name)["imageIds"]] == [
        "of-old"
    ]
    assert len(logs.describe_log_streams(logGroupName=group)["logStreams"]) == 1
    found = everything(aws)
    assert found["repositories"][0]["imageTagMutability"] == "IMMUTABLE"
    assert found["logs"][0]["retentionInDays"] == 30


def test_a_name_that_is_taken_is_told_before_anything_is_made(
    aws: SimulatedAws, service: Rehearsal
) -> None:
    trust = {"Version": "2012-10-17", "Statement": []}
    name = service.settings["TASK_ROLE"]
    aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    run = service.provision()
    run.ends(2)
    assert f"TaskRole: Resource of type 'AWS::IAM::Role' with identifier '{name}'" in error(run)
    assert "another name in infra/settings.env" in error(run)
    assert there(aws) == {"roles"}
    assert aws.client("cloudformation").describe_stacks()["Stacks"] == []


def test_an_update_that_fails_leaves_what_serves_as_it_was(
    aws: SimulatedAws, service: Rehearsal
) -> None:
    service.provision().ends(0)
    before = everything(aws)
    choose(service, LOG_RETENTION_DAYS="7", TRACING="xray")
    aws.cloudformation.fails("SendTraces", "create", "not today")
    run = service.provision()
    run.ends(1, "it goes back", "SendTraces: not today", "UPDATE_ROLLBACK_COMPLETE")
    assert everything(aws) == before
    service.provision().ends(0, "made       SendTraces")


def test_wherever_an_update_fails_all_is_as_it_was(aws: SimulatedAws, service: Rehearsal) -> None:
    service.provision().ends(0)
    before = everything(aws)
    (sent,) = aws.calls.of("cloudformation:CreateChangeSet")
    topic = aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    on = {
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
    touched = [
        each["ResourceChange"]["LogicalResourceId"]
        for each in operator.plan(**parameters | on)["Changes"]
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


def test_a_roll_back_that_is_stuck_is_mended_by_the_command_that_is_told(
    aws: SimulatedAws, service: Rehearsal
) -> None:
    service.provision().ends(0)
    before = everything(aws)
    choose(service, LOG_RETENTION_DAYS="7", TRACING="xray")
    aws.cloudformation.fails("SendTraces", "create", "not today")
    aws.cloudformation.fails("LogGroup", "roll back", "nor back")
    service.provision().ends(1, "SendTraces: not today", "UPDATE_ROLLBACK_FAILED")
    run = service.provision()
    run.ends(2, "is stuck (UPDATE_ROLLBACK_FAILED)")
    command = re.search(r"run (aws cloudformation continue-update-rollback .*?), wait", error(run))
    assert command, error(run)
    service.run(*command[1].split()).ends(0)
    while stack(aws, service).status.endswith("IN_PROGRESS"):
        pass
    assert everything(aws) == before
    service.provision().ends(0, "made       SendTraces")


# --- down, and up again ---


def test_what_is_taken_down_leaves_images_and_log_and_comes_up_again_with_them(
    aws: SimulatedAws, service: Rehearsal
) -> None:
    service.provision().ends(0)
    group = service.settings["LOG_GROUP"]
    aws.client("logs").create_log_stream(logGroupName=group, logStreamName="of-old")
    destroy(service).ends(0, "kept       Repository", "Kept: the images")
    assert there(aws) == {"repositories", "logs"}
    service.provision().ends(0, "2 to take over")
    streams = aws.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["of-old"]
    destroy(service, "--purge").ends(0)
    assert there(aws) == set()
    providers = aws.client("iam").list_open_id_connect_providers()
    assert len(providers["OpenIDConnectProviderList"]) == 1, "it is the account's, not the stack's"


def test_a_role_with_a_policy_of_somebody_else_is_named_and_the_next_destroy_ends_it(
    aws: SimulatedAws, service: Rehearsal
) -> None:
    service.provision().ends(0)
    role = service.settings["TASK_ROLE"]
    iam = aws.client("iam")
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName="by-hand", PolicyDocument=document)
    run = destroy(service)
    run.ends(1, "DELETE_FAILED", "infra/provision.sh --destroy again")
    assert "TaskRole: " in error(run)
    service.provision().ends(2, "infra/provision.sh --destroy finishes that")
    iam.delete_role_policy(RoleName=role, PolicyName="by-hand")
    destroy(service).ends(0, "removed    TaskRole")
    assert there(aws) == {"repositories", "logs"}


# --- the network ---


def test_an_account_without_a_default_vpc_needs_its_settings(
    aws: SimulatedAws, service: Rehearsal
) -> None:
    ec2 = aws.client("ec2")
    (old,) = ec2.describe_vpcs()["Vpcs"]
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=old["VpcId"])
    service.provision().ends(2, "no default VPC", "VPC_ID", "SUBNET_IDS")

    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{z}")
        for n, z in enumerate("aab")
    ]
    ids = [subnet["Subnet"]["SubnetId"] for subnet in subnets]
    choose(service, VPC_ID=vpc, SUBNET_IDS=",".join(ids[:2]))
    service.provision().ends(2, "one subnet of each zone")
    choose(service, SUBNET_IDS=f"{ids[0]},{ids[2]}", TASK_SUBNET_IDS=ids[1])
    choose(service, ASSIGN_PUBLIC_IP="DISABLED")
    service.provision().ends(2, f"{vpc} has no internet gateway")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    service.provision().ends(0, f"without public addresses, in {ids[1]}")
    assert stack(aws, service).outputs["SubnetIds"] == ids[1]

    choose(service, VPC_ID="", SUBNET_IDS="", TASK_SUBNET_IDS="")
    service.provision().ends(0, "as it is", "in the same subnets")
    assert stack(aws, service).outputs["SubnetIds"] == f"{ids[0]},{ids[2]}"
