"""Documents that a deploy refuses before anything is changed, on a first deploy and on later ones.

The comments name the public reports that the cases come from.
"""

from typing import Any

import pytest

from tests.support.checkout import Checkout
from tests.support.document_edits import (
    SCALING,
    SERVICE,
    SPOT,
    TASK,
    Edit,
    edit,
    strategy,
    with_members,
)


def deployments(**members: Any) -> Edit:
    return lambda document: document["deploymentConfiguration"].update(members)


TARGET = {"containerName": "ai-assistant-container", "containerPort": 8080}
ADVANCED = {"advancedConfiguration": {"alternateTargetGroupArn": "arn:…", "roleArn": "arn:…"}}
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}}

REFUSED: dict[str, tuple[str, Edit, str]] = {
    # aws/aws-cli#6021
    "the name of the service": (SERVICE, with_members(serviceName="mine"), "serviceName"),
    "the name of the cluster": (SERVICE, with_members(cluster="mine"), "cluster"),
    "the number of tasks": (SERVICE, with_members(desiredCount=7), "desiredCount"),
    "a token": (SERVICE, with_members(clientToken="mine"), "clientToken"),
    "a member of an update": (SERVICE, with_members(forceNewDeployment=True), "forceNewDeployment"),
    # aws/aws-cdk#35987
    "blue/green": (
        SERVICE,
        lambda d: (
            d.update(loadBalancers=[TARGET | ADVANCED]),
            deployments(strategy="BLUE_GREEN")(d),
        ),
        "loadBalancers",
    ),
    "blue/green alone": (SERVICE, deployments(strategy="BLUE_GREEN"), "strategy is BLUE_GREEN"),
    "canary": (SERVICE, deployments(strategy="CANARY"), "strategy is CANARY"),
    "the settings of canary": (
        SERVICE,
        deployments(canaryConfiguration={"canaryPercent": 5}),
        "canaryConfiguration",
    ),
    "a second target group": (
        SERVICE,
        with_members(loadBalancers=[TARGET, TARGET]),
        "loadBalancers",
    ),
    "no target group": (SERVICE, with_members(loadBalancers=[]), "loadBalancers"),
    "a network": (SERVICE, with_members(networkConfiguration=NETWORK), "networkConfiguration"),
    # pipe-cd/pipecd#6385
    "launch type and providers": (SERVICE, with_members(capacityProviderStrategy=SPOT), "either"),
    "neither": (SERVICE, lambda d: d.pop("launchType"), "either"),
    "providers without weight": (SERVICE, strategy([{"capacityProvider": "FARGATE"}]), "weight"),
    # The scaling, which a deploy sets only after the rollout.
    "a scaling of nothing": (SCALING, lambda d: d.clear(), "list of scaling policies"),
    "an unknown member of the scaling": (SCALING, with_members(minimum=1), "minimum"),
    "policies as an object": (SCALING, with_members(policies={}), "list of scaling policies"),
    "two policies of one name": (
        SCALING,
        lambda d: d["policies"][0].update(PolicyName="requests"),
        "two policies are named requests",
    ),
    "a policy of another service": (
        SCALING,
        lambda d: d["policies"][0].update(ResourceId="service/other/other"),
        "ResourceId",
    ),
    "a policy of no type": (SCALING, lambda d: d["policies"][0].pop("PolicyType"), "PolicyType"),
    "a policy without rules": (
        SCALING,
        lambda d: d["policies"][0].pop("TargetTrackingScalingPolicyConfiguration"),
        "TargetTrackingScalingPolicyConfiguration",
    ),
    # The task definition.
    "a port that is a range": (
        TASK,
        lambda d: d["containerDefinitions"][0].update(portMappings=[{"containerPortRange": "1-2"}]),
        "containerPort",
    ),
    "ports that are no list": (
        TASK,
        lambda d: d["containerDefinitions"][0].update(portMappings=8080),
        "portMappings",
    ),
    "containers that are no objects": (
        TASK,
        with_members(containerDefinitions=["web"]),
        "containerDefinitions",
    ),
    "a network mode that does not exist": (TASK, with_members(networkMode="vpc"), "networkMode"),
}  # fmt: skip


def refuses(checkout: Checkout, case: str) -> None:
    name, change, words = REFUSED[case]
    edit(checkout, name, change)
    before = checkout.revisions
    for command in ("deploy",), ("deploy", "--plan"):
        run = checkout.run(*command).expect(2, "document-wrong").expect_no_change()
        said = " ".join(run.err.split())
        assert name in said, f"the message must name the file: {said}"
        assert words in said, f"the message must name {words}: {said}"
    assert checkout.revisions == before


@pytest.mark.parametrize("case", REFUSED)
def test_a_first_deploy_refuses_it_before_anything_is_changed(
    provisioned: Checkout, case: str
) -> None:
    refuses(provisioned, case)


@pytest.mark.parametrize("case", REFUSED)
def test_a_later_deploy_refuses_it_before_anything_is_changed(
    deployed: Checkout, case: str
) -> None:
    refuses(deployed, case)


# --- what a file no longer names ---


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (with_members(enableExecuteCommand=True), "enableExecuteCommand", "enableExecuteCommand"),
        (lambda _: None, "healthCheckGracePeriodSeconds", "healthCheckGracePeriodSeconds"),
        (
            with_members(availabilityZoneRebalancing="DISABLED"),
            "availabilityZoneRebalancing",
            "availabilityZoneRebalancing",
        ),
        (lambda _: None, "deploymentConfiguration", "deploymentCircuitBreaker"),
    ],
)
def test_a_removed_member_needs_a_new_value(
    deployed: Checkout, before: Edit, after: str, words: str
) -> None:
    edit(deployed, SERVICE, before)
    deployed.administer("deploy").expect(0)  # the deploy role may not turn on ECS Exec
    edit(deployed, SERVICE, lambda document: document.pop(after))
    run = deployed.run("deploy").expect(2, "document-wrong").expect_no_change()
    assert words in run.err


def test_a_member_that_is_set_to_its_default_is_sent(deployed: Checkout) -> None:
    edit(deployed, SERVICE, with_members(enableExecuteCommand=True))
    deployed.administer("deploy").expect(0)  # the deploy role may not
    edit(deployed, SERVICE, with_members(enableExecuteCommand=False))
    deployed.run("deploy").expect(0)
    assert deployed.ecs_service["enableExecuteCommand"] is False
    edit(deployed, SERVICE, lambda document: document.pop("enableExecuteCommand"))
    deployed.run("deploy").expect(0)
