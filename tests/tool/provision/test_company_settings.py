"""The settings that a company asks for: alone on a running service, and in pairs on a new one.

tests/support/company_settings.py has the list. A running task keeps its load balancer, its network
and its roles, whatever is turned on or off; or the change is refused before it starts.
"""

from itertools import combinations
from typing import Any

import pytest

from tests.support.checkout import Checkout
from tests.support.company_settings import COMPANY_SETTINGS, CompanySetting
from tests.support.zones import DOMAIN

Pair = tuple[CompanySetting, CompanySetting]


def name_of(value: object) -> str:
    """The id of a test."""
    if isinstance(value, CompanySetting):
        return value.name
    assert isinstance(value, tuple)
    return " and ".join(each.name for each in value)


def live(checkout: Checkout) -> dict[str, Any]:
    """The resources that running tasks depend on, as the AWS APIs return them."""
    client = checkout.aws.client
    [balancer] = client("elbv2").describe_load_balancers()["LoadBalancers"]
    tasks = [task for task in checkout.aws.ecs.tasks if task.status == "RUNNING"]
    networks = [task.deployment.settings["networkConfiguration"] for task in tasks]
    roles = {
        role.rpartition("/")[2]
        for task in tasks
        for role in (
            task.deployment.task_definition["executionRoleArn"],
            task.deployment.task_definition["taskRoleArn"],
        )
    }
    iam = client("iam")
    return {
        "tasks": sorted(task.id for task in tasks),
        "load balancer": balancer["LoadBalancerArn"],
        "target groups": [
            target["targetGroupArn"]
            for task in tasks
            for target in task.deployment.service.settings["loadBalancers"]
        ],
        "roles": {role: iam.get_role(RoleName=role)["Role"]["RoleId"] for role in sorted(roles)},
        "policies": {
            role: iam.list_role_policies(RoleName=role)["PolicyNames"] for role in sorted(roles)
        },
        "rules": [
            (group, rule.get("UserIdGroupPairs"))
            for network in networks
            for group in network["awsvpcConfiguration"]["securityGroups"]
            for found in client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
            for rule in found["IpPermissions"]
        ],
        "answer": answer(checkout, balancer["DNSName"]),
    }


def answer(checkout: Checkout, balancer: str) -> int:
    """Of a client that follows a redirect to HTTPS by the name of the certificate."""
    found = checkout.aws.fetch(f"http://{balancer}/health").status
    return found if found != 301 else checkout.aws.fetch(f"https://{DOMAIN}/health").status


def provision(checkout: Checkout, setting: CompanySetting) -> None:
    """Apply the settings; running tasks keep their resources. One for new stacks is refused."""
    before = live(checkout)
    run = checkout.administer("provision")
    if setting.is_for_new:
        run.expect(2, "setting-fixed").expect_no_change()
    else:
        run.expect(0)
    assert live(checkout) == before
    assert before["tasks"]
    assert before["answer"] == 200


def deploy(checkout: Checkout) -> None:
    checkout.release()
    checkout.run("deploy").expect(0)


@pytest.mark.parametrize("setting", COMPANY_SETTINGS, ids=name_of)
def test_each_setting_is_turned_on_and_off_while_tasks_run(
    running: Checkout, setting: CompanySetting
) -> None:
    setting.turn_on(running)
    provision(running, setting)
    if setting.is_for_new:
        return
    deploy(running)
    setting.turn_off(running)
    provision(running, setting)
    deploy(running)
    provision(running, setting)


def play(new: Checkout, *settings: CompanySetting) -> None:
    for each in settings:
        each.turn_on(new)
    new.administer("provision", "--plan").expect(0)
    new.administer("provision").expect(0)
    assert "cloudformation:ExecuteChangeSet" not in new.administer("provision").expect(0).operations
    deploy(new)
    deploy(new)  # the first update of the service: from here on, alarms can end a deployment
    assert "ecs:UpdateService" not in new.run("deploy").expect(0).operations
    new.run("status").expect(0)


@pytest.mark.slow
@pytest.mark.parametrize("pair", [*combinations(COMPANY_SETTINGS, 2)], ids=name_of)
def test_every_pair_provisions_and_deploys_together(new: Checkout, pair: Pair) -> None:
    play(new, *pair)


def test_all_settings_together_can_be_deployed_and_destroyed(new: Checkout) -> None:
    play(new, *COMPANY_SETTINGS)
    assert new.ecs_service["deploymentConfiguration"]["alarms"]["rollback"]
    [protection] = [each for each in COMPANY_SETTINGS if each.name.endswith("deletion_protection")]
    protection.turn_off(new)
    new.administer("provision").expect(0)
    new.run("destroy", "--purge", principal="root", typed="ai-assistant").expect(0)
    assert new.aws.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
