"""The deploy role and the deploy user can use other subnets, public addresses and ECS Exec only
after an administrator has provisioned them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from infra.tool.provision.limits import Limits, changed, document, kept, parse

from tests.support.checkout import SUBJECT, Checkout, Run
from tests.support.document_checks import policy_findings
from tests.support.stages import Account
from tests.support.vpcs import default_vpc

Json = dict[str, Any]

SERVICE = "infra/service.json"
PRINCIPALS = ["role/ai-assistant-us-east-1-github-actions", "user/deployer"]
A, B, C = (frozenset({f"subnet-{letter * 8}"}) for letter in "abc")
EXECUTES = "cloudformation:ExecuteChangeSet"


def limits(
    subnets: frozenset[str], *, public_ip: bool = False, execute_command: bool = False
) -> Limits:
    return Limits(subnets, public_ip, execute_command)


# --- decisions ---


@pytest.mark.parametrize("public_ip", [True, False])
@pytest.mark.parametrize("execute_command", [True, False])
def test_the_limits_are_read_from_their_policy(public_ip: bool, execute_command: bool) -> None:
    wanted = Limits(A | B, public_ip, execute_command)
    assert parse(document(wanted)) == wanted
    assert len(document(wanted)["Statement"]) == 3 - public_ip - execute_command


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"Statement": []},
        {"Statement": {}},
        document(limits(A)) | {"Id": "by hand"},
        {"Version": "2012-10-17", "Statement": document(limits(A))["Statement"][1:]},
    ],
)
def test_another_policy_has_no_limits(policy: Json) -> None:
    assert parse(policy) is None


def test_iam_accepts_the_policy_and_knows_the_keys_of_both_actions() -> None:
    policy = document(limits(A))
    assert {finding.partition(" ")[0] for finding in policy_findings(policy)} == {
        "UNKNOWN_CONDITION_FOR_ACTION"  # of the other actions of ECS
    }
    for statement in policy["Statement"]:
        statement["Action"] = ["ecs:CreateService", "ecs:UpdateService"]
    assert policy_findings(policy) == []


HAD = {"SubnetIds": "subnet-aaaaaaaa,subnet-bbbbbbbb", "AssignPublicIp": "DISABLED"}


@pytest.mark.parametrize(
    ("had", "live", "subnets"),
    [
        ({}, None, frozenset()),
        (HAD, None, A),
        (HAD | {"TaskSubnetIds": "subnet-bbbbbbbb"}, None, frozenset()),
        (HAD, limits(B), frozenset()),
        (HAD, limits(A | B), A),
    ],
)
def test_the_running_service_keeps_only_what_was_allowed(
    had: Mapping[str, str], live: Limits | None, subnets: frozenset[str]
) -> None:
    uses = limits(A | C, public_ip=True, execute_command=True)
    assert kept(uses, had, live) == limits(subnets)


def test_a_change_is_listed_permission_by_permission() -> None:
    before, after = limits(A, public_ip=True), limits(B, execute_command=True)
    assert list(changed(before, after)) == [
        "to allow: tasks in subnet-bbbbbbbb",
        "to allow: ECS Exec",
        "to deny: tasks in subnet-aaaaaaaa",
        "to deny: public addresses",
    ]


# --- denied to the deploy role and the deploy user ---


@pytest.fixture
def limited(staged_account: Account) -> Checkout:
    """A running service whose deploy role and deploy user were provisioned."""
    return staged_account.bring_to("deployed", then=limit)


def limit(deployed: Checkout) -> None:
    deployed.aws.client("iam").create_user(UserName="deployer")
    deployed.set("github.subject", SUBJECT)
    deployed.set("github.deploy_user", "deployer")
    deployed.set("tasks.public_ip", False)
    default_vpc(deployed.aws).with_endpoints()  # so tasks start without a public address
    provision(deployed)
    deploy(deployed).expect(0)  # without a public address
    provision(deployed)


def provision(checkout: Checkout) -> None:
    checkout.administer("provision").expect(0)


def deploy(checkout: Checkout, principal: str = "") -> Run:
    checkout.release()
    return checkout.run("deploy", principal=principal)


def network(checkout: Checkout) -> Json:
    found: Json = checkout.ecs_service["networkConfiguration"]["awsvpcConfiguration"]
    return {key: found[key] for key in ("subnets", "securityGroups", "assignPublicIp")}


def foreign_subnet(checkout: Checkout) -> str:
    """A subnet of the VPC of the service that the service does not use."""
    ec2 = checkout.aws.client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=network(checkout)["subnets"])["Subnets"][0]["VpcId"]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="172.31.250.0/24", AvailabilityZone="us-east-1a")
    return str(made["Subnet"]["SubnetId"])


def ecs(checkout: Checkout, principal: str) -> Any:
    return checkout.aws.session(principal, region="us-east-1").client("ecs")


def update(checkout: Checkout, client: Any, **changes: Any) -> None:
    names = checkout.settings.names
    client.update_service(cluster=names.cluster, service=names.service, **changes)


def expect_denied(checkout: Checkout, client: Any, **changes: Any) -> None:
    with pytest.raises(ClientError, match="with an explicit deny") as raised:
        update(checkout, client, **changes)
    assert raised.value.response["Error"]["Code"] == "AccessDeniedException"


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_other_networks_and_ecs_exec_are_denied(limited: Checkout, principal: str) -> None:
    own, client = network(limited), ecs(limited, principal)
    other = own | {"subnets": [foreign_subnet(limited)]}
    both = own | {"subnets": own["subnets"] + other["subnets"]}
    public = own | {"assignPublicIp": "ENABLED"}
    for changed_network in (other, both, public):
        changes = {"networkConfiguration": {"awsvpcConfiguration": changed_network}}
        expect_denied(limited, client, **changes)
    expect_denied(limited, client, enableExecuteCommand=True)
    update(limited, client, networkConfiguration={"awsvpcConfiguration": own})
    update(limited, client, enableExecuteCommand=False)


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_a_service_is_not_created_in_another_network(limited: Checkout, principal: str) -> None:
    names, own = limited.settings.names, network(limited)
    running = limited.revision
    other = own | {"subnets": [foreign_subnet(limited)]}
    limited.aws.client("ecs").delete_service(
        cluster=names.cluster, service=names.service, force=True
    )
    client = ecs(limited, principal)
    with pytest.raises(ClientError, match=r"ecs:CreateService .* with an explicit deny"):
        client.create_service(
            cluster=names.cluster,
            serviceName=names.service,
            taskDefinition=running,
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": other},
        )


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_deploys_and_rollbacks_are_allowed(limited: Checkout, principal: str) -> None:
    deploy(limited, principal).expect(0)
    run = limited.run("rollback", principal=principal).expect(0)
    assert "networkConfiguration" not in run.request("ecs:UpdateService")


# --- changed by an administrator ---


def test_tasks_move_to_other_subnets(limited: Checkout) -> None:
    """Old and new ones are allowed until the tasks have moved, then the new ones alone."""
    before = network(limited)["subnets"]
    new = foreign_subnet(limited)
    limited.set("tasks.subnets", [new])
    plan = limited.administer("provision", "--plan").expect(0)
    assert f"limits      to allow: tasks in {new}" in plan.out
    assert "to deny" not in plan.out
    provision(limited)
    assert allowed(limited) == {*before, new}
    limited.run("rollback", "1").expect(0)
    deploy(limited).expect(0)
    assert network(limited)["subnets"] == [new]
    provision(limited)
    assert allowed(limited) == {new}


def allowed(checkout: Checkout) -> set[str]:
    """The subnets, which must be the same for the role and the user."""
    iam, name = checkout.aws.client("iam"), checkout.settings.names.deploy_role
    role = iam.get_role_policy(RoleName=name, PolicyName="deploy-limits")["PolicyDocument"]
    group = iam.get_group_policy(GroupName=name, PolicyName="deploy-limits")["PolicyDocument"]
    assert role == group
    found = parse(role)
    assert found
    return set(found.subnets)


def test_a_deploy_while_the_stack_gets_other_subnets_is_not_denied(limited: Checkout) -> None:
    new = foreign_subnet(limited)
    limited.set("tasks.subnets", [new])
    seen: list[set[str]] = []
    limited.aws.moments.when(EXECUTES, lambda: seen.append(allowed(limited)))
    provision(limited)
    assert seen == [{*network(limited)["subnets"], new}]


def test_a_subnet_that_was_set_by_hand_does_not_become_allowed(limited: Checkout) -> None:
    own = network(limited)
    other = own | {"subnets": [foreign_subnet(limited)]}
    update(limited, limited.aws.client("ecs"), networkConfiguration={"awsvpcConfiguration": other})
    provision(limited)
    assert allowed(limited) == set(own["subnets"])


def test_ecs_exec_is_allowed_once_the_document_asks_for_it(limited: Checkout) -> None:
    document = limited.document(SERVICE) | {"enableExecuteCommand": True}
    limited.write(SERVICE, json.dumps(document))
    run = deploy(limited).expect(1, "aws-denied")
    assert "uv run --frozen -m infra provision" in run.err
    plan = limited.administer("provision", "--plan").expect(0)
    assert "limits      to allow: ECS Exec" in plan.out
    provision(limited)
    deploy(limited).expect(0)
    assert limited.ecs_service["enableExecuteCommand"] is True


def test_public_addresses_are_allowed_if_the_settings_say_so(limited: Checkout) -> None:
    limited.set("tasks.public_ip", True)
    provision(limited)
    deploy(limited).expect(0)
    assert network(limited)["assignPublicIp"] == "ENABLED"


def test_a_destroy_leaves_no_limits_behind(limited: Checkout) -> None:
    limited.run("destroy", principal="root", typed="ai-assistant").expect(0)
    iam = limited.aws.client("iam")
    assert iam.list_groups()["Groups"] == []
    names = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    assert limited.settings.names.deploy_role not in names
