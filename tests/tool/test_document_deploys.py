"""Documents from public reports that a deploy carries out. Each section names its reports."""

import json
from typing import Any

import pytest

from tests.support.checkout import Checkout, Json, Run
from tests.support.document_edits import SERVICE, SPOT, TASK, Edit, edit, launch_type, strategy
from tests.support.network import replace_task_security_group

BOTH = [*SPOT, {"capacityProvider": "FARGATE", "weight": 1, "base": 1}]

# --- what tasks run on (pipe-cd/pipecd#6385, kayac/ecspresso#481) ---


def associate(checkout: Checkout) -> None:
    """Give the cluster of the stack Fargate's capacity providers."""
    checkout.aws.client("ecs").put_cluster_capacity_providers(
        cluster=checkout.settings.names.cluster,
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[],
    )


def providers(checkout: Checkout) -> list[str]:
    found = checkout.ecs_service.get("capacityProviderStrategy", [])
    return [item["capacityProvider"] for item in found]


def is_forced(run: Run) -> bool:
    return bool(run.request("ecs:UpdateService").get("forceNewDeployment", False))


def test_an_existing_service_moves_to_spot_and_back(deployed: Checkout) -> None:
    associate(deployed)
    edit(deployed, SERVICE, strategy(SPOT))
    assert is_forced(deployed.run("deploy").expect(0))
    assert providers(deployed) == ["FARGATE_SPOT"]
    assert "launchType" not in deployed.ecs_service
    edit(deployed, SERVICE, launch_type)
    assert is_forced(deployed.run("deploy").expect(0))
    assert deployed.ecs_service["launchType"] == "FARGATE"
    assert providers(deployed) == []
    deployed.release()
    assert not is_forced(deployed.run("deploy").expect(0))


def test_a_changed_strategy_forces_a_deployment_but_another_order_does_not(
    deployed: Checkout,
) -> None:
    associate(deployed)
    for wanted, forced in (SPOT, True), (BOTH, True), (BOTH[::-1], False):
        edit(deployed, SERVICE, strategy(wanted))
        assert is_forced(deployed.run("deploy").expect(0)) == forced
        assert providers(deployed) == sorted(str(item["capacityProvider"]) for item in wanted)


def test_a_service_is_created_on_spot(provisioned: Checkout) -> None:
    associate(provisioned)
    edit(provisioned, SERVICE, strategy(BOTH))
    run = provisioned.run("deploy").expect(0)
    assert "forceNewDeployment" not in run.request("ecs:CreateService")
    assert providers(provisioned) == ["FARGATE", "FARGATE_SPOT"]


def test_the_plan_shows_a_change_of_capacity(deployed: Checkout) -> None:
    associate(deployed)
    edit(deployed, SERVICE, strategy(SPOT))
    run = deployed.run("deploy", "--plan", "--json").expect(0).expect_no_change()
    paths = [change["path"] for change in json.loads(run.out)["service"]]
    assert any(path.startswith("capacityProviderStrategy") for path in paths)


# --- other containers (aws-actions/amazon-ecs-render-task-definition#228) ---


def second_container(name: str, **changes: Any) -> Edit:
    def change(document: Json) -> None:
        [own] = document["containerDefinitions"]
        copied = {key: value for key, value in own.items() if key != "portMappings"}
        document["containerDefinitions"].append(
            copied | {"name": name, "essential": False} | changes
        )

    return change


def images(checkout: Checkout) -> dict[str, str]:
    """The image of each container of the revision that runs."""
    found = checkout.aws.client("ecs").describe_task_definition(taskDefinition=checkout.revision)
    containers = found["taskDefinition"]["containerDefinitions"]
    return {container["name"]: container["image"] for container in containers}


def test_a_second_container_with_the_image_of_the_service_gets_the_digest(
    provisioned: Checkout,
) -> None:
    edit(provisioned, TASK, second_container("migrate", command=["migrate"]))
    provisioned.run("deploy").expect(0)
    own, migrate = images(provisioned).values()
    assert own == migrate
    assert "@sha256:" in own


def test_a_third_container_gets_the_digest_too(deployed: Checkout) -> None:
    edit(deployed, TASK, second_container("migrate"))
    edit(deployed, TASK, lambda d: d["containerDefinitions"].append(
        d["containerDefinitions"][1] | {"name": "worker"}
    ))  # fmt: skip
    deployed.run("deploy").expect(0)
    assert len(set(images(deployed).values())) == 1


def test_an_image_with_its_own_tag_is_not_changed(deployed: Checkout) -> None:
    repository = deployed.document(TASK)["containerDefinitions"][0]["image"]
    earlier = images(deployed)["ai-assistant-container"]
    edit(deployed, TASK, second_container("pinned", image=earlier))
    edit(deployed, TASK, second_container_of("tagged", f"{repository}:{deployed.head}"))
    deployed.run("deploy").expect(0)
    found = images(deployed)
    assert found["pinned"] == earlier
    assert found["tagged"].startswith(f"{repository}:")


def second_container_of(name: str, image: str) -> Edit:
    container = {"name": name, "image": image, "essential": False}
    return lambda document: document["containerDefinitions"].append(container)


# --- private registries (blinkist/terraform-aws-airship-ecs-service#71) ---


def with_sidecar(checkout: Checkout, secret: str) -> None:
    sidecar = {
        "name": "agent",
        "image": "ghcr.io/my-company/agent",
        "essential": False,
        "repositoryCredentials": {"credentialsParameter": secret},
    }
    edit(checkout, TASK, lambda document: document["containerDefinitions"].append(sidecar))


def let_read(checkout: Checkout, secret: str) -> None:
    read = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
    checkout.aws.client("iam").put_role_policy(
        RoleName=checkout.settings.names.execution_role,
        PolicyName="agent",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [read]}),
    )


def make_secret(checkout: Checkout) -> str:
    made = checkout.aws.client("secretsmanager").create_secret(Name="agent", SecretString="{}")
    return str(made["ARN"])


def test_a_sidecar_of_a_private_registry_runs_if_its_secret_may_be_read(
    deployed: Checkout,
) -> None:
    secret = make_secret(deployed)
    let_read(deployed, secret)
    with_sidecar(deployed, secret)
    run = deployed.run("deploy").expect(0)
    [_, sidecar] = run.request("ecs:RegisterTaskDefinition")["containerDefinitions"]
    assert sidecar["repositoryCredentials"] == {"credentialsParameter": secret}


@pytest.mark.parametrize("exists", [True, False])
def test_a_sidecar_whose_secret_cannot_be_read_is_rolled_back_with_the_reason(
    deployed: Checkout, exists: bool
) -> None:
    before = deployed.revision
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:agent-abcdef"
    with_sidecar(deployed, make_secret(deployed) if exists else secret)
    if not exists:
        let_read(deployed, secret)
    run = deployed.run("deploy")
    assert run.exit_code == 1, run.text
    said = " ".join(run.text.split())
    assert ("GetSecretValue" if exists else "ResourceNotFoundException") in said
    assert deployed.revision == before


# --- a stack that cleans up (aws/aws-sam-cli#5084) ---


CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"


def test_a_deploy_releases_what_the_cleanup_of_the_stack_waits_for(deployed: Checkout) -> None:
    old, new = replace_task_security_group(deployed)
    assert [deployed.stack_status for _ in range(3)] == [CLEANUP] * 3
    deployed.release()
    run = deployed.run("deploy").expect(0)
    network = run.request("ecs:UpdateService")["networkConfiguration"]["awsvpcConfiguration"]
    assert network["securityGroups"] == [new] != [old]
    deployed.run("status")  # by then, the tasks in the old group are gone
    assert [deployed.stack_status for _ in range(3)][-1] == "UPDATE_COMPLETE"


def test_the_plan_and_the_checks_work_during_a_cleanup(deployed: Checkout) -> None:
    replace_task_security_group(deployed)
    deployed.release()
    run = deployed.run("deploy", "--plan").expect(0).expect_no_change()
    assert "securityGroups" in run.out
    assert deployed.stack_status == CLEANUP
