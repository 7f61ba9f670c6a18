"""Documents are applied unchanged, and imported resources get the settings of the stack."""

import json

import pytest

from tests.support.checkout import SUBJECT, Checkout, Run

LIFECYCLE = "infra/ecr-lifecycle-policy.json"
DEPLOY = "ops/iam-policy-github-actions.json"


def provision(checkout: Checkout) -> Run:
    checkout.set("github.subject", SUBJECT)
    return checkout.run("provision", principal="root")


def text(checkout: Checkout, name: str) -> str:
    return (checkout.folder / name).read_text(encoding="utf-8")


def test_both_documents_are_applied_byte_for_byte(provisioned: Checkout) -> None:
    run, names = provision(provisioned).expect(0), provisioned.settings.names
    assert run.request("ecr:PutLifecyclePolicy") == {
        "repositoryName": names.repository,
        "lifecyclePolicyText": text(provisioned, LIFECYCLE),
    }
    assert run.request("iam:PutRolePolicy", PolicyName="deploy") == {
        "RoleName": names.deploy_role,
        "PolicyName": "deploy",
        "PolicyDocument": text(provisioned, DEPLOY),
    }


def test_resources_that_an_interrupted_run_has_imported_are_corrected(
    provisioned: Checkout,
) -> None:
    """CloudFormation assumes that an imported resource matches the template, so it changes
    nothing."""
    ecr, logs = provisioned.aws.client("ecr"), provisioned.aws.client("logs")
    repository = {"repositoryName": provisioned.settings.names.repository}
    group = provisioned.settings.names.log_group
    ecr.put_image_tag_mutability(**repository, imageTagMutability="MUTABLE")
    ecr.put_image_scanning_configuration(
        **repository, imageScanningConfiguration={"scanOnPush": False}
    )
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    run = provision(provisioned).expect(0)
    assert "cloudformation:ExecuteChangeSet" not in run.operations
    [found] = ecr.describe_repositories()["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    assert [each["retentionInDays"] for each in logs.describe_log_groups()["logGroups"]] == [30]


@pytest.mark.parametrize("operation", ["ecr:PutLifecyclePolicy", "iam:PutRolePolicy"])
def test_a_document_that_aws_refuses_is_an_error_after_the_stack(
    rendered: Checkout, operation: str
) -> None:
    rendered.aws.faults.refuse(operation, "MalformedPolicyDocument")
    run = provision(rendered).expect(1, "aws-refused")
    assert operation in run.err
    [stack] = rendered.aws.client("cloudformation").describe_stacks()["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    provision(rendered).expect(0)


@pytest.mark.parametrize("name", [LIFECYCLE, DEPLOY])
@pytest.mark.parametrize("content", ["", "[]", "{} {}", json.dumps({}) + "\n<<<<<<< HEAD\n"])
def test_a_broken_document_is_named_before_aws_is_asked(
    provisioned: Checkout, name: str, content: str
) -> None:
    provisioned.write(name, content)
    run = provision(provisioned).expect(2, "document-broken")
    assert run.operations == []
    assert name in run.err
