"""The permissions of the roles."""

import re

from simulator.cloudformation.resource import Place
from simulator.cloudformation.template import Stack
from tests.stack.invariants.invariant import invariant, refusal
from tests.stack.rendered_service import RenderedService, arns, grants
from tests.stack.switches import (
    BUCKETS,
    FILE,
    FILE_BUCKET,
    KEY,
    MODELS,
    OTHER_IMAGE,
    OTHER_LOG,
    PARAMETERS,
    SECRET,
)
from tests.support.document_checks import policy_findings

# The image that GuardDuty adds to tasks: an account of AWS's own in each region hosts it.
AGENT = "arn:aws:ecr:us-east-1:*:repository/aws-guardduty-agent-fargate"
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
WRITE = ("logs:CreateLogStream", "logs:PutLogEvents")


@invariant
def every_permission_is_a_policy_of_its_own(service: RenderedService) -> None:
    """Then `grants` finds all of them, and a role without policies has no permission."""
    for stack in service.stacks:
        for role in stack.of_type("AWS::IAM::Role"):
            other = role.properties.keys() - {"AssumeRolePolicyDocument", "RoleName"}
            asked = {"PermissionsBoundary": "PermissionsBoundaryArn", "Path": "RolePath"}
            assert other == {name for name, by in asked.items() if stack.parameters[by]}, role.name
        for resource in stack.resources.values():
            assert resource.type not in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}


@invariant
def only_tasks_of_this_account_and_region_can_assume_their_roles(service: RenderedService) -> None:
    place = service.place
    for stack in service.stacks:
        for role in "ExecutionRole", "TaskRole":
            trust = stack.resources[role].properties["AssumeRolePolicyDocument"]
            [statement] = trust["Statement"]
            assert {key: value for key, value in statement.items() if key != "Sid"} == {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": place.account},
                    "ArnLike": {"aws:SourceArn": place.arn("ecs", "*")},
                },
            }, f"{role}: without both conditions ECS could lend it to others"


@invariant
def exactly_one_subject_of_github_can_assume_the_deploy_role(service: RenderedService) -> None:
    issuer = "token.actions.githubusercontent.com"
    for stack in service.stacks:
        trust = stack.resources["DeployRole"].properties["AssumeRolePolicyDocument"]
        [statement] = trust["Statement"]
        provider = f"arn:{service.place.partition}:iam::{service.place.account}:oidc-provider"
        assert {key: value for key, value in statement.items() if key != "Sid"} == {
            "Effect": "Allow",
            "Principal": {"Federated": f"{provider}/{issuer}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{issuer}:aud": "sts.amazonaws.com",
                    f"{issuer}:sub": stack.given["GitHubSubject"],
                }
            },
        }, "one audience, and one subject in full: any other could deploy"
        role = stack.resources["DeployRole"].properties
        assert role["RoleName"] == service.settings.names.deploy_role


@invariant
def a_subject_of_many_branches_is_refused(service: RenderedService) -> None:
    for subject in "repo:a/b:*", "repo:a/b:ref:refs/heads/?", "repo", "":
        said = refusal(service.stack(GitHubSubject=subject))
        assert "for example repo:a/b:ref:refs/heads/main" in said, f"it takes {subject!r}"
    assert refusal(service.stack()) == ""


@invariant
def the_execution_role_does_exactly_what_the_task_definition_needs(
    service: RenderedService,
) -> None:
    place = service.place
    image = [place.arn("ecr", f"repository/{service.settings.names.repository}"), AGENT]
    log = [place.arn("logs", f"log-group:{service.settings.names.log_group}:*")]
    always = {
        "ecr:GetAuthorizationToken": ["*"],
        **dict.fromkeys(PULL, image),
        **dict.fromkeys(WRITE, log),
    }
    sometimes = {
        "secrets": {"secretsmanager:GetSecretValue": [SECRET]},
        "parameters": {"ssm:GetParameters": PARAMETERS},
        "files": {"s3:GetObject": [FILE], "s3:GetBucketLocation": [FILE_BUCKET]},
        "other images": {action: [OTHER_IMAGE] for action in PULL},
        "other logs": {action: [OTHER_LOG] for action in WRITE},
        "new logs": {"logs:CreateLogGroup": [OTHER_LOG]},
        "key": {"kms:Decrypt": [KEY]},
    }
    sometimes["all"] = {
        action: resources for some in sometimes.values() for action, resources in some.items()
    }
    for name, stack in service.variants.items():
        wanted = {action: [*resources] for action, resources in always.items()}
        for action, resources in sometimes.get(name, {}).items():
            wanted.setdefault(action, []).extend(resources)
        assert grants(stack, "ExecutionRole") == wanted, name


@invariant
def only_the_permission_for_the_secrets_key_has_a_condition(
    service: RenderedService,
) -> None:
    names = "secretsmanager", "ssm", "s3"
    through = [f"{name}.{service.place.region}.amazonaws.com*" for name in names]
    for policy in service.variants["all"].of_type("AWS::IAM::RolePolicy"):
        [*statements] = policy.properties["PolicyDocument"]["Statement"]
        conditions = [each["Condition"] for each in statements if "Condition" in each]
        only = [{"StringLike": {"kms:ViaService": through}}]
        assert conditions == (only if policy.name == "DecryptSecrets" else []), policy.name


@invariant
def the_task_role_may_do_what_the_settings_say_and_nothing_without(
    service: RenderedService,
) -> None:
    sometimes = {
        "models": {
            "bedrock:InvokeModel": MODELS,
            "bedrock:InvokeModelWithResponseStream": MODELS,
        },
        "buckets": {
            "s3:ListBucket": BUCKETS,
            "s3:GetObject": [f"{bucket}/*" for bucket in BUCKETS],
        },
        "tracing": {
            f"xray:{action}": ["*"]
            for action in (
                "GetSamplingRules",
                "GetSamplingStatisticSummaries",
                "GetSamplingTargets",
                "PutTelemetryRecords",
                "PutTraceSegments",
            )
        },
    }
    sometimes["all"] = sometimes["models"] | sometimes["buckets"] | sometimes["tracing"]
    for name, stack in service.variants.items():
        assert grants(stack, "TaskRole") == sometimes.get(name, {}), name


@invariant
def the_stack_grants_the_deploy_role_nothing(service: RenderedService) -> None:
    """Its permissions are in ops/iam-policy-github-actions.json, which provision applies."""
    for stack in service.stacks:
        assert grants(stack, "DeployRole") == {}


@invariant
def a_wildcard_resource_is_only_for_actions_without_resource_types(
    service: RenderedService,
) -> None:
    stack = service.variants["all"]
    for role in "ExecutionRole", "TaskRole":
        for action, resources in grants(stack, role).items():
            assert "*" not in action
            if "*" in resources:
                assert re.match(r"ecr:GetAuthorizationToken$|xray:", action), action


@invariant
def iam_accepts_every_policy(service: RenderedService) -> None:
    policies = list(service.variants["all"].of_type("AWS::IAM::RolePolicy"))
    names = [(each.properties["RoleName"], each.properties["PolicyName"]) for each in policies]
    assert len(policies) == len(set(names)) == 11
    for policy in policies:
        found = policy_findings(policy.properties["PolicyDocument"])
        if policy.name == "InvokeModels":
            # parliament wants one resource of each kind that could be invoked, models among them.
            assert len(found) == 1, "the note on parliament is out of date: delete it"
            [mismatch] = found
            assert mismatch.startswith("RESOURCE_MISMATCH - [{'action': 'bedrock:InvokeModel'")
            assert "foundation-model/" not in mismatch
            assert "bedrock:*:*:inference-profile/" not in mismatch
        else:
            assert found == [], policy.name


@invariant
def every_arn_is_of_this_partition_and_account(service: RenderedService) -> None:
    """Also in China and GovCloud."""
    topic = "arn:aws-cn:sns:cn-north-1:000000000001:alarms"
    given = service.stack(AlarmTopicArn=topic).given
    found = arns(Stack(service.template, given, Place("aws-cn", "cn-north-1", "000000000001")))
    assert len(found) == 9, "the log, the topic, IAM; two each of ECR, ECS and ELB"
    for arn in found:
        assert arn.startswith("arn:aws-cn:"), f"{arn}: write ${{AWS::Partition}}"
        if not arn.endswith(AGENT.rpartition("/")[2]):
            assert arn.split(":")[4] == "000000000001", f"{arn}: write ${{AWS::AccountId}}"


@invariant
def images_are_immutable_and_scanned(service: RenderedService) -> None:
    repository = service.stack().resources["Repository"].properties
    assert repository["ImageTagMutability"] == "IMMUTABLE", "a tag is a commit"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert "LifecyclePolicy" not in repository, "it is applied from its own file"
