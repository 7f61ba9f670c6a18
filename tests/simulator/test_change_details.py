"""Why a change set changes a resource, as the simulated CloudFormation says."""

from typing import Any

import pytest

from simulator.cloudformation.change_details import recreation, replacement
from simulator.cloudformation.resources.kind import schema
from simulator.simulation import SimulatedAws
from simulator.stacks import Json, Operator

TEMPLATE = """---
Parameters:
  Who: {Type: String, Default: the world}
  Days: {Type: Number, Default: 7}
Conditions: {}
Resources:
  Log:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: /a/log, RetentionInDays: !Ref Days}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: !Sub "From ${Who}"
      VpcId: VPC
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8}]
  Way:
    Type: AWS::EC2::SecurityGroupIngress
    Properties:
      GroupId: !GetAtt Group.GroupId
      IpProtocol: tcp
      FromPort: 81
      ToPort: 81
      CidrIp: 0.0.0.0/0
Outputs: {}
"""


@pytest.fixture
def operator(aws: SimulatedAws) -> Operator:
    [vpc] = aws.client("ec2").describe_vpcs()["Vpcs"]
    made = Operator(aws, TEMPLATE.replace("VPC", vpc["VpcId"]))
    assert made.create() == "CREATE_COMPLETE"
    return made


def change(change_set: Json, resource: str) -> Json:
    found = [each["ResourceChange"] for each in change_set["Changes"]]
    [wanted] = [each for each in found if each["LogicalResourceId"] == resource]
    return dict(wanted)


def reasons(found: Json) -> list[tuple[str, ...]]:
    return [
        (
            each["Target"]["Name"],
            each["Target"]["RequiresRecreation"],
            each["Evaluation"],
            each["ChangeSource"],
            each.get("CausingEntity", ""),
        )
        for each in found["Details"]
    ]


def test_a_replacement_also_replaces_resources_that_refer_to_it(operator: Operator) -> None:
    found = operator.plan(Who="nobody")
    group, way = change(found, "Group"), change(found, "Way")
    assert reasons(group) == [
        ("GroupDescription", "Always", "Static", "ParameterReference", "Who"),
        ("GroupDescription", "Always", "Dynamic", "DirectModification", ""),
    ]
    assert reasons(way) == [("GroupId", "Always", "Static", "ResourceAttribute", "Group.GroupId")]
    assert (group["Replacement"], way["Replacement"]) == ("True", "True")
    assert group["PolicyAction"] == "ReplaceAndDelete"


def test_attributes_of_a_resource_updated_in_place_may_change(operator: Operator) -> None:
    found = operator.plan(operator.template.replace("10.0.0.0/8", "10.0.0.0/16"))
    group, way = change(found, "Group"), change(found, "Way")
    assert reasons(group) == [("SecurityGroupIngress", "Never", "Static", "DirectModification", "")]
    assert reasons(way) == [("GroupId", "Always", "Dynamic", "ResourceAttribute", "Group.GroupId")]
    assert (group["Replacement"], way["Replacement"]) == ("False", "Conditional")
    before = operator.ids
    operator.execute(found)
    assert operator.ids == before, "an update in place replaces nothing"


def test_values_are_returned_only_on_request(operator: Operator) -> None:
    found = operator.plan(Days="30")
    asked = {"ChangeSetName": found["ChangeSetId"]}
    full = operator.client.describe_change_set(**asked, IncludePropertyValues=True)
    log = change(full, "Log")
    assert log["BeforeContext"] == (
        '{"Properties": {"LogGroupName": "/a/log", "RetentionInDays": 7}}'
    )
    assert [each["Target"]["AfterValue"] for each in log["Details"]] == ["30", "30"]
    assert not {"BeforeContext", "AfterContext"} & change(found, "Log").keys()
    assert "AfterValue" not in change(found, "Log")["Details"][0]["Target"]


@pytest.mark.parametrize(
    ("type", "name", "before", "after", "expected"),
    [
        ("AWS::EC2::SecurityGroup", "VpcId", "a", "b", "Always"),
        ("AWS::EC2::SecurityGroup", "Tags", [], ["b"], "Never"),
        ("AWS::Events::Rule", "EventBusName", "a", "b", "Conditionally"),
        ("AWS::EC2::VPCEndpoint", "DnsOptions", {}, {"PrivateDnsPreference": "ALL"}, "Always"),
        ("AWS::EC2::VPCEndpoint", "DnsOptions", {}, {"DnsRecordIpType": "ipv4"}, "Never"),
    ],
)
def test_the_schema_of_a_type_decides_which_properties_recreate_it(
    type: str, name: str, before: Any, after: Any, expected: str
) -> None:
    assert recreation(schema(type), name, before, after) == expected


@pytest.mark.parametrize(
    ("needs", "evaluation", "expected"),
    [
        ("Always", "Static", "True"),
        ("Always", "Dynamic", "Conditional"),
        ("Conditionally", "Static", "Conditional"),
        ("Never", "Static", "False"),
        ("Never", "Dynamic", "False"),
    ],
)
def test_the_details_of_a_change_decide_on_its_replacement(
    needs: str, evaluation: str, expected: str
) -> None:
    detail = {"Target": {"RequiresRecreation": needs}, "Evaluation": evaluation}
    assert replacement([detail]) == expected
