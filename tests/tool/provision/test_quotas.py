"""A value that is too long for AWS is refused before any change, with the limit and a remedy.

For each row, the simulated AWS refuses it too: `sent` sends it without asking the tool.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tests.support.checkout import Checkout

Json = dict[str, Any]
TASK = "infra/task-definition.json"
LIFECYCLE = "infra/ecr-lifecycle-policy.json"
DEPLOY = "ops/iam-policy-github-actions.json"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret"

Change = Callable[[Checkout], None]


def secrets(count: int, length: int = 20) -> Change:
    def change(checkout: Checkout) -> None:
        names = [f"{number:0{length}}-a1b2c3" for number in range(count)]
        named = [{"name": f"S{n}", "valueFrom": f"{SECRET}:{name}"} for n, name in enumerate(names)]
        edit_container(checkout, secrets=named)

    return change


def every_kind_of_secret(checkout: Checkout) -> None:
    """Each list fits a parameter, and all of them do not fit the role."""
    managed = [f"{SECRET}:{number:030}-a1b2c3" for number in range(40)]
    stored = [f"/{number:040}" for number in range(40)]
    named = [{"name": f"S{n}", "valueFrom": value} for n, value in enumerate([*managed, *stored])]
    files = [{"value": f"arn:aws:s3:::files/{n:0400}.env", "type": "s3"} for n in range(8)]
    edit_container(checkout, secrets=named, environmentFiles=files)


def edit_container(checkout: Checkout, **members: Any) -> None:
    document = checkout.document(TASK)
    document["containerDefinitions"][0] |= members
    checkout.write(TASK, json.dumps(document))
    checkout.commit("Change the container")


def models(checkout: Checkout) -> None:
    names = [f"amazon.nova-{number:060}-v1:0" for number in range(45)]
    checkout.set("permissions.bedrock_models", names)


def buckets(checkout: Checkout) -> None:
    checkout.set("permissions.s3_read_buckets", [f"{number:063}" for number in range(70)])


def task_subnets(checkout: Checkout) -> None:
    checkout.set("tasks.subnets", [f"subnet-{number:08}" for number in range(17)])


def long_template(checkout: Checkout) -> None:
    text = (checkout.folder / "infra" / "stack.yml").read_text(encoding="utf-8")
    checkout.write("infra/stack.yml", text + "# A comment\n" * 5000)


def subject(checkout: Checkout) -> None:
    checkout.set("github.subject", f"repo:my-company/ai-assistant:{'x' * 2000}")


def long_policy(characters: int) -> Change:
    def change(checkout: Checkout) -> None:
        document = checkout.document(DEPLOY)
        actions = [f"ecs:Describe{number:040}" for number in range(characters // 54)]
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document["Statement"].append(statement)
        checkout.write(DEPLOY, json.dumps(document))

    return change


def deploy_user(checkout: Checkout) -> None:
    long_policy(2000)(checkout)
    checkout.aws.client("iam").create_user(UserName="deployer")
    checkout.set("github.deploy_user", "deployer")


def letter(checkout: Checkout) -> None:
    document = checkout.document(DEPLOY)
    document["Statement"][0]["Sid"] = "Łódź"
    checkout.write(DEPLOY, json.dumps(document, ensure_ascii=False))


def no_rules(checkout: Checkout) -> None:
    checkout.write(LIFECYCLE, '{"rules": []}')


def many_rules(checkout: Checkout) -> None:
    document = checkout.document(LIFECYCLE)
    document["rules"][0]["description"] = "x" * 31_000
    checkout.write(LIFECYCLE, json.dumps(document))


ROWS: dict[str, tuple[Change, str, str]] = {
    "a parameter with many secrets": (secrets(60), "SecretArns", "4,096"),
    "a parameter with many models": (models, "BedrockModelArns", "4,096"),
    "a parameter with many buckets": (buckets, "S3BucketArns", "4,096"),
    "the policies of the execution role": (every_kind_of_secret, "execution role", "10,240"),
    "the subnets of the tasks": (task_subnets, "subnets", "16"),
    "the template": (long_template, "infra/stack.yml", "51,200"),
    "the trust of the deploy role": (subject, "trust", "2,048"),
    "the deploy policy": (long_policy(11_000), DEPLOY, "10,240"),
    "the deploy policy, for a user": (deploy_user, DEPLOY, "5,120"),
    "a letter that IAM does not take": (letter, DEPLOY, "Ł"),
    "a lifecycle policy without rules": (no_rules, LIFECYCLE, "100"),
    "a long lifecycle policy": (many_rules, LIFECYCLE, "30,720"),
}


@pytest.mark.parametrize("words", [["provision"], ["provision", "--plan"]])
@pytest.mark.parametrize("row", ROWS)
def test_a_value_that_is_too_long_is_refused_before_a_change(
    new: Checkout, row: str, words: list[str]
) -> None:
    change, named, limit = ROWS[row]
    change(new)
    run = new.administer(*words).expect(2, "quota-exceeded").expect_no_change()
    assert named in run.err
    assert limit in run.err


def test_values_at_the_limit_are_provisioned(new: Checkout) -> None:
    secrets(40)(new)
    new.administer("provision").expect(0)


# --- documents of a deploy ---


def long_environment(document: Json) -> None:
    document["containerDefinitions"][0]["environment"] = [{"name": "A", "value": "x" * 65_000}]


def many_containers(document: Json) -> None:
    document["containerDefinitions"] += [
        {"name": f"sidecar-{number}", "image": "public.ecr.aws/agent/agent"} for number in range(10)
    ]


def many_tags(document: Json) -> None:
    document["tags"] = [{"key": f"k{number}", "value": "v"} for number in range(49)]


def too_many_tags(document: Json) -> None:
    """More tags than ECS accepts, without those of a deploy."""
    many_tags(document)
    document["tags"] += document["tags"][:2]


def many_files(document: Json) -> None:
    file = {"value": "arn:aws:s3:::files/app.env", "type": "s3"}
    document["containerDefinitions"][0]["environmentFiles"] = [file] * 11


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        (long_environment, "65,536"),
        (many_containers, "takes 10"),
        (many_tags, "takes 50"),
        (many_files, "takes 10"),
    ],
)
def test_a_task_definition_that_is_too_long_is_refused(
    provisioned: Checkout, change: Callable[[Json], None], limit: str
) -> None:
    document = provisioned.document(TASK)
    change(document)
    provisioned.write(TASK, json.dumps(document))
    provisioned.release()
    run = provisioned.run("deploy").expect(2, "document-wrong").expect_no_change()
    assert limit in run.err


def test_a_service_with_too_many_tags_is_refused(provisioned: Checkout) -> None:
    document = provisioned.document("infra/service.json")
    document["tags"] = [{"key": f"k{number}", "value": "v"} for number in range(51)]
    provisioned.write("infra/service.json", json.dumps(document))
    provisioned.release()
    run = provisioned.run("deploy").expect(2, "document-wrong").expect_no_change()
    assert "takes 50" in run.err


# --- roles of the task definition ---


@pytest.mark.parametrize(
    ("member", "role"),
    [
        ("taskRoleArn", "ai-assistant-us-east-1-execution"),
        ("taskRoleArn", "ai-assistant-us-east-1-github-actions"),
        ("executionRoleArn", "ai-assistant-us-east-1-task"),
        ("executionRoleArn", "ecsTaskExecutionRole"),
        ("executionRoleArn", ""),
    ],
)
@pytest.mark.parametrize("command", ["deploy", "check", "provision"])
def test_each_role_is_for_its_own_purpose(
    provisioned: Checkout, command: str, member: str, role: str
) -> None:
    document = provisioned.document(TASK)
    del document[member]
    if role:
        document[member] = f"arn:aws:iam::123456789012:role/{role}"
    provisioned.write(TASK, json.dumps(document))
    provisioned.release()
    run = provisioned.administer(command).expect_no_change()
    assert run.exit_code == 2
    assert f"the role in {member} must" in " ".join(run.text.split())


# --- the simulated AWS refuses the same ---


def statement(characters: int) -> str:
    actions = [f"ecs:Describe{number:040}" for number in range(characters // 54)]
    only = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [only]})


def test_the_policies_of_a_role_are_limited_together(provisioned: Checkout) -> None:
    iam, role = provisioned.aws.client("iam"), provisioned.settings.names.task_role
    iam.put_role_policy(RoleName=role, PolicyName="one", PolicyDocument=statement(6_000))
    iam.put_role_policy(RoleName=role, PolicyName="one", PolicyDocument=statement(6_000))
    with pytest.raises(ClientError, match="Maximum policy size of 10240 bytes exceeded for role"):
        iam.put_role_policy(RoleName=role, PolicyName="two", PolicyDocument=statement(6_000))


def test_the_trust_of_a_role_is_limited(provisioned: Checkout) -> None:
    iam, role = provisioned.aws.client("iam"), provisioned.settings.names.task_role
    with pytest.raises(ClientError, match="Cannot exceed quota for ACLSizePerRole: 2048"):
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=statement(3_000))


def test_the_policies_of_groups_and_users_are_limited(provisioned: Checkout) -> None:
    iam = provisioned.aws.client("iam")
    iam.create_group(GroupName="g")
    iam.create_user(UserName="u")
    with pytest.raises(ClientError, match="5120 bytes exceeded for group"):
        iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=statement(6_000))
    with pytest.raises(ClientError, match="2048 bytes exceeded for user"):
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=statement(3_000))


@pytest.mark.parametrize("text", ['{"rules": []}', json.dumps({"rules": ["x" * 31_000]})])
def test_the_length_of_a_lifecycle_policy_is_limited(provisioned: Checkout, text: str) -> None:
    repository = provisioned.settings.names.repository
    with pytest.raises((ClientError, ParamValidationError)):
        provisioned.aws.client("ecr").put_lifecycle_policy(
            repositoryName=repository, lifecyclePolicyText=text
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (long_environment, "Max allowed length is '65536' bytes"),
        (many_containers, "Too many containers"),
        (too_many_tags, "at most 50"),
    ],
)
def test_the_size_of_a_task_definition_is_limited(
    provisioned: Checkout, change: Callable[[Json], object], message: str
) -> None:
    document = provisioned.document(TASK)
    change(document)
    padding = {"name": "B", "value": "x" * 1000}
    document["containerDefinitions"][0]["environment"].append(padding)
    with pytest.raises(ClientError, match=message):
        provisioned.aws.client("ecs").register_task_definition(**document)
