"""CloudFormation in the simulated AWS: what it makes, changes, keeps, takes back and refuses."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator.cloudformation.resources.kind import NotSimulated
from simulator.simulation import SimulatedAws
from simulator.stacks import STACK, Json, Operator, actions, everything, policies

TRUST = '{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: "*", Action: "sts:*"}]}'
SMALL = f"""---
Parameters:
  Days: {{Type: Number, AllowedValues: [7, 30], ConstraintDescription: must be 7 or 30.}}
  Writes: {{Type: String, Default: ""}}
  Who: {{Type: String, Default: the world}}
  Port: {{Type: Number, Default: 80}}
Rules:
  OnlyForAWeek:
    RuleCondition: !Not [!Equals [!Ref Writes, ""]]
    Assertions:
      - Assert: !Equals [!Ref Days, "7"]
        AssertDescription: Writes needs Days to be 7
Conditions:
  Writes: !Not [!Equals [!Ref Writes, ""]]
Resources:
  Log:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: Retain
    Properties: {{LogGroupName: /a/log, RetentionInDays: !Ref Days}}
  Role:
    Type: AWS::IAM::Role
    Properties: {{RoleName: worker, AssumeRolePolicyDocument: {TRUST}}}
  Write:
    Type: AWS::IAM::RolePolicy
    Condition: Writes
    Properties:
      RoleName: !Ref Role
      PolicyName: write
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{{Effect: Allow, Action: "*", Resource: !GetAtt Log.Arn}}]
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties: {{GroupDescription: !Sub "From ${{Who}}", VpcId: VPC}}
  Way:
    Type: AWS::EC2::SecurityGroupIngress
    Properties:
      GroupId: !GetAtt Group.GroupId
      IpProtocol: tcp
      FromPort: 80
      ToPort: 80
      CidrIp: 0.0.0.0/0
  Targets:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {{Name: targets, TargetType: ip, Protocol: HTTP, Port: !Ref Port, VpcId: VPC}}
Outputs:
  Log: {{Value: !GetAtt Log.Arn}}
  Group: {{Value: !GetAtt Group.GroupId}}
"""
NAMES = ["Group", "Log", "Role", "Targets", "Way"]
MONTH, WEEK = {"Days": "30"}, {"Days": "7"}


@pytest.fixture
def operator(aws: SimulatedAws) -> Operator:
    [vpc] = aws.client("ec2").describe_vpcs()["Vpcs"]
    return Operator(aws, SMALL.replace("VPC}", f"{vpc['VpcId']}}}"))


# --- made ---


def test_a_stack_creates_resources_that_refer_to_each_other(
    aws: SimulatedAws, operator: Operator
) -> None:
    assert operator.create(**WEEK, Writes="yes") == "CREATE_COMPLETE"
    [log] = aws.client("logs").describe_log_groups()["logGroups"]
    assert (log["logGroupName"], log["retentionInDays"]) == ("/a/log", 7)
    [allowed] = policies(aws, "worker")["write"]["Statement"]
    assert operator.outputs == {"Log": log["arn"], "Group": operator.ids["Group"]}
    assert allowed["Resource"] == log["arn"]
    [group] = everything(aws)["groups"]
    assert group["GroupId"] == operator.ids["Group"]
    assert [rule["FromPort"] for rule in group["IpPermissions"]] == [80]


@pytest.mark.slow
def test_a_resource_waits_for_those_that_it_refers_to(operator: Operator) -> None:
    operator.create(**WEEK, Writes="yes")
    begun = operator.events.index
    for first, then in ("Role", "Write"), ("Log", "Write"), ("Group", "Way"):
        assert begun((first, "CREATE_COMPLETE")) < begun((then, "CREATE_IN_PROGRESS"))


def test_an_operation_moves_forward_only_when_its_state_is_read(
    aws: SimulatedAws, operator: Operator
) -> None:
    change_set = operator.plan(kind="CREATE", **MONTH)
    assert everything(aws)["roles"] == [], "a change set makes nothing"
    operator.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert everything(aws)["roles"] == []
    looks = [len(operator.events) for _ in range(4)]
    assert looks[0] < looks[1] == looks[-1], "two waves: what needs nothing, and the way"


def test_a_change_set_is_not_ready_at_once(operator: Operator) -> None:
    made = operator.client.create_change_set(**operator.request(**MONTH), ChangeSetType="CREATE")
    assert operator.client.describe_stacks()["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    looks = [operator.client.describe_change_set(ChangeSetName=made["Id"]) for _ in range(3)]
    assert [look["Status"] for look in looks] == ["CREATE_IN_PROGRESS", *["CREATE_COMPLETE"] * 2]
    assert actions(looks[-1]) == dict.fromkeys(NAMES, "Add")


@pytest.mark.slow
def test_events_come_newest_first_and_in_pages(operator: Operator) -> None:
    operator.create(**MONTH)
    for days in [WEEK, MONTH] * 15:
        operator.update(**days)
    pages = list(operator.client.get_paginator("describe_stack_events").paginate(StackName=STACK))
    assert len(pages[0]["StackEvents"]) == 100
    times = [event["Timestamp"] for page in pages for event in page["StackEvents"]]
    assert times == sorted(times, reverse=True)
    assert len(times) == 1 + 10 + 2 + 30 * 5, "planned, made, and each update: two and three events"


# --- changed ---


def test_nothing_to_change_is_a_change_set_that_failed(operator: Operator) -> None:
    operator.create(**MONTH)
    change_set = operator.plan(**MONTH)
    assert change_set["Status"] == "FAILED"
    assert "didn't contain changes" in change_set["StatusReason"]


def test_an_update_changes_only_what_differs(aws: SimulatedAws, operator: Operator) -> None:
    operator.create(**MONTH)
    before, ids = everything(aws), operator.ids
    change_set = operator.plan(**WEEK, Writes="yes")
    assert actions(change_set) == {"Log": "Modify", "Write": "Add"}
    assert operator.execute(change_set) == "UPDATE_COMPLETE"
    assert operator.ids == ids | {"Write": "write|worker"}
    after = everything(aws)
    assert after["logs"][0]["retentionInDays"] == 7
    assert {kind for kind in after if after[kind] != before[kind]} == {"logs", "roles"}
    back = operator.plan(**MONTH)
    assert actions(back) == {"Log": "Modify", "Write": "Remove"}
    assert operator.execute(back) == "UPDATE_COMPLETE"
    assert everything(aws) == before


@pytest.mark.slow
def test_a_resource_that_cannot_change_is_replaced_with_those_that_refer_to_it(
    aws: SimulatedAws, operator: Operator
) -> None:
    operator.create(**MONTH)
    before = operator.ids
    change_set = operator.plan(**MONTH, Who="nobody")
    assert actions(change_set) == {"Group": "Modify True", "Way": "Modify True"}
    assert operator.execute(change_set) == "UPDATE_COMPLETE"
    assert {name for name in before if before[name] != operator.ids[name]} == {"Group", "Way"}
    [group] = everything(aws)["groups"]
    assert group["GroupId"] == operator.ids["Group"] == operator.outputs["Group"]
    assert len(group["IpPermissions"]) == 1


@pytest.mark.slow
def test_a_resource_with_a_fixed_name_cannot_be_replaced(
    aws: SimulatedAws, operator: Operator
) -> None:
    operator.create(**MONTH)
    before = everything(aws)
    assert operator.update(**MONTH, Port="81") == "UPDATE_ROLLBACK_COMPLETE"
    assert "Rename targets and update" in operator.reason("Targets", "UPDATE_FAILED")
    assert everything(aws) == before


# --- it goes wrong ---


def test_a_failed_creation_is_rolled_back_except_retained_resources(
    aws: SimulatedAws, operator: Operator
) -> None:
    aws.cloudformation.fails("Way", "create", "there is no way")
    assert operator.create(**MONTH) == "ROLLBACK_COMPLETE"
    assert operator.reason("Way", "CREATE_FAILED") == "there is no way"
    assert "failed to create: [Way]" in operator.reason(STACK, "ROLLBACK_IN_PROGRESS")
    assert ("Log", "DELETE_SKIPPED") in operator.events
    left = everything(aws)
    assert {kind for kind in left if left[kind]} == {"logs"}
    assert operator.delete() == "DELETE_COMPLETE"
    again = operator.plan(kind="CREATE", **MONTH)
    assert actions(again) == dict.fromkeys(NAMES, "Add") | {"Log": "Import"}
    assert operator.execute(again) == "CREATE_COMPLETE"


@pytest.mark.slow
def test_a_resource_that_its_service_refuses_fails_too(
    aws: SimulatedAws, operator: Operator
) -> None:
    """CloudFormation does not look up a target group by its name, so the plan shows no conflict."""
    aws.client("elbv2").create_target_group(Name="targets", Protocol="TCP", Port=1, VpcId=vpc(aws))
    assert operator.create(**MONTH) == "ROLLBACK_COMPLETE"
    assert "DuplicateTargetGroupName" in operator.reason("Targets", "CREATE_FAILED")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choice", "ends"), [("DO_NOTHING", "CREATE_FAILED"), ("DELETE", "DELETE_COMPLETE")]
)
def test_on_failure_decides_how_a_failed_creation_ends(
    aws: SimulatedAws, operator: Operator, choice: str, ends: str
) -> None:
    aws.cloudformation.fails("Way", "create", "there is no way")
    request = operator.request(**MONTH) | {"OnStackFailure": choice, "ChangeSetType": "CREATE"}
    assert operator.execute(operator.ask_for(request)) == ends
    assert bool(everything(aws)["roles"]) == (choice == "DO_NOTHING")


@pytest.mark.slow
@pytest.mark.parametrize("resource", ["Log", "Write", "Group", "Way"])
def test_a_failed_update_changes_nothing(
    aws: SimulatedAws, operator: Operator, resource: str
) -> None:
    operator.create(**MONTH)
    before, ids, outputs = everything(aws), operator.ids, operator.outputs
    aws.cloudformation.fails(resource, "create", "not today")
    aws.cloudformation.fails(resource, "update", "not today")
    assert operator.update(**WEEK, Writes="yes", Who="nobody") == "UPDATE_ROLLBACK_COMPLETE"
    assert f"[{resource}]" in operator.reason(STACK, "UPDATE_ROLLBACK_IN_PROGRESS")
    assert (everything(aws), operator.ids, operator.outputs) == (before, ids, outputs)
    assert "didn't contain changes" in operator.plan(**MONTH)["StatusReason"]


@pytest.mark.slow
def test_a_stuck_rollback_continues_on_request(aws: SimulatedAws, operator: Operator) -> None:
    operator.create(**MONTH)
    before = everything(aws)
    aws.cloudformation.fails("Write", "create", "not today")
    aws.cloudformation.fails("Log", "roll back", "nor back")
    assert operator.update(**WEEK, Writes="yes", Who="nobody") == "UPDATE_ROLLBACK_FAILED"
    assert everything(aws) != before
    with pytest.raises(ClientError, match="UPDATE_ROLLBACK_FAILED state and can not be updated"):
        operator.plan(**MONTH)
    operator.client.continue_update_rollback(StackName=STACK)
    [stack] = operator.client.describe_stacks(StackName=STACK)["Stacks"]
    assert operator.follow(stack["StackId"]) == "UPDATE_ROLLBACK_COMPLETE"
    assert everything(aws) == before


# --- deleted ---


def test_a_deletion_keeps_only_retained_resources(aws: SimulatedAws, operator: Operator) -> None:
    operator.create(**WEEK, Writes="yes")
    stack = operator.client.describe_stacks(StackName=STACK)["Stacks"][0]["StackId"]
    assert operator.delete() == "DELETE_COMPLETE"
    left = everything(aws)
    assert {kind for kind in left if left[kind]} == {"logs"}
    [found] = operator.client.describe_stacks(StackName=stack)["Stacks"]
    assert found["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match=f"Stack with id {STACK} does not exist"):
        operator.client.describe_stacks(StackName=STACK)


def test_a_role_with_a_policy_from_outside_the_stack_cannot_be_deleted(
    aws: SimulatedAws, operator: Operator
) -> None:
    operator.create(**MONTH)
    policy = {"RoleName": "worker", "PolicyName": "more"}
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("iam").put_role_policy(**policy, PolicyDocument=document)
    assert operator.delete() == "DELETE_FAILED"
    assert "DeleteConflict" in operator.reason("Role", "DELETE_FAILED")
    assert operator.ids.keys() == {"Role"}
    aws.client("iam").delete_role_policy(**policy)
    assert operator.delete() == "DELETE_COMPLETE"
    assert everything(aws)["roles"] == []


@pytest.mark.slow
def test_a_resource_that_cannot_be_deleted_can_be_retained(
    aws: SimulatedAws, operator: Operator
) -> None:
    operator.create(**MONTH)
    aws.cloudformation.fails("Role", "delete", "not this one")
    with pytest.raises(ClientError, match="only when the stack is in the DELETE_FAILED state"):
        operator.delete(RetainResources=["Role"])
    assert operator.delete() == "DELETE_FAILED"
    assert operator.delete(RetainResources=["Role"]) == "DELETE_COMPLETE"
    assert len(everything(aws)["roles"]) == 1


@pytest.mark.slow
def test_a_resource_that_is_deleted_already_is_skipped(
    aws: SimulatedAws, operator: Operator
) -> None:
    operator.create(**MONTH)
    aws.client("iam").delete_role(RoleName="worker")
    assert operator.delete() == "DELETE_COMPLETE"
    operator.client.delete_stack(StackName="never-heard-of-it")


# --- taken over ---


def has_a_log(aws: SimulatedAws) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/a/log")
    logs.create_log_stream(logGroupName="/a/log", logStreamName="of-old")


def keeps_its_log(aws: SimulatedAws) -> bool:
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    return bool(groups) and bool(
        aws.client("logs").describe_log_streams(logGroupName="/a/log")["logStreams"]
    )


def test_an_existing_resource_is_imported_unchanged(aws: SimulatedAws, operator: Operator) -> None:
    has_a_log(aws)
    change_set = operator.plan(kind="CREATE", **MONTH)
    assert actions(change_set)["Log"] == "Import"
    assert operator.execute(change_set) == "CREATE_COMPLETE"
    assert keeps_its_log(aws)
    [log] = aws.client("logs").describe_log_groups()["logGroups"]
    assert "retentionInDays" not in log, "an import changes nothing"
    assert operator.reason("Log", "IMPORT_COMPLETE") == "Resource import completed."
    assert "didn't contain changes" in operator.plan(**MONTH)["StatusReason"]


@pytest.mark.parametrize(("policy", "kept"), [("Retain", True), ("RetainExceptOnCreate", False)])
def test_the_deletion_policy_decides_whether_a_failed_creation_keeps_imports(
    aws: SimulatedAws, operator: Operator, policy: str, kept: bool
) -> None:
    """The second is feared, not known: so infra/stack.yml says the first."""
    has_a_log(aws)
    aws.cloudformation.fails("Way", "create", "there is no way")
    template = operator.template.replace("DeletionPolicy: Retain", f"DeletionPolicy: {policy}")
    assert operator.create(template, **MONTH) == "ROLLBACK_COMPLETE"
    assert keeps_its_log(aws) == kept


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("LogGroupName: /a/log", "LogGroupName: !Sub /a/log"),
        lambda text: text.replace("    DeletionPolicy: Retain\n", ""),
    ],
)
def test_only_retained_resources_with_a_literal_name_are_imported(
    aws: SimulatedAws, operator: Operator, change: Callable[[str], str]
) -> None:
    has_a_log(aws)
    change_set = operator.plan(change(operator.template), kind="CREATE", **MONTH)
    assert change_set["Status"] == "FAILED"
    assert "AWS::EarlyValidation::ResourceExistenceCheck" in change_set["StatusReason"]
    [event] = operator.client.describe_events(ChangeSetName=change_set["ChangeSetId"])[
        "OperationEvents"
    ]
    assert event["LogicalResourceId"] == "Log"
    assert event["ValidationStatusReason"].endswith("identifier '/a/log' already exists.")


@pytest.mark.slow
def test_a_resource_of_another_stack_is_not_imported(aws: SimulatedAws, operator: Operator) -> None:
    operator.create(**MONTH)
    other = Operator(aws, operator.template, "another")
    change_set = other.plan(kind="CREATE", **MONTH)
    assert change_set["Status"] == "FAILED"
    events = operator.client.describe_events(ChangeSetName=change_set["ChangeSetId"])
    assert {each["LogicalResourceId"] for each in events["OperationEvents"]} == {"Log", "Role"}


@pytest.mark.slow
def test_nothing_is_imported_without_a_request(aws: SimulatedAws, operator: Operator) -> None:
    has_a_log(aws)
    request = operator.request(**MONTH) | {"ChangeSetType": "CREATE"}
    assert operator.ask_for(request | {"ImportExistingResources": False})["Status"] == "FAILED"


# --- refused ---


def vpc(aws: SimulatedAws) -> str:
    return str(aws.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"])


NEW: Json = {"ChangeSetType": "CREATE"}


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        ({}, "ValidationError", "Stack [a-stack] does not exist"),
        (NEW | {"StackName": "a_stack"}, "ValidationError", "stackName"),
        (NEW | {"Parameters": []}, "ValidationError", "Parameters: [Days] must have values"),
        (
            NEW | {"Parameters": [{"ParameterKey": "Days", "ParameterValue": "8"}]},
            "ValidationError",
            "Parameter Days failed to satisfy constraint: must be 7 or 30.",
        ),
        (
            NEW | {"Parameters": [{"ParameterKey": "Dys", "ParameterValue": "7"}]},
            "ValidationError",
            "Parameters: [Dys] do not exist in the template",
        ),
        (
            NEW
            | {
                "Parameters": [
                    {"ParameterKey": "Days", "ParameterValue": "30"},
                    {"ParameterKey": "Writes", "ParameterValue": "yes"},
                ]
            },
            "ValidationError",
            "Writes needs Days to be 7",
        ),
        (NEW | {"Capabilities": ["CAPABILITY_IAM"]}, "InsufficientCapabilitiesException", "NAMED"),
        (NEW | {"TemplateBody": "#" * 51_201}, "ValidationError", "less than or equal to 51200"),
        (NEW | {"TemplateBody": "a: {"}, "ValidationError", "YAML not well-formed. (line"),
    ],
)
def test_an_invalid_request_is_refused_at_once(
    operator: Operator, more: Json, code: str, says: str
) -> None:
    with pytest.raises(ClientError) as refused:
        operator.client.create_change_set(**operator.request(**MONTH) | more)
    error = refused.value.response["Error"]
    assert error["Code"] == code
    assert says in error["Message"]
    assert operator.client.describe_stacks()["Stacks"] == []


def test_a_subnet_that_does_not_exist_fails_the_change_set(operator: Operator) -> None:
    template = operator.template.replace(
        "  Who: {Type: String, Default: the world}", "  Who: {Type: AWS::EC2::Subnet::Id}"
    )
    change_set = operator.plan(template, kind="CREATE", **MONTH, Who="subnet-0")
    assert change_set["StatusReason"] == (
        "Parameter validation failed: parameter value subnet-0 for parameter name Who does not"
        " exist"
    )


def execute(operator: Operator, change_set: Json) -> Any:
    return operator.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])


def test_a_change_set_is_executed_once_and_only_when_it_is_ready(operator: Operator) -> None:
    made = operator.client.create_change_set(**operator.request(**MONTH), **NEW)
    with pytest.raises(ClientError, match=r"InvalidChangeSetStatus.* status of \[CREATE_PENDING\]"):
        operator.client.execute_change_set(ChangeSetName=made["Id"])
    ready, other = operator.plan(kind="CREATE", **MONTH), operator.plan(kind="CREATE", **MONTH)
    assert operator.execute(ready) == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match=r"execution status of \[EXECUTE_COMPLETE\]"):
        execute(operator, ready)
    with pytest.raises(ClientError, match="ChangeSetNotFound"):
        execute(operator, other)
    with pytest.raises(ClientError, match=r"in its current status of \[FAILED\]"):
        execute(operator, operator.plan(**MONTH))


def test_an_execution_that_is_repeated_with_its_token_counts_once(
    operator: Operator,
) -> None:
    ready = operator.plan(kind="CREATE", **MONTH)
    again = {"ChangeSetName": ready["ChangeSetId"], "ClientRequestToken": "once"}
    operator.client.execute_change_set(**again)
    operator.client.execute_change_set(**again)
    with pytest.raises(ClientError, match="InvalidChangeSetStatus"):
        operator.client.execute_change_set(**again | {"ClientRequestToken": "twice"})
    assert operator.follow(ready["StackId"]) == "CREATE_COMPLETE"


@pytest.mark.slow
def test_a_stack_has_one_operation_at_a_time(operator: Operator) -> None:
    operator.create(**MONTH)
    change_set = operator.plan(**WEEK)
    execute(operator, change_set)
    with pytest.raises(ClientError, match="is in UPDATE_IN_PROGRESS state and can not be updated"):
        operator.plan(**MONTH)
    with pytest.raises(ClientError, match="cannot be deleted while in status UPDATE_IN_PROGRESS"):
        operator.client.delete_stack(StackName=STACK)
    assert operator.follow(change_set["StackId"]) == "UPDATE_COMPLETE"


@pytest.mark.slow
def test_a_stack_that_never_came_up_can_only_be_deleted(
    aws: SimulatedAws, operator: Operator
) -> None:
    aws.cloudformation.fails("Way", "create", "there is no way")
    operator.create(**MONTH)
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        operator.plan(**MONTH)
    with pytest.raises(ClientError, match="already exists and cannot be created again"):
        operator.plan(kind="CREATE", **MONTH)


# --- what the simulation does not know, it does not play ---


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("RetentionInDays: !Ref Days", "DataProtectionPolicy: {}"), "DataProtectionPolicy of AWS"),
        (("AWS::IAM::RolePolicy\n    Condition: Writes", "AWS::IAM::Policy"), "AWS::IAM::Policy"),
        (("!GetAtt Log.Arn}", "!GetAtt Log.Name}"), "Name of AWS::Logs::LogGroup"),
    ],
)
def test_an_unknown_part_of_a_template_is_an_error(
    operator: Operator, change: tuple[str, str], names: str
) -> None:
    template = operator.template.replace(*change)
    assert template != operator.template
    with pytest.raises((NotSimulated, ClientError), match=names):
        operator.create(template, **MONTH)


@pytest.mark.slow
def test_the_removal_of_a_property_is_noticed(operator: Operator) -> None:
    operator.create(**MONTH)
    template = operator.template.replace(", RetentionInDays: !Ref Days", "")
    with pytest.raises(NotSimulated, match="the default of RetentionInDays"):
        operator.update(template, **MONTH)
