"""A service whose task definition needs more permissions of the execution role: provision, then
deploy."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.checkout import Checkout

Json = dict[str, Any]
TASK = "infra/task-definition.json"
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
ELSEWHERE = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"

Prepare = Callable[[Checkout], Json]  # makes what a sidecar needs, and returns its members


def secret(checkout: Checkout, name: str = "agent") -> str:
    made = checkout.aws.client("secretsmanager").create_secret(Name=name, SecretString="{}")
    return str(made["ARN"])


def private_registry(checkout: Checkout) -> Json:
    parameter = {"credentialsParameter": secret(checkout)}
    return {"image": "ghcr.io/my-company/agent", "repositoryCredentials": parameter}


def private_registry_by_name(checkout: Checkout) -> Json:
    secret(checkout)
    parameter = {"credentialsParameter": "agent"}
    return {"image": "ghcr.io/my-company/agent", "repositoryCredentials": parameter}


def secret_with_a_key(checkout: Checkout) -> Json:
    return {"secrets": [{"name": "KEY", "valueFrom": f"{secret(checkout)}:key::"}]}


def parameter(checkout: Checkout) -> Json:
    checkout.aws.client("ssm").put_parameter(Name="/agent/key", Value="s", Type="SecureString")
    return {"secrets": [{"name": "KEY", "valueFrom": "/agent/key"}]}


def environment_file(checkout: Checkout) -> Json:
    s3 = checkout.aws.client("s3")
    s3.create_bucket(Bucket="files")
    s3.put_object(Bucket="files", Key="agent.env", Body=b"A=1")
    return {"environmentFiles": [{"value": "arn:aws:s3:::files/agent.env", "type": "s3"}]}


def image_of_this_account(checkout: Checkout) -> Json:
    checkout.aws.client("ecr").create_repository(repositoryName="team/agent")
    checkout.aws.registry.put_image("team/agent", "1")
    return {"image": f"{REGISTRY}/team/agent:1"}


def image_of_another_account(checkout: Checkout) -> Json:
    checkout.aws.world.shared.add("arn:aws:ecr:eu-west-1:210987654321:repository/agent")
    return {"image": f"{ELSEWHERE}/agent:1"}


def other_log(create: str) -> Prepare:
    def prepare(checkout: Checkout) -> Json:
        if create == "false":
            checkout.aws.client("logs").create_log_group(logGroupName="/ecs/agent")
        options = {
            "awslogs-group": "/ecs/agent",
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": "ecs",
            "awslogs-create-group": create,
        }
        return {"logConfiguration": {"logDriver": "awslogs", "options": options}}

    return prepare


def secret_of_a_log_driver(checkout: Checkout) -> Json:
    options = [{"name": "splunk-token", "valueFrom": secret(checkout)}]
    return {"logConfiguration": {"logDriver": "splunk", "secretOptions": options}}


def credential_spec(checkout: Checkout) -> Json:
    [file] = environment_file(checkout)["environmentFiles"]
    return {"credentialSpecs": [f"credentialspecdomainless:{file['value']}"]}


KINDS: dict[str, Prepare] = {
    "credentials of a private registry": private_registry,
    "credentials of a private registry by name": private_registry_by_name,
    "a key of a secret": secret_with_a_key,
    "a parameter": parameter,
    "a secret of a log driver": secret_of_a_log_driver,
    "an environment file": environment_file,
    "a credential spec": credential_spec,
    "an image of this account": image_of_this_account,
    "an image of another account and region": image_of_another_account,
    "another log group": other_log("false"),
    "a log group to create": other_log("true"),
}


def add_sidecar(checkout: Checkout, **members: Any) -> None:
    document = checkout.document(TASK)
    sidecar = {"name": "agent", "image": "public.ecr.aws/agent/agent:1", "essential": False}
    document["containerDefinitions"].append(sidecar | members)
    checkout.write(TASK, json.dumps(document))
    checkout.release("Add a sidecar")


@pytest.mark.parametrize("kind", KINDS)
def test_provision_grants_what_a_sidecar_needs(running: Checkout, kind: str) -> None:
    add_sidecar(running, **KINDS[kind](running))
    before = running.run("deploy")
    assert before.exit_code == 1, f"the simulator lets {kind} pass:\n{before.text}"
    run = running.administer("provision").expect(0)
    assert "to add: " in run.out
    running.run("deploy").expect(0)


def test_a_permission_that_no_document_and_no_running_revision_needs_is_revoked(
    running: Checkout,
) -> None:
    members = environment_file(running)
    add_sidecar(running, **members)
    running.administer("provision").expect(0)
    running.release()
    running.run("deploy").expect(0)
    document = running.document(TASK)
    document["containerDefinitions"].pop()
    running.write(TASK, json.dumps(document))
    running.commit("Remove the sidecar")
    running.administer("provision").expect(0)
    assert "read-files" in policies(running), "its revision still runs"
    running.release()
    running.run("deploy").expect(0)
    run = running.administer("provision").expect(0)
    assert "to remove: file arn:aws:s3:::files/agent.env" in run.out
    assert "read-files" not in policies(running)


def policies(checkout: Checkout) -> list[str]:
    role = checkout.settings.names.execution_role
    found = checkout.aws.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
    return [str(name) for name in found]


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"environmentFiles": [{"value": "arn:aws:s3:::pay/roll.env", "type": "s3"}]}, "pay/roll"),
        ({"image": f"{ELSEWHERE}/secret-sauce"}, "secret-sauce"),
        ({"repositoryCredentials": {"credentialsParameter": "of-a-neighbour"}}, "of-a-neighbour"),
    ],
)
def test_a_running_revision_adds_no_permission(
    running: Checkout, members: Json, named: str
) -> None:
    """The deploy role writes revisions, so a revision must not make an administrator grant more."""
    ecs, names = running.aws.client("ecs"), running.settings.names
    task = ecs.describe_task_definition(taskDefinition=running.revision)["taskDefinition"]
    task["containerDefinitions"][0] |= members
    wanted = {"family", "networkMode", "requiresCompatibilities", "cpu", "memory"}
    wanted |= {"executionRoleArn", "taskRoleArn", "containerDefinitions", "runtimePlatform"}
    new = ecs.register_task_definition(**{key: task[key] for key in wanted})["taskDefinition"]
    ecs.update_service(
        cluster=names.cluster, service=names.service, taskDefinition=new["taskDefinitionArn"]
    )
    before = policies(running)
    run = running.administer("provision").expect(0)
    assert policies(running) == before == ["start-tasks"]
    assert "which the stack does not grant" in run.err
    assert named in run.err


def test_a_wildcard_is_refused_before_anything_is_changed(running: Checkout) -> None:
    add_sidecar(running, environmentFiles=[{"value": "arn:aws:s3:::files/*", "type": "s3"}])
    run = running.administer("provision").expect(2, "arns-wrong").expect_no_change()
    assert "containerDefinitions[1].environmentFiles[0].value" in run.err


# --- GuardDuty's Runtime Monitoring (guardian/cdk#2703) ---


def test_the_agent_of_guardduty_runs_beside_the_service(provisioned: Checkout) -> None:
    account = "593207742271"  # of AWS's own in us-east-1
    provisioned.aws.world.guardduty = account
    provisioned.aws.world.shared.add(
        f"arn:aws:ecr:us-east-1:{account}:repository/aws-guardduty-agent-fargate"
    )
    provisioned.release()
    provisioned.run("deploy").expect(0)
    ecs, cluster = provisioned.aws.client("ecs"), provisioned.settings.names.cluster
    arns = ecs.list_tasks(cluster=cluster)["taskArns"]
    [task] = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
    agent = task["containers"][1]
    assert agent["lastStatus"] == "RUNNING", agent


# --- Spot ---


def test_spot_is_an_edit_of_service_json(running: Checkout) -> None:
    document = running.document("infra/service.json")
    del document["launchType"]
    document["capacityProviderStrategy"] = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    running.write("infra/service.json", json.dumps(document))
    running.release("Run on Spot")
    run = running.run("deploy").expect(0)
    assert run.request("ecs:UpdateService")["forceNewDeployment"] is True
    [provider] = running.ecs_service["capacityProviderStrategy"]
    assert provider["capacityProvider"] == "FARGATE_SPOT"


def test_a_cluster_of_an_older_stack_gets_the_providers_in_place(existing: Checkout) -> None:
    template = (existing.folder / "infra" / "stack.yml").read_text(encoding="utf-8")
    [line] = [line for line in template.splitlines() if "CapacityProviders:" in line]
    without = template.replace(f"{line}\n", "")
    ecs, cluster = existing.aws.client("ecs"), existing.settings.names.cluster
    for text, providers in ((without, []), (template, ["FARGATE", "FARGATE_SPOT"])):
        existing.write("infra/stack.yml", text)
        existing.administer("provision").expect(0)
        [found] = ecs.describe_clusters(clusters=[cluster])["clusters"]
        assert found["status"] == "ACTIVE"
        assert found.get("capacityProviders", []) == providers
        assert found.get("defaultCapacityProviderStrategy", []) == []
