"""Provisioning and destroying in accounts that are not as one would wish."""

import json
import os
import sys
from pathlib import Path
from typing import Literal

import pytest

from simulator.docker_client import IMAGE
from simulator.faults import THROTTLED
from tests.story.failures import (
    FailureCase,
    Then,
    again,
    all_is_well,
    another_clone,
    asked,
    both,
    by_hand,
    deploy,
    destroy,
    environment,
    holds,
    moves_to,
    never_asked,
    nothing_more,
    nothing_serves,
    parametrized,
    provision,
    serves_the_release,
    sets,
    still_serves,
)
from tests.story.service import Play, StoryService
from tests.story.world import World
from tests.support.process_checkout import TOOL, Done
from tests.support.settings import sections

PROVIDER = "https://token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
AWS = Path(sys.executable).with_name("aws")
SERVICE_ROLES = [
    "AWSServiceRoleForECS",
    "AWSServiceRoleForApplicationAutoScaling_ECSService",
    "AWSServiceRoleForElasticLoadBalancing",
]


# --- how the account is ---


def has_no_default_network(service: StoryService) -> None:
    ec2 = service.aws.client("ec2")
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    ec2.delete_vpc(VpcId=vpc["VpcId"])


def chooses_subnets(*zones: str) -> Play:
    """Settings that name one subnet for each of these zones of the default network."""

    def so(service: StoryService) -> None:
        ec2 = service.aws.client("ec2")
        (vpc,) = ec2.describe_vpcs()["Vpcs"]
        blocks = iter(range(200, 250))
        chosen = [
            ec2.create_subnet(
                VpcId=vpc["VpcId"],
                AvailabilityZone=zone,
                CidrBlock=f"{vpc['CidrBlock'].rpartition('.')[0].rpartition('.')[0]}.{block}.0/24",
            )["Subnet"]["SubnetId"]
            for zone, block in zip(zones, blocks, strict=False)
        ]
        service.set("network.vpc", vpc["VpcId"])
        service.set("network.subnets", chosen)

    return so


def has_a_provider(*audiences: str) -> Play:
    return by_hand(
        "iam", "create_open_id_connect_provider", Url=PROVIDER, ClientIDList=list(audiences)
    )


def has_what_the_guide_makes(service: StoryService) -> None:
    """A repository whose tags can be moved, with an image, and a log that is kept for ever."""
    by_hand("ecr", "create_repository", repositoryName="{names.repository}")(service)
    by_hand("logs", "create_log_group", logGroupName="{names.log_group}")(service)
    service.aws.client("ecr").put_image(
        repositoryName=service.settings.names.repository,
        imageTag="latest",
        imageManifest='{"schemaVersion": 2}',
        imageManifestMediaType=IMAGE,
    )


def has_a_policy_of_somebody_elses(service: StoryService) -> None:
    statement = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    service.aws.client("iam").put_role_policy(
        RoleName=service.settings.names.deploy_role, PolicyName="theirs", PolicyDocument=policy
    )


def fails(resource: str, verb: Literal["create", "update"], reason: str) -> Play:
    return lambda service: service.aws.cloudformation.fails(resource, verb, reason)


def renames_its_deploy_role(service: StoryService, _: Done) -> None:
    """As the error says."""
    sets({"names.deploy_role": service.settings.names.deploy_role + "-2"})(service)


def has_lost_its_cluster(service: StoryService) -> None:
    by_hand(
        "ecs", "delete_service", cluster="{names.cluster}", service="{names.service}", force=True
    )(service)
    where = {"cluster": service.settings.names.cluster}
    ecs = service.aws.client("ecs")
    for _ in range(4):  # each look moves it on
        ecs.describe_services(**where, services=[service.settings.names.service])
    ecs.delete_cluster(**where)


def has_lost_its_repository_and_log(service: StoryService) -> None:
    by_hand("ecr", "delete_repository", repositoryName="{names.repository}", force=True)(service)
    by_hand("logs", "delete_log_group", logGroupName="{names.log_group}")(service)


def creates_what_was_lost(*commands: str) -> Then:
    """An administrator runs these commands. The error must name each."""

    def then(service: StoryService, done: Done) -> None:
        for command in commands:
            asked_for = command.format(**sections(service.settings))
            assert asked_for in done.err, f"the error should name {asked_for}:\n{done.err}"
            service.run(os.fspath(AWS), *asked_for.split()[1:], principal="root").ends(0)

    return then


def has_lost_its_deploy_role(service: StoryService) -> None:
    for policy in ("deploy", "deploy-limits"):
        by_hand("iam", "delete_role_policy", RoleName="{names.deploy_role}", PolicyName=policy)(
            service
        )
    by_hand("iam", "delete_role", RoleName="{names.deploy_role}")(service)


def serves_with_a_secret(service: StoryService) -> None:
    """It is stored by one name, and its successor by another."""
    for name in "before", "after":
        service.aws.client("ssm").put_parameter(Name=name, Value="s", Type="SecureString")
    names_its_secret("before")(service)
    service.provision().ends(0)
    service.deploy().ends(0)
    names_its_secret("after")(service)


def names_its_secret(value: str) -> Play:
    def so(service: StoryService) -> None:
        document = service.document("infra/task-definition.json")
        document["containerDefinitions"][0]["secrets"] = [{"name": "KEY", "valueFrom": value}]
        service.write("infra/task-definition.json", json.dumps(document))
        service.commit("Name a secret")

    return so


def provision_fails(service: StoryService) -> None:
    service.provision().ends(1)


def confirmed_provision(service: StoryService) -> Done:
    """With the name of the app typed, as for what may belong to something else."""
    return service.run(*TOOL, "provision", typing=f"{service.settings.service.name}\n")


def destroyed(service: StoryService) -> None:
    service.destroy().ends(0)


def finds_it_busy(other: StoryService) -> None:
    other.provision().ends(2, "error[stack-changing]", "CREATE_IN_PROGRESS")


# --- what must hold then ---


def stack_is(status: str) -> Then:
    def then(service: StoryService, _: Done) -> None:
        assert service.stack == status

    return then


def settles(service: StoryService, _: Done) -> None:
    """What CloudFormation has begun, it ends."""
    while service.stack.endswith("_IN_PROGRESS"):
        pass  # each look moves it on


def reads_secrets(*names: str) -> Then:
    """What the execution role may read, and nothing else."""

    def then(service: StoryService, _: Done) -> None:
        found = service.aws.client("iam").get_role_policy(
            RoleName=service.settings.names.execution_role, PolicyName="read-parameters"
        )
        [statement] = found["PolicyDocument"]["Statement"]
        assert [arn.rpartition("/")[2] for arn in statement["Resource"]] == list(names)

    return then


def has_one_provider(service: StoryService, _: Done) -> None:
    iam = service.aws.client("iam")
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    arn = {"OpenIDConnectProviderArn": provider["Arn"]}
    assert AUDIENCE in iam.get_open_id_connect_provider(**arn)["ClientIDList"]


def has_the_roles_of_aws(service: StoryService, _: Done) -> None:
    roles = {role["RoleName"] for role in service.aws.client("iam").list_roles()["Roles"]}
    assert set(SERVICE_ROLES) <= roles


def has_taken_over(service: StoryService, _: Done) -> None:
    """What was in it is there, and it is as the stack says from now on."""
    assert "latest" in service.images
    ecr, logs = service.aws.client("ecr"), service.aws.client("logs")
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    (group,) = logs.describe_log_groups()["logGroups"]
    assert group["retentionInDays"] == int(service.settings.logs.retention_days)


def deploys_without_building(service: StoryService, done: Done) -> None:
    again(deploy, 0, "nothing is built", then=serves_the_release)(service, done)


ROWS = (
    # --- the account ---
    FailureCase(
        "the account is brand-new",
        "nothing",
        all_is_well,
        provision,
        0,
        (*(f"created, for AWS itself: {role}" for role in SERVICE_ROLES), "18 to add"),
        holds(
            has_one_provider,
            has_the_roles_of_aws,
            again(
                provision,
                0,
                "nothing to change",
                then=never_asked(
                    "iam:CreateServiceLinkedRole",
                    "iam:CreateOpenIDConnectProvider",
                    "cloudformation:ExecuteChangeSet",
                ),
            ),
        ),
    ),
    FailureCase(
        "there is no default network",
        "nothing",
        has_no_default_network,
        provision,
        2,
        ("error[network-no-default]", "set [network] vpc and subnets"),
        nothing_serves,
    ),
    FailureCase(
        "there is one subnet",
        "nothing",
        chooses_subnets("us-east-1a"),
        provision,
        2,
        ("the load balancer needs subnets in two zones or more", "are in 1"),
        nothing_serves,
    ),
    FailureCase(
        "two subnets are in one zone",
        "nothing",
        chooses_subnets("us-east-1a", "us-east-1b", "us-east-1a"),
        provision,
        2,
        ("the load balancer takes one subnet of each zone", "are all of us-east-1a"),
        nothing_serves,
    ),
    FailureCase(
        "the identity provider is there",
        "nothing",
        has_a_provider(AUDIENCE),
        provision,
        0,
        ("18 to add",),
        holds(has_one_provider, never_asked("iam:CreateOpenIDConnectProvider")),
    ),
    FailureCase(
        "the identity provider is there for somebody else",
        "nothing",
        has_a_provider("somebody.else"),
        provision,
        0,
        ("added: the audience sts.amazonaws.com",),
        has_one_provider,
    ),
    FailureCase(
        "the repository and the log group are there",
        "nothing",
        has_what_the_guide_makes,
        confirmed_provision,
        0,
        ("16 to add", "2 to take over", "imported Repository"),
        has_taken_over,
    ),
    FailureCase(
        "all was destroyed",
        "serving",
        destroyed,
        provision,
        0,
        ("16 to add", "2 to take over"),
        deploys_without_building,
    ),
    # --- the way to AWS ---
    FailureCase(
        "there are no credentials",
        "nothing",
        environment(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""),
        provision,
        2,
        ("error[sign-in]", "Unable to locate credentials", "aws sso login"),
        nothing_serves,
    ),
    FailureCase(
        "the account is the wrong one",
        "nothing",
        moves_to("us-east-1", "210987654321"),
        provision,
        2,
        ("error[account-differs]", "123456789012", "210987654321"),
        nothing_serves,
    ),
    FailureCase(
        "CloudFormation throttles it for ever",
        "nothing",
        both(
            environment(AWS_MAX_ATTEMPTS="1"),
            lambda service: service.aws.faults.refuse(
                "cloudformation:DescribeStackEvents", THROTTLED, times=99, after=2
            ),
        ),
        provision,
        3,
        (
            "error[stack-unanswered]",
            "Rate exceeded",
            "CloudFormation continues to change the stack ai-assistant.",
        ),
        holds(settles, again(provision, 0, "nothing to change", then=stack_is("CREATE_COMPLETE"))),
    ),
    # --- the stack ---
    FailureCase(
        "a resource cannot be made",
        "nothing",
        fails("LoadBalancer", "create", "You have reached the limit of load balancers"),
        provision,
        1,
        (
            "error[stack-not-changed]",
            "(ROLLBACK_COMPLETE): LoadBalancer: You have reached the limit of load balancers",
        ),
        holds(
            stack_is("ROLLBACK_COMPLETE"),
            again(deploy, 2, "error[stack-failed]", "ROLLBACK_COMPLETE", then=nothing_serves),
        ),
    ),
    FailureCase(
        "the stack is in ROLLBACK_COMPLETE",
        "nothing",
        both(fails("Cluster", "create", "no"), provision_fails),
        provision,
        0,
        ("its creation failed, so it is created again",),
        stack_is("CREATE_COMPLETE"),
    ),
    FailureCase(
        "the stack cannot be updated",
        "serving",
        both(sets({"logs.retention_days": 90}), fails("LogGroup", "update", "the log is busy")),
        provision,
        1,
        ("error[stack-not-changed]", "(UPDATE_ROLLBACK_COMPLETE): LogGroup: the log is busy"),
        holds(
            still_serves,
            stack_is("UPDATE_ROLLBACK_COMPLETE"),
            again(deploy, then=serves_the_release),
        ),
    ),
    FailureCase(
        "somebody else provisions it",
        "nothing",
        another_clone("cloudformation:ExecuteChangeSet", finds_it_busy),
        provision,
        0,
        ("18 to add",),
        stack_is("CREATE_COMPLETE"),
    ),
    FailureCase(
        "the cluster was deleted by hand",
        "serving",
        has_lost_its_cluster,
        deploy,
        2,
        ("error[cluster-missing]", "uv run --frozen -m infra provision"),
        again(
            provision,
            2,
            "error[resources-deleted]",
            then=holds(
                creates_what_was_lost(
                    "aws ecs create-cluster --region {service.region}"
                    " --cluster-name {names.cluster}"
                ),
                again(provision, then=again(deploy, then=serves_the_release)),
            ),
        ),
    ),
    FailureCase(
        "the repository and the log group were deleted by hand",
        "provisioned",
        both(has_lost_its_repository_and_log, sets({"logs.retention_days": 90})),
        provision,
        2,
        ("error[resources-deleted]",),
        holds(
            creates_what_was_lost(
                "aws ecr create-repository --region {service.region} --repository-name"
                " {names.repository}",
                "aws logs create-log-group --region {service.region}"
                " --log-group-name {names.log_group}",
            ),
            again(
                provision,
                0,
                "updated  LogGroup",
                then=again(deploy, then=serves_the_release),
            ),
        ),
    ),
    FailureCase(
        "the deploy role was deleted by hand",
        "serving",
        has_lost_its_deploy_role,
        provision,
        2,
        (
            "error[roles-deleted]",
            'set [names] deploy_role = "ai-assistant-us-east-1-github-actions-2"',
        ),
        holds(
            renames_its_deploy_role,
            again(provision, then=again(deploy, then=serves_the_release)),
        ),
    ),
    FailureCase(
        "a secret is renamed, and the stack is updated before the deploy",
        "provisioned",
        serves_with_a_secret,
        provision,
        0,
        (),
        holds(
            still_serves,
            reads_secrets("after", "before"),
            again(
                deploy,
                then=holds(serves_the_release, again(provision, then=reads_secrets("after"))),
            ),
        ),
    ),
    # --- taking it down ---
    FailureCase(
        "the deploy role has the policy that provision put there",
        "serving",
        all_is_well,
        destroy,
        0,
        ("gone: ai-assistant-service", "Kept: the images in ai-assistant"),
        holds(nothing_serves, asked("iam:DeleteRolePolicy"), stack_is("")),
    ),
    FailureCase(
        "the deploy role has a policy of somebody else's",
        "serving",
        has_a_policy_of_somebody_elses,
        destroy,
        1,
        (
            "error[stack-not-deleted]",
            "(DELETE_FAILED): DeployRole: ",
            "must delete policies first",
            "run this again: uv run --frozen -m infra destroy",
        ),
        holds(
            stack_is("DELETE_FAILED"),
            lambda service, _: by_hand(
                "iam", "delete_role_policy", RoleName="{names.deploy_role}", PolicyName="theirs"
            )(service),
            again(provision, 2, "error[stack-half-deleted]", then=nothing_more),
            again(destroy, then=stack_is("")),
        ),
    ),
    FailureCase(
        "somebody types another name",
        "serving",
        all_is_well,
        lambda service: service.run(*TOOL, "destroy", typing="ai-assistent\n"),
        2,
        ("error[not-confirmed]", "type ai-assistant: "),
        still_serves,
    ),
    FailureCase(
        "the service is gone already",
        "serving",
        by_hand(
            "ecs",
            "delete_service",
            cluster="{names.cluster}",
            service="{names.service}",
            force=True,
        ),
        destroy,
        0,
        ("gone: ai-assistant-service",),
        stack_is(""),
    ),
)


@pytest.mark.parametrize("row", parametrized(ROWS))
def test_an_account_that_is_not_as_one_would_wish(world: World, row: FailureCase) -> None:
    row.holds(world)
