"""Settings, documents and running revisions become the parameters of infra/stack.yml."""

import re
from typing import Any

import pytest
from infra.tool.api_model import Json
from infra.tool.provision import arns
from infra.tool.provision.grants import Grants, grants
from infra.tool.provision.parameters import Choices, changed_grants, granted, parameters

from tests.support.rendering import ROOT
from tests.support.targets import settings

HERE = "arn:aws:ssm:us-east-1:123456789012:parameter"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-a1b2c3"
BEDROCK = "arn:aws:bedrock"
PROFILE = f"{BEDROCK}:us-east-1:123456789012:inference-profile"
OWN = f"{BEDROCK}:us-east-1:123456789012:application-inference-profile/a1b2c3"


def naming(*values: str) -> Json:
    """A task definition with these secrets."""
    secrets = [{"name": f"S{number}", "valueFrom": value} for number, value in enumerate(values)]
    return {"containerDefinitions": [{"name": "app", "secrets": secrets}]}


def sent(wanted: Grants = frozenset(), **sections: Any) -> dict[str, str]:
    choices = Choices(wanted, "repo:a/b:ref:refs/heads/main", "vpc-1", ("s-1", "s-2"))
    return parameters(settings(**sections), choices)


def test_each_parameter_of_the_template_is_sent_and_no_other() -> None:
    text = (ROOT / "template" / "infra" / "stack.yml").read_text(encoding="utf-8")
    section = text.partition("\nParameters:\n")[2].partition("\nRules:\n")[0]
    assert sorted(sent()) == sorted(re.findall(r"^  (\w+):$", section, re.MULTILINE))


def test_the_parameters_are_those_of_the_settings() -> None:
    assert sent(network={}, logs={"retention_days": 7}, permissions={"tracing": "xray"}) == {
        "AppName": "ai-assistant",
        "RepositoryName": "ai-assistant",
        "LogGroupName": "/ecs/ai-assistant-app",
        "LogRetentionDays": "7",
        "ClusterName": "ai-assistant-cluster",
        "ServiceName": "ai-assistant-service",
        "ExecutionRoleName": "ai-assistant-us-east-1-execution",
        "SecretArns": "",
        "ParameterArns": "",
        "FileArns": "",
        "FileBucketArns": "",
        "ImageRepositoryArns": "",
        "OtherLogGroupArns": "",
        "CreatedLogGroupArns": "",
        "SecretsKeyArn": "",
        "TaskRoleName": "ai-assistant-us-east-1-task",
        "BedrockModelArns": "",
        "S3BucketArns": "",
        "Tracing": "xray",
        "DeployRoleName": "ai-assistant-us-east-1-github-actions",
        "GitHubSubject": "repo:a/b:ref:refs/heads/main",
        "VpcId": "vpc-1",
        "SubnetIds": "s-1,s-2",
        "TaskSubnetIds": "",
        "AssignPublicIp": "ENABLED",
        "LoadBalancerScheme": "internet-facing",
        "AllowedIpv4Cidrs": "",
        "AllowedIpv6Cidrs": "",
        "DomainName": "",
        "CertificateArn": "",
        "CertificateZoneId": "",
        "RecordZoneId": "",
        "HstsSeconds": "",
        "ContainerInsights": "",
        "DrawDashboard": "",
        "AlarmTopicArn": "",
        "PermissionsBoundaryArn": "",
        "RolePath": "",
        "LogKeyArn": "",
        "RepositoryKeyArn": "",
        "DeletionProtection": "",
        "AccessLogs": "",
        "AccessLogsBucket": "",
        "WebAclArn": "",
        "EgressCidrs": "",
        "EgressPrefixLists": "",
        "LimitEgress": "",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("amazon.nova-lite-v1:0", [f"{BEDROCK}:us-east-1::foundation-model/amazon.nova-lite-v1:0"]),
        ("zai.glm-4.7", [f"{BEDROCK}:us-east-1::foundation-model/zai.glm-4.7"]),
        (
            "us.meta.llama4-v1:0",
            [
                f"{PROFILE}/us.meta.llama4-v1:0",
                f"{BEDROCK}:*::foundation-model/meta.llama4-v1:0",
            ],
        ),
        (
            "global.cohere.embed-v4:0",
            [
                f"{PROFILE}/global.cohere.embed-v4:0",
                f"{BEDROCK}:*::foundation-model/cohere.embed-v4:0",
            ],
        ),
        (
            f"{PROFILE}/us-gov.meta.llama4-v1:0",
            [
                f"{PROFILE}/us-gov.meta.llama4-v1:0",
                f"{BEDROCK}:*::foundation-model/meta.llama4-v1:0",
            ],
        ),
        (
            f"{BEDROCK}:eu-west-1::foundation-model/x.y",
            [f"{BEDROCK}:eu-west-1::foundation-model/x.y"],
        ),
    ],
)
def test_a_model_or_profile_becomes_the_arns_that_must_be_granted(
    name: str, expected: list[str]
) -> None:
    found = sent(permissions={"bedrock_models": [name]})["BedrockModelArns"]
    assert found.split(",") == expected


def test_buckets_become_arns() -> None:
    found = sent(permissions={"s3_read_buckets": ["one", "two"]})
    assert found["S3BucketArns"] == "arn:aws:s3:::one,arn:aws:s3:::two"


def test_an_application_inference_profile_needs_its_model_beside_it() -> None:
    def wrong(*names: str) -> list[str]:
        found = arns.models(settings(permissions={"bedrock_models": [*names]}))
        return [*arns.complaints(found)]

    [complaint] = wrong(OWN)
    assert "us.amazon.nova-lite-v1:0" in complaint
    assert wrong(OWN, "us.amazon.nova-lite-v1:0") == []


# --- what a plan says about them ---


def test_grants_are_read_back_from_the_parameters_of_the_stack() -> None:
    wanted = grants(naming(SECRET, "one", "two"), settings())
    assert granted(sent(wanted)) == wanted
    assert granted({}) == Grants()


def test_a_plan_names_each_arn_that_is_added_or_removed() -> None:
    before = sent(grants(naming("one", "two"), settings()))
    after = sent(
        grants(naming("two", SECRET), settings()), permissions={"s3_read_buckets": ["new"]}
    )
    assert [*changed_grants(before, after)] == [
        f"to add: secret {SECRET}",
        f"to remove: secret {HERE}/one",
        "to add: bucket arn:aws:s3:::new",
    ]
    assert [*changed_grants(after, after)] == []
