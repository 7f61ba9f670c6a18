"""A change set is judged by its effect: it must not cut off running tasks."""

import json
from collections.abc import Mapping
from io import StringIO
from typing import Any

import pytest
from infra.tool.console import Console
from infra.tool.provision import change, in_place, judgement, kept_names
from infra.tool.provision.change import NOT_KNOWN, Action, Change
from infra.tool.provision.in_place import LOAD_BALANCER, ROLE, Use
from infra.tool.provision.judgement import Parameters
from infra.tool.provision.running import Running, ids, read, read_used
from infra.tool.target import Target

from simulator.cloudformation.resources.kind import schema
from simulator.cloudformation.resources.kinds import KINDS
from simulator.cloudformation.template_text import load
from tests.support.checkout import Checkout, Run, runtime_of
from tests.support.company_settings import create_key
from tests.support.rendering import ROOT
from tests.support.stack_by_calls import template_body, wait_for
from tests.support.stack_edits import create_only, with_property, with_resource, without_resource

TEMPLATE = (ROOT / "template" / "infra" / "stack.yml").read_text(encoding="utf-8")
DISCARDED = ["cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet"]
Json = dict[str, Any]

HERE = "us-east-1:123456789012"
ELB = f"arn:aws:elasticloadbalancing:{HERE}"
BALANCER, TARGETS = f"{ELB}:loadbalancer/app/ours/1", f"{ELB}:targetgroup/ours/2"
LISTENER, ANOTHER_LISTENER = f"{ELB}:listener/app/ours/1/3", f"{ELB}:listener/app/theirs/8/9"
USED = frozenset({BALANCER, TARGETS, "sg-tasks", "sg-balancer", "our-role", "our-cluster"})

# --- which change is refused ---


def removal(type: str, id: str = "any", resource: str = "Any", **before: object) -> Change:
    return Change(Action.REMOVE.value, resource, type, id, before=before)


def forward(to: str) -> list[Json]:
    return [{"Type": "forward", "TargetGroupArn": to}]


TO_PRIVATE = [{"IpProtocol": "-1", "CidrIp": "10.0.0.0/8"}]
FOR_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
NO_ANSWER = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]
WEIGHTED = [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": TARGETS}]}}]
REDIRECT = [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS"}}]


@pytest.mark.parametrize(
    "found",
    [
        removal("AWS::EC2::SecurityGroup", "sg-tasks"),
        Change(Action.REPLACE.value, "Any", "AWS::EC2::SecurityGroup", "sg-tasks"),
        Change(Action.MAY_REPLACE.value, "Any", "AWS::EC2::SecurityGroup", "sg-tasks"),
        removal("AWS::Any::Type", "our-cluster"),
        removal("AWS::EC2::SecurityGroupIngress", GroupId="sg-balancer"),
        removal("AWS::EC2::SecurityGroupEgress", GroupId="sg-tasks"),
        removal("AWS::EC2::SecurityGroupEgress"),  # CloudFormation does not tell its properties
        removal("AWS::IAM::RolePolicy", RoleName="our-role"),
        removal("AWS::IAM::Policy", Roles=["another", "our-role"]),
        removal(in_place.LISTENER, LoadBalancerArn=BALANCER, DefaultActions=forward(TARGETS)),
        removal(in_place.LISTENER, LoadBalancerArn=BALANCER, DefaultActions=WEIGHTED),
        removal(in_place.LISTENER, LoadBalancerArn=BALANCER, DefaultActions=REDIRECT),
        removal(in_place.LISTENER_RULE, ListenerArn=LISTENER, Actions=forward(TARGETS)),
        # HTTPS that is removed by an edit of infra/stack.yml, and not by the setting
        removal(in_place.LISTENER, resource="HttpsListener"),
    ],
)
def test_what_running_tasks_use_must_not_go(found: Change) -> None:
    assert judgement.cuts_off(found, USED, Parameters({}, {}))


@pytest.mark.parametrize(
    "found",
    [
        removal("AWS::EC2::SecurityGroup", "sg-another"),
        removal("AWS::CloudWatch::Alarm", "ai-assistant-app-errors"),
        removal("AWS::EC2::SecurityGroupIngress", GroupId="sg-another"),
        removal("AWS::IAM::RolePolicy", RoleName="deploy-role"),
        removal(in_place.LISTENER, LoadBalancerArn=BALANCER, DefaultActions=forward("theirs")),
        removal(in_place.LISTENER, LoadBalancerArn="theirs", DefaultActions=REDIRECT),
        removal(in_place.LISTENER_RULE, ListenerArn=ANOTHER_LISTENER, Actions=forward(TARGETS)),
        removal(in_place.LISTENER_RULE, ListenerArn=LISTENER, Actions=[{"Type": "fixed-response"}]),
        Change(Action.CHANGE.value, "Any", "AWS::EC2::SecurityGroup", "sg-tasks"),
        Change(Action.ADD.value, "Any", "AWS::EC2::SecurityGroup"),
    ],
)
def test_everything_else_may_go(found: Change) -> None:
    assert not judgement.cuts_off(found, USED, Parameters({}, {}))


def test_what_a_setting_turns_off_may_go_and_only_by_that_setting() -> None:
    off = Parameters({"Tracing": "xray"}, {"Tracing": ""})
    on = Parameters({"Tracing": "xray"}, {"Tracing": "xray"})
    policy = removal("AWS::IAM::RolePolicy", resource="SendTraces", RoleName="our-role")
    another = removal("AWS::IAM::RolePolicy", resource="StartTasks", RoleName="our-role")
    replaced = Change(Action.REPLACE.value, "SendTraces", policy.type, before=policy.before)
    assert not judgement.cuts_off(policy, USED, off)
    assert judgement.cuts_off(policy, USED, on)
    assert judgement.cuts_off(another, USED, off)
    assert judgement.cuts_off(replaced, USED, off)


# Resources behind a condition that tasks do not use, and those that stay while tasks use them.
UNUSED = {
    *("AllowedIpv4", "AllowedIpv6", "WebAclAssociation", "Certificate", "DomainRecord"),
    *("Dashboard", "FailedDeployments"),
}
KEPT = {"LimitedTaskIngress", "LimitedTaskSecurityGroup"}


def test_the_resources_that_settings_turn_off_are_those_of_the_stack() -> None:
    template = load(TEMPLATE)

    def parameters(condition: str) -> str:
        text = str(template["Conditions"][condition])
        nested = [parameters(name) for name in template["Conditions"] if f"'{name}'" in text]
        named = [name for name in template["Parameters"] if f"'{name}'" in text]
        return " ".join(sorted({*named, *" ".join(nested).split()}))

    conditional = {
        name: parameters(body["Condition"])
        for name, body in template["Resources"].items()
        if "Condition" in body and name not in UNUSED | KEPT
    }
    assert conditional == judgement.TURNED_OFF_BY


# --- which change CloudFormation cannot execute ---


def replaced(name: str, after: str, action: Action = Action.REPLACE) -> Change:
    type = "AWS::ElasticLoadBalancingV2::TargetGroup"
    causes = ("Port",)
    return Change(
        action.value, "Any", type, "any", causes, before={"Name": name}, after={"Name": after}
    )


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (replaced("ours-tg", "ours-tg"), "ours-tg"),
        (replaced("ours-tg", "ours-tg", Action.MAY_REPLACE), "ours-tg"),
        (replaced("ours-tg", "ours-tg-2"), ""),
        (replaced("ours-tg", NOT_KNOWN), ""),
        (replaced("", ""), ""),
        (replaced("ours-tg", "ours-tg", Action.CHANGE), ""),
        (Change(Action.REPLACE.value, "Any", "AWS::EC2::PrefixList"), ""),
    ],
)
def test_a_name_that_stays_keeps_a_resource_from_being_replaced(found: Change, name: str) -> None:
    assert kept_names.kept_name(found) == name


# Names that only have to be unique in what the resource belongs to, or that name another one.
NOT_UNIQUE = {"AWS::EC2::SecurityGroupIngress", "AWS::Events::Rule", "AWS::Route53::RecordSet"}


def test_every_type_with_a_name_and_other_properties_that_replace_it_is_known() -> None:
    found = {}
    for type in KINDS.keys() - NOT_UNIQUE:
        rule = schema(type)
        identity = {path.split("/")[2] for path in rule["primaryIdentifier"]}
        fixed = {path.split("/")[2] for path in rule.get("createOnlyProperties", [])}
        names = fixed & {*identity, "GroupName", "Name"}
        if names and fixed - names:
            [found[type]] = names
    assert found == kept_names.NAMES


# --- which change in place is refused ---


GROUP, TASK_GROUP, BALANCER_GROUP = in_place.SECURITY_GROUP, "sg-tasks", "sg-balancer"
OTHER = {"Egress": "DestinationSecurityGroupId", "Ingress": "SourceSecurityGroupId"}


def in_groups(direction: str, *groups: str, port: object = 8080) -> Json:
    ports = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    return {f"SecurityGroup{direction}": [{OTHER[direction]: each, **ports} for each in groups]}


def in_ranges(direction: str, *ranges: str, protocol: str = "-1", **ports: object) -> Json:
    rules = [{"CidrIp": each, "IpProtocol": protocol, **ports} for each in ranges]
    return {f"SecurityGroup{direction}": rules}


def in_list(direction: str, id: str) -> Json:
    member = {"Egress": "DestinationPrefixListId", "Ingress": "SourcePrefixListId"}[direction]
    return {f"SecurityGroup{direction}": [{member: id, "IpProtocol": "-1"}]}


def web(*ports: int) -> Json:
    rules = [
        {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": port, "ToPort": port}
        for port in ports
    ]
    return {"SecurityGroupIngress": rules}


def trust(principal: str, effect: str = "Allow") -> Json:
    statement = {"Effect": effect, "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
    return {"AssumeRolePolicyDocument": {"Statement": [statement]}}


ANYWHERE = in_ranges("Egress", "0.0.0.0/0")
USE = Use(USED, frozenset({TASK_GROUP}))


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (ANYWHERE, in_ranges("Egress", "10.0.0.0/8"), "to 0.0.0.0/0"),
        (ANYWHERE, in_ranges("Egress"), "to 0.0.0.0/0"),
        ({}, in_ranges("Egress", "10.0.0.0/8"), "to 0.0.0.0/0"),
        (ANYWHERE, in_ranges("Egress", "0.0.0.0/0", protocol="tcp", FromPort=443), "to 0.0.0.0/0"),
        (ANYWHERE, in_ranges("Egress", "0.0.0.0/1", "128.0.0.0/1"), ""),
        (in_ranges("Egress", "10.1.0.0/16"), in_ranges("Egress", "10.0.0.0/8"), ""),
        (in_list("Egress", "pl-1"), in_list("Egress", "pl-2"), "to pl-1"),
        (in_groups("Egress", "sg-database"), in_groups("Egress"), "to sg-database (tcp 8080)"),
        (in_groups("Egress", "sg-database"), ANYWHERE, ""),
        (in_ranges("Ingress", "10.0.0.0/8"), {}, "from 10.0.0.0/8"),
        (in_groups("Ingress", BALANCER_GROUP), in_groups("Ingress", "x"), "from sg-balancer"),
    ],
)
def test_a_group_that_tasks_are_in_loses_nothing(before: Json, after: Json, lost: str) -> None:
    before, after = ({**in_ranges("Egress"), **each} if each else each for each in (before, after))
    found = in_place.loss(
        Change("change", "Any", GROUP, TASK_GROUP, before=before, after=after), USE
    )
    assert lost in found
    assert bool(lost) == bool(found)


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (in_groups("Egress", TASK_GROUP), in_groups("Egress"), "to sg-tasks"),
        (in_groups("Egress", TASK_GROUP), in_groups("Egress", TASK_GROUP, port=1), "to sg-tasks"),
        (in_groups("Egress", TASK_GROUP), in_groups("Egress", TASK_GROUP, port="8080"), ""),
        (in_groups("Egress", TASK_GROUP), in_groups("Egress", NOT_KNOWN), "to sg-tasks"),
        (in_groups("Egress", TASK_GROUP, "x"), in_groups("Egress", TASK_GROUP), ""),
        (ANYWHERE, in_groups("Egress", TASK_GROUP), ""),
        (ANYWHERE, in_groups("Egress", "x"), "to 0.0.0.0/0"),
        (web(80, 443), web(80), "from clients (tcp 443)"),
        (web(80), in_list("Ingress", "pl-1"), ""),
        (web(80), {"SecurityGroupIngress": []}, "from clients (tcp 80)"),
    ],
)
def test_a_group_of_the_load_balancer_keeps_its_ways(before: Json, after: Json, lost: str) -> None:
    before, after = ({**in_ranges("Egress"), **each} for each in (before, after))
    found = in_place.loss(
        Change("change", "Any", GROUP, BALANCER_GROUP, before=before, after=after), USE
    )
    assert lost in found
    assert bool(lost) == bool(found)


def listener(actions: Any, port: int = 80) -> Json:
    return {"DefaultActions": actions, "Port": port, "Protocol": "HTTP"}


@pytest.mark.parametrize(
    ("type", "before", "after", "lost"),
    [
        (in_place.LISTENER, listener(forward(TARGETS)), listener(NO_ANSWER), "no longer lead"),
        (in_place.LISTENER, listener(WEIGHTED), listener(forward("theirs")), "no longer lead"),
        (in_place.LISTENER, listener(forward(TARGETS)), listener(WEIGHTED), ""),
        (in_place.LISTENER, listener(forward(TARGETS)), listener(REDIRECT), ""),
        (in_place.LISTENER, listener(REDIRECT), listener(forward(TARGETS)), ""),
        (in_place.LISTENER, listener(WEIGHTED), listener(forward(NOT_KNOWN)), "no longer lead"),
        (in_place.LISTENER, listener(forward("theirs")), listener(NO_ANSWER, 81), ""),
        (in_place.LISTENER, listener(WEIGHTED), listener(WEIGHTED, 81), "answer HTTP at port 80"),
        (in_place.LISTENER_RULE, {"Actions": WEIGHTED}, {"Actions": NO_ANSWER}, "no longer lead"),
        (LOAD_BALANCER, {"SecurityGroups": ["sg-a"]}, {"SecurityGroups": ["x"]}, "leave sg-a"),
        (LOAD_BALANCER, {"SecurityGroups": ["sg-a"]}, {"SecurityGroups": ["x", "sg-a"]}, ""),
        (ROLE, trust(in_place.TASKS), trust("ec2.amazonaws.com"), "no longer trust"),
        (ROLE, trust(in_place.TASKS), trust(in_place.TASKS, "Deny"), "no longer trust"),
        (ROLE, trust(in_place.TASKS), trust("*"), ""),
        (ROLE, trust("ec2.amazonaws.com"), trust("lambda.amazonaws.com"), ""),
        ("AWS::CloudWatch::Alarm", {"Threshold": 5}, {"Threshold": 6}, ""),
    ],
)
def test_a_change_in_place_that_keeps_requests_from_tasks_is_refused(
    type: str, before: Any, after: Any, lost: str
) -> None:
    found = in_place.loss(Change("change", "Any", type, before=before, after=after), USE)
    assert lost in found
    assert bool(lost) == bool(found)


@pytest.mark.parametrize("changed", [{TARGETS, TASK_GROUP}, set()])
def test_a_value_that_is_not_known_may_be_what_the_same_change_set_changes(
    changed: set[str],
) -> None:
    """It is the id of a resource that changes in place, or of a new one."""
    use = Use(USED, frozenset({"sg-another"}), changed)
    for type, id, before, after in (
        (in_place.LISTENER, "any", listener(WEIGHTED), listener(forward(NOT_KNOWN))),
        (
            *(GROUP, BALANCER_GROUP),
            *(in_groups("Egress", TASK_GROUP), in_groups("Egress", NOT_KNOWN)),
        ),
    ):
        found = in_place.loss(Change("change", "Any", type, id, before=before, after=after), use)
        assert bool(found) == (not changed), f"{type} with {changed}: {found}"


def test_a_port_of_clients_goes_with_the_setting_that_ends_https() -> None:
    before, after = ({**in_ranges("Egress"), **web(*ports)} for ports in ((80, 443), (80,)))
    found = Change("change", "Any", GROUP, BALANCER_GROUP, before=before, after=after)
    assert not in_place.loss(found, Use(USED, ends_https=True))
    assert in_place.loss(found, Use(USED))


ZONES = {"subnet-a": "1a", "subnet-b": "1b", "subnet-c": "1c", "subnet-of-a": "1a"}


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        (["subnet-a", "subnet-b"], ["subnet-a (1a)"]),
        (["subnet-of-a"], ["subnet-of-a (1a)"]),
        (["subnet-b"], []),
        (["subnet-of-another-stack"], []),
        ([], []),
    ],
)
def test_a_zone_in_which_tasks_run_cannot_leave(used: list[str], expected: list[str]) -> None:
    before, after = ["subnet-a", "subnet-b"], ["subnet-b", "subnet-c", NOT_KNOWN]
    assert in_place.zones_left(before, after, used, ZONES) == expected


# --- what is in use ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sg-1", "sg-1"),
        ("arn:aws:ecs:us-east-1:123456789012:cluster/ours", "ours"),
        ("arn:aws:iam::123456789012:role/team/ours", "ours"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app@sha256:0a", "team/app"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1", "app"),
        (
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-a1b2c3:password::",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-a1b2c3",
        ),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/app/password", "/app/password"),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/password", "password"),
        ("arn:aws:s3:::settings/app.env", "settings"),
        (TARGETS, TARGETS),
    ],
)
def test_the_ids_that_a_text_names(text: str, expected: str) -> None:
    assert expected in ids(text)


def running(**counts: int) -> Running:
    network = {"awsvpcConfiguration": {"securityGroups": ["sg-1"], "subnets": ["subnet-1"]}}
    deployment = counts | {"networkConfiguration": network}
    revision = {"registeredBy": "arn:aws:iam::123456789012:role/deployer", "volumes": ["fs-1"]}
    return Running({"app:1": revision}, {"deployments": [deployment]})


@pytest.mark.parametrize("number", ["desiredCount", "runningCount", "pendingCount"])
def test_a_deployment_with_tasks_uses_its_network_and_what_its_revision_names(number: str) -> None:
    found = running(**{number: 1})
    assert found.has_tasks
    assert found.named >= {"sg-1", "subnet-1", "fs-1"}
    assert "deployer" not in found.named
    assert found.subnets == {"subnet-1"}


def test_a_service_without_tasks_uses_nothing() -> None:
    for found in Running(), running(desiredCount=0, runningCount=0):
        assert (found.has_tasks, found.named, found.subnets) == (False, frozenset(), frozenset())


# --- details without effect ---


def modified(
    name: str, replacement: str = "False", *details: Json, type: str = "AWS::Any::Type"
) -> Json:
    found = {"Action": "Modify", "LogicalResourceId": name, "ResourceType": type}
    return {"ResourceChange": found | {"Replacement": replacement, "Details": [*details]}}


def detail(
    entity: str = "", evaluation: str = "Dynamic", name: str = "GroupId", needs: str = "Always"
) -> Json:
    source = "ResourceAttribute" if "." in entity else "ResourceReference"
    found = {
        "Target": {"Attribute": "Properties", "Name": name, "RequiresRecreation": needs},
        "Evaluation": evaluation,
        "ChangeSource": source if entity else "DirectModification",
    }
    return found | ({"CausingEntity": entity} if entity else {})


EDITED = detail(evaluation="Static", name="Tags", needs="Never")


@pytest.mark.parametrize(
    ("details", "source", "expected"),
    [
        ([detail("Group.GroupId")], modified("Group"), []),
        ([detail("Group")], modified("Group"), []),
        ([detail("Group.GroupId"), detail()], modified("Group"), []),
        ([detail("Group.GroupId"), EDITED], modified("Group"), ["change"]),
        ([detail("Group.Version")], modified("Group"), ["change or replace"]),
        ([detail("Group.GroupId")], modified("Group", "True"), ["change or replace"]),
        ([detail("Group.GroupId")], modified("Group", "Conditional"), ["change or replace"]),
        ([detail("Group.GroupId")], modified("Another"), ["change or replace"]),
        ([detail()], modified("Group"), ["change or replace"]),
        ([detail("Group.GroupId", "Static")], modified("Group"), ["change or replace"]),
        ([detail("Group.GroupId"), detail(name="Port")], modified("Group"), ["change or replace"]),
    ],
)
def test_a_reference_to_what_stays_has_no_effect(
    details: list[Json], source: Any, expected: list[str]
) -> None:
    found: Any = [modified("Rule", "Conditional", *details), source]
    assert [each.action for each in change.changes(found) if each.resource == "Rule"] == expected


def test_a_chain_of_references_to_what_stays_has_no_effect() -> None:
    chain: Any = [
        modified("Third", "Conditional", detail("Second.Arn")),
        modified("Second", "Conditional", detail("First.Arn")),
        modified("First", "False", EDITED),
    ]
    assert [each.resource for each in change.changes(chain)] == ["First"]


# --- a service that runs ---


def edit(checkout: Checkout, template: str) -> None:
    checkout.write("infra/stack.yml", template)


def reworded(template: str) -> str:
    """One word of the description of the security group of the tasks is another."""
    old = "GroupDescription: From the load balancer to the tasks"
    assert template.count(old) == 1
    return template.replace(old, old.replace("From", "Between"))


def state(checkout: Checkout) -> Mapping[str, object]:
    cloudformation = checkout.aws.client("cloudformation")
    service = checkout.ecs_service
    return {
        "resources": resources(checkout),
        "status": cloudformation.describe_stacks()["Stacks"][0]["StackStatus"],
        "change sets": len(checkout.aws.cloudformation.change_sets),
        "tasks": (service["runningCount"], service["taskDefinition"]),
    }


def resources(checkout: Checkout) -> list[tuple[str, str]]:
    """The logical and the physical id of each resource of the stack."""
    client, stack = checkout.aws.client("cloudformation"), checkout.settings.names.stack
    found = client.list_stack_resources(StackName=stack)["StackResourceSummaries"]
    return [(each["LogicalResourceId"], each["PhysicalResourceId"]) for each in found]


def expect_refused(checkout: Checkout, *words: str, code: str = "tasks-cut-off") -> Run:
    before = state(checkout)
    run = checkout.administer("provision", *words).expect(2, code)
    assert run.changes == DISCARDED
    assert state(checkout) == before
    return run


def test_a_security_group_that_tasks_are_in_is_not_replaced(running: Checkout) -> None:
    edit(running, reworded(TEMPLATE))
    run = expect_refused(running)
    assert "TaskSecurityGroup (AWS::EC2::SecurityGroup) would be replaced for its GroupDesc" in (
        run.err
    )
    assert "add the new resource beside the old one" in run.err
    run = expect_refused(running, "--plan")
    assert "  replace           TaskSecurityGroup (AWS::EC2::SecurityGroup): GroupDesc" in run.out


def test_the_safe_order_that_the_message_gives(running: Checkout) -> None:
    before = with_resource(TEMPLATE, NEW_GROUP)
    before = before.replace(", !GetAtt TaskSecurityGroup.", ", !GetAtt NewTaskGroup.")
    edit(running, with_both_groups(before))
    running.administer("provision").expect(0)
    expect_refused_without_old_group(running, before)
    running.release()
    running.run("deploy").expect(0)
    edit(running, without_old_group(before))
    running.administer("provision").expect(0)
    groups = running.aws.client("ec2").describe_security_groups()["SecurityGroups"]
    assert "From the load balancer to the tasks" not in {each["Description"] for each in groups}


NEW_GROUP = """
NewTaskGroup:
  Type: AWS::EC2::SecurityGroup
  Properties:
    GroupDescription: Between the load balancer and the tasks
    VpcId: !Ref VpcId

NewTaskIngress:
  Type: AWS::EC2::SecurityGroupIngress
  Properties:
    GroupId: !GetAtt NewTaskGroup.GroupId
    IpProtocol: tcp
    FromPort: 8080
    ToPort: 8080
    SourceSecurityGroupId: !GetAtt LoadBalancerSecurityGroup.GroupId
"""
TO_OLD = """        - Description: To the tasks
          IpProtocol: tcp
          FromPort: 8080
          ToPort: 8080
          DestinationSecurityGroupId: !GetAtt TaskSecurityGroup.GroupId
"""
TO_NEW = TO_OLD.replace("TaskSecurityGroup", "NewTaskGroup")


def with_both_groups(template: str) -> str:
    assert TO_OLD in template
    return template.replace(TO_OLD, TO_OLD + TO_NEW)


def without_old_group(template: str) -> str:
    template = template.replace(TO_OLD, TO_NEW)
    return without_resource(without_resource(template, "TaskIngress"), "TaskSecurityGroup")


def expect_refused_without_old_group(checkout: Checkout, template: str) -> None:
    """As long as the tasks are in it."""
    checkout.write("infra/stack.yml", without_old_group(template))
    expect_refused(checkout)
    checkout.write("infra/stack.yml", with_both_groups(template))
    checkout.commit("Add a group")


@pytest.mark.parametrize(
    "resource", ["HttpListener", "TaskIngress", "StartTasks", "TaskRole", "OurRule", "OurEgress"]
)
def test_what_tasks_use_is_not_removed(running: Checkout, resource: str) -> None:
    template = with_resource(TEMPLATE, OWN)
    edit(running, template)
    running.administer("provision").expect(0)
    edit(running, without_references(without_resource(template, resource)))
    run = expect_refused(running)
    assert f"{resource} (AWS::" in run.err
    assert "would be removed" in run.err


def without_references(template: str) -> str:
    """The template without references to a resource that it lacks."""
    for old, new in (
        ("!Ref TaskRole\n", "!Ref ExecutionRole\n"),
        ("ListenerArn: !Ref HttpListener", f"ListenerArn: {LISTENER}"),
    ):
        name = old.split("!Ref ")[1].strip()
        if f"  {name}:\n" not in template:
            template = template.replace(old, new)
    return template


OWN = """
OurRule:
  Type: AWS::ElasticLoadBalancingV2::ListenerRule
  Properties:
    ListenerArn: !Ref HttpListener
    Priority: 1
    Conditions:
      - Field: path-pattern
        Values: [/api/*]
    Actions:
      - Type: forward
        TargetGroupArn: !Ref TargetGroup

OurEgress:
  Type: AWS::EC2::SecurityGroupEgress
  Properties:
    GroupId: !GetAtt TaskSecurityGroup.GroupId
    IpProtocol: tcp
    FromPort: 5432
    ToPort: 5432
    CidrIp: 10.0.0.0/8

Unrelated:
  Type: AWS::EC2::SecurityGroup
  Properties:
    GroupDescription: Of another thing
    VpcId: !Ref VpcId
"""
NOT_USED = {
    *("Unrelated", "DeployRole", "FailedDeployments", "AppErrors", "LoadBalancerErrors"),
    *("UnhealthyTasks", "NoHealthyTask", "SlowAnswers", "Dashboard"),
}
# A name that the template must have in these words is missed before a change set is asked for.
NAMED_IN_WORDS = [("Repository", "RepositoryName"), ("LogGroup", "LogGroupName")]


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_property_that_replaces_what_tasks_use_is_refused(running: Checkout, every: bool) -> None:
    """One of each type is provisioned, too."""
    everything_on(running)
    template = with_resource(TEMPLATE, OWN)
    edit(running, template)
    running.administer("provision").expect(0)
    there = {name for name, _ in resources(running)} - NOT_USED
    edits = [each for each in create_only(template) if each[0] in there]
    assert len(edits) > 40, "the walk must reach the resources of the stack"
    target = target_of(running)
    used = read_used(target, read(target))
    types = set()
    for resource, name, value in edits:
        kind = load(template)["Resources"][resource]["Type"]
        is_first = kind not in types and (resource, name) not in NAMED_IN_WORDS
        if not (every or is_first):
            continue
        edit(running, with_property(template, resource, name, value))
        [found] = [each for each in described(running) if each.resource == resource]
        assert judgement.cuts_off(found, used, Parameters({}, {})), f"{resource}: {name}"
        assert name in found.causes, f"{resource}: {name} must be named"
        if is_first:
            assert f"{resource} ({found.type})" in expect_refused(running).err
            types.add(kind)
    assert len(types) == 11, "one resource of each type must be provisioned"


@pytest.mark.parametrize(("resource", "name"), NAMED_IN_WORDS)
def test_a_name_that_must_be_in_the_template_is_missed_first(
    running: Checkout, resource: str, name: str
) -> None:
    edit(running, with_property(TEMPLATE, resource, name, "another"))
    running.administer("provision").expect(2, "template-names").expect_no_change()


def target_of(checkout: Checkout) -> Target:
    console = Console({}, StringIO(), StringIO())
    return Target(runtime_of(checkout.aws, checkout.folder, "root", {}, console))


def described(checkout: Checkout) -> list[Change]:
    """The changes that infra/stack.yml would make, by a change set that is deleted again."""
    client, stack = checkout.aws.client("cloudformation"), checkout.settings.names.stack
    [had] = client.describe_stacks(StackName=stack)["Stacks"]
    made = client.create_change_set(
        StackName=stack,
        ChangeSetName="one",
        Capabilities=["CAPABILITY_NAMED_IAM"],
        TemplateBody=template_body(checkout),
        Parameters=had["Parameters"],
    )
    asked = {"ChangeSetName": made["Id"], "IncludePropertyValues": True}
    wait_for(lambda: client.describe_change_set(**asked)["Status"])
    found = client.describe_change_set(**asked)["Changes"]
    client.delete_change_set(ChangeSetName=made["Id"])
    return change.changes(found)


def everything_on(checkout: Checkout) -> None:
    """Every resource of the stack that a setting or the task definition turns on."""
    document = checkout.document("infra/task-definition.json")
    document["containerDefinitions"][0]["secrets"] = [
        {"name": "ONE", "valueFrom": f"arn:aws:secretsmanager:{HERE}:secret:one-a1b2c3"},
        {"name": "TWO", "valueFrom": f"arn:aws:ssm:{HERE}:parameter/two"},
    ]
    checkout.write("infra/task-definition.json", json.dumps(document))
    acm = checkout.aws.client("acm")
    certificate = acm.request_certificate(DomainName="api.example.com")["CertificateArn"]
    for name, value in {
        "permissions.bedrock_models": ["us.meta.llama4-v1:0"],
        "https.domain": "api.example.com",
        "https.certificate": certificate,
        "permissions.s3_read_buckets": ["one", "two"],
        "permissions.secrets_key": create_key(checkout.aws),
        "permissions.tracing": "xray",
        "observe.container_insights": "enabled",
        "observe.dashboard": True,
    }.items():
        checkout.set(name, value)


def test_settings_are_turned_on_and_off_while_tasks_run(running: Checkout) -> None:
    before = state(running)
    running.commit("As it is")
    everything_on(running)
    running.administer("provision").expect(0)
    running.git("checkout", ".")
    running.administer("provision").expect(0)
    assert state(running)["resources"] == before["resources"]


@pytest.mark.parametrize(
    "edited",
    [
        TEMPLATE.replace("Threshold: 5\n", "Threshold: 6\n"),
        without_resource(TEMPLATE, "SlowAnswers"),
        TEMPLATE.replace("HealthCheckIntervalSeconds: 10", "HealthCheckIntervalSeconds: 15"),
    ],
    ids=["a threshold", "an alarm", "a health check"],
)
def test_what_tasks_do_not_use_or_what_changes_in_place_is_changed(
    running: Checkout, edited: str
) -> None:
    edit(running, edited)
    run = running.administer("provision").expect(0)
    assert "cloudformation:ExecuteChangeSet" in run.operations


@pytest.mark.parametrize(
    ("resource", "name", "value", "code"),
    [
        ("LoadBalancerSecurityGroup", "SecurityGroupEgress", [], "tasks-cut-off"),
        ("HttpListener", "DefaultActions", NO_ANSWER, "tasks-cut-off"),
        ("LoadBalancer", "Subnets", "two of six", "network-zone-in-use"),
        ("TaskSecurityGroup", "SecurityGroupEgress", TO_PRIVATE, "tasks-cut-off"),
        ("LoadBalancerSecurityGroup", "SecurityGroupIngress", [], "tasks-cut-off"),
        ("HttpListener", "Port", 81, "tasks-cut-off"),
        ("ExecutionRole", "AssumeRolePolicyDocument", FOR_LAMBDA, "tasks-cut-off"),
    ],
)
def test_what_keeps_requests_from_tasks_is_not_changed_in_place(
    running: Checkout, resource: str, name: str, value: object, code: str
) -> None:
    if value == "two of six":
        subnets = running.aws.client("ec2").describe_subnets()["Subnets"]
        value = [each["SubnetId"] for each in subnets][:2]
    edit(running, with_property(TEMPLATE, resource, name, value))
    expect_refused(running, code=code)


def test_listeners_do_not_move_to_a_target_group_without_tasks(running: Checkout) -> None:
    """The new one has an id only once the change set is executed."""
    body = TEMPLATE[TEMPLATE.index("  TargetGroup:\n") : TEMPLATE.index("  HttpListener:\n")]
    lines = body.replace("  TargetGroup:", "  Another:").replace("-tg\n", "-tg-2\n").splitlines()
    moved = TEMPLATE.replace("TargetGroupArn: !Ref TargetGroup", "TargetGroupArn: !Ref Another")
    edit(running, with_resource(moved, "\n".join(line[2:] for line in lines)))
    assert "HttpListener (AWS::ElasticLoadBalancingV2::Listener) would no longer lead" in (
        expect_refused(running).err
    )


def test_a_group_for_limited_tasks_keeps_what_they_may_reach(running: Checkout) -> None:
    running.set("security.egress_cidrs", ["0.0.0.0/1", "128.0.0.0/1"])
    running.administer("provision").expect(0)
    running.release("Limit what tasks reach")
    running.run("deploy").expect(0)
    edit(
        running,
        with_property(TEMPLATE, "LimitedTaskSecurityGroup", "SecurityGroupEgress", TO_PRIVATE),
    )
    assert "LimitedTaskSecurityGroup" in expect_refused(running).err


def test_a_resource_of_ones_own_is_replaced(running: Checkout) -> None:
    template = with_resource(TEMPLATE, OWN)
    edit(running, template)
    running.administer("provision").expect(0)
    edit(running, template.replace("Of another thing", "Of something else"))
    run = running.administer("provision").expect(0)
    assert "1 to replace" in run.out


def test_without_a_running_service_anything_is_replaced(existing: Checkout) -> None:
    edit(existing, reworded(TEMPLATE))
    run = existing.administer("provision").expect(0)
    assert "2 to replace" in run.out


NAMED = [
    ("Repository", "EncryptionConfiguration", {"EncryptionType": "KMS"}),
    ("LoadBalancer", "Scheme", "internal"),
    ("TargetGroup", "Port", 8081),
    ("TaskRole", "Path", "/team/"),
    ("DeployRole", "Path", "/team/"),
]


@pytest.mark.parametrize(("resource", "name", "value"), NAMED)
def test_a_resource_that_keeps_its_name_is_not_replaced(
    existing: Checkout, resource: str, name: str, value: object
) -> None:
    """Without tasks, CloudFormation itself would refuse it, once it has begun."""
    edit(existing, with_property(TEMPLATE, resource, name, value))
    before = resources(existing)
    run = existing.administer("provision").expect(2, "name-kept")
    assert run.changes == DISCARDED
    assert f"{resource} (AWS::" in run.err
    assert f"would be replaced for its {name}" in run.err
    is_fixed = resource not in ("LoadBalancer", "TargetGroup")
    assert ("infra destroy" in run.err) == is_fixed
    existing.administer("provision", "--plan").expect(2, "name-kept")
    assert resources(existing) == before


def test_with_another_name_it_is_replaced(existing: Checkout) -> None:
    """As the message says."""
    edited = with_property(TEMPLATE, "TargetGroup", "Port", 8081)
    edit(existing, edited.replace("Name: !Sub ${AppName}-tg\n", "Name: !Sub ${AppName}-tg-2\n"))
    existing.administer("provision").expect(0)
    groups = existing.aws.client("elbv2").describe_target_groups()["TargetGroups"]
    assert [(each["TargetGroupName"], each["Port"]) for each in groups] == [
        ("ai-assistant-tg-2", 8081)
    ]


def test_the_deploy_role_keeps_its_name_while_tasks_run(running: Checkout) -> None:
    """They do not use it."""
    edit(running, with_property(TEMPLATE, "DeployRole", "Path", "/team/"))
    expect_refused(running, code="name-kept")


def test_a_service_without_tasks_does_not_hold_anything(running: Checkout) -> None:
    names = running.settings.names
    ecs = running.aws.client("ecs")
    scaled = {"cluster": names.cluster, "service": names.service}
    ecs.update_service(**scaled, desiredCount=0)
    while running.ecs_service["runningCount"]:
        ecs.describe_services(cluster=names.cluster, services=[names.service])
    edit(running, reworded(TEMPLATE))
    running.administer("provision").expect(0)
