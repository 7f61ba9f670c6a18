"""The whole life of a service, from an empty account until everything is deleted again.

It runs once, and each test checks one command of it, including every call to AWS.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.simulation import SimulatedAws
from tests.container.containers import NO_ENGINE, docker, engine_answers
from tests.story.inventory import LISTS, inventory, new
from tests.support.checkout import SUBJECT, Checkout, Run
from tests.support.installed_service import InstalledService
from tests.support.rendering import Render

APP = "ai-assistant"
Inventory = dict[str, list[str]]

CHECKS = ["sts:GetCallerIdentity", "cloudformation:DescribeStacks", "ecs:DescribeServices"]
PROVIDES_IMAGE = ["ecr:DescribeImages", "ecr:GetAuthorizationToken", "ecr:DescribeImages"]
LOOKS = ["ecs:DescribeServices", "ecs:ListTasks"]
RESOURCES = [
    "iam:GetRole",  # each of the stack's
    "iam:GetRole",
    "iam:GetRole",
    "ecr:DescribeRepositories",
    "logs:DescribeLogGroups",
    "ecs:DescribeClusters",
    "ecs:DescribeServices",
]
PROVIDER_AND_ROLES = [
    *["iam:GetRolePolicy"] * 2,  # of the deploy role
    "iam:GetRole",
    *["iam:GetRole"] * 3,  # each of AWS's own
    "iam:GetOpenIDConnectProvider",
    "iam:GetGroup",
]
PLANS = ["cloudformation:CreateChangeSet", *["cloudformation:DescribeChangeSet"] * 2]
APPLIES = [
    "ecr:PutImageTagMutability",
    "ecr:PutImageScanningConfiguration",
    "logs:PutRetentionPolicy",
    "ecr:PutLifecyclePolicy",
    *["iam:PutRolePolicy"] * 2,
    "cloudformation:DescribeStacks",
]
PROTECTIONS = [
    "elbv2:DescribeLoadBalancers",
    "elbv2:DescribeLoadBalancerAttributes",
    "ecs:ListServices",  # others in the cluster, and tasks of no service
    "ecs:ListTasks",
    "ecs:DescribeTasks",
]
FOLLOWS = "cloudformation:DescribeStackEvents"
SCAN = "ecr:DescribeImageScanFindings"
SCHEDULES = "application-autoscaling:DescribeScheduledActions"
KEEPS = ["ecr:BatchGetImage", "ecr:PutImage"]  # the tag "deployed-COMMIT"
SCALES = [
    "application-autoscaling:RegisterScalableTarget",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:DescribeScalingPolicies",
]


@dataclass(frozen=True)
class Chapter:
    """The result of a command, and the state of the account after it."""

    run: Run
    commit_served: str
    revisions: list[str]
    images: dict[str, str]
    inventory: Inventory


class Story:
    def __init__(self, service: Checkout) -> None:
        self.service = service
        self.before = inventory(service.aws)
        self.provision = self.told(service.administer("provision"))
        self.commit = service.head
        self.first = self.told(service.run("deploy"))
        self.later_commit = service.new_commit()
        self.second = self.told(service.run("deploy"))
        self.again = self.told(service.run("deploy"))
        self.rollback = self.told(service.run("rollback"))
        self.status = self.told(service.run("status"))
        self.provision_again = self.told(service.administer("provision"))
        self.destroy = self.told(service.administer("destroy", typed=APP))
        self.taken_back = self.told(service.administer("provision"))
        self.afresh = self.told(service.run("deploy"))

    def told(self, run: Run) -> Chapter:
        """The story ends at the first command that fails, because the next ones depend on it."""
        run.expect(0)
        service, found = self.service, inventory(self.service.aws)
        images = service.images if found["AWS::ECR::Repository"] else {}
        return Chapter(run, service.commit_served, service.revisions, images, found)


def service_in(aws: SimulatedAws, render: Render, folder: Path) -> Checkout:
    service = Checkout.of(render, aws, folder, own_process=True)
    service.set("github.subject", SUBJECT)  # so GitHub is not asked
    service.commit("Name the subject")
    return service


TELLINGS = [
    pytest.param("fast"),
    pytest.param("docker as it is", marks=pytest.mark.container),
]


@pytest.fixture(scope="module", params=TELLINGS)
def story(
    request: pytest.FixtureRequest, example: Render, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("story")
    if request.param == "fast":
        started: SimulatedAws = request.getfixturevalue("started_aws")
        started.reset()
        yield Story(service_in(started, example, folder))
        started.check()
        return
    if not engine_answers():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_ENGINE)
    with SimulatedAws(docker="real") as aws:
        service = service_in(aws, example, folder)
        service.set("deploy.build_flags", ["--network=host"])
        (service.folder / "uv.lock").unlink()  # which stands for the real one elsewhere
        InstalledService(service.folder).uv("lock", "--quiet")
        service.commit("Lock the dependencies")
        story = Story(service)
        for tag in story.second.images:
            docker("rmi", f"{aws.address}/{service.settings.names.repository}:{tag}")
        yield story


def test_the_inventory_knows_every_kind_of_resource_in_the_stack(story: Story) -> None:
    resources = (
        (story.service.folder / "infra/stack.yml").read_text("utf-8").partition("\nResources:\n")[2]
    )
    made = set(re.findall(r"^    Type: (AWS::\S+)$", resources, re.MULTILINE))
    assert made <= LISTS.keys(), "tests/story/inventory.py must list these, too"


def test_provisioning_creates_the_resources_of_the_service(story: Story) -> None:
    chapter = story.provision
    added = new(story.before, chapter.inventory)
    assert LISTS.keys() - added.keys() == {
        "AWS::CertificateManager::Certificate",  # no [https] hosted_zone is set
        "AWS::CloudWatch::Dashboard",  # no [observe] dashboard is set
        "AWS::EC2::PrefixList",  # no addresses are allowed in particular
        "AWS::Route53::RecordSet",  # no [https] hosted_zone is set
        "AWS::WAFv2::WebACLAssociation",  # no [security] web_acl is set
        "AWS::Events::Rule",  # no [alarms] topic is set
        "group",  # no [github] deploy_user is set
        *("revision", "scalable target", "scaling policy", "service"),  # a deploy makes them
    }
    assert chapter.commit_served == "", "no task is running yet"
    assert without_following(chapter) == [
        *CHECKS[:2],
        "ec2:DescribeVpcs",
        *["ec2:DescribeSubnets"] * 2,  # those of the default VPC, and what is chosen
        "ec2:DescribeRouteTables",
        *PROVIDER_AND_ROLES,
        *PLANS,
        "iam:CreateOpenIDConnectProvider",
        *["iam:CreateServiceLinkedRole", "iam:GetRole"] * 3,
        "cloudformation:ExecuteChangeSet",
        *APPLIES,
    ]


def test_the_first_deploy_creates_the_service_and_its_scaling(story: Story) -> None:
    chapter = story.first
    assert operations(chapter) == [
        *CHECKS,
        *PROVIDES_IMAGE,
        SCAN,
        "ecs:RegisterTaskDefinition",
        "ecs:CreateService",
        *LOOKS,
        *LOOKS,
        *LOOKS,
        *KEEPS,
        *SCALES,
    ]
    assert pushes(chapter) == 1
    assert chapter.commit_served == story.commit
    assert len(chapter.revisions) == 1
    assert chapter.inventory["service"] != []


def test_the_second_deploy_updates_it(story: Story) -> None:
    chapter = story.second
    assert operations(chapter) == [
        *CHECKS,
        SCHEDULES,
        "ecs:DescribeTaskDefinition",
        *PROVIDES_IMAGE,
        SCAN,
        "ecs:RegisterTaskDefinition",
        "ecs:UpdateService",
        *LOOKS,
        *LOOKS,
        *LOOKS,
        "ecs:DescribeTasks",  # one has stopped, and only this shows of which deployment it was
        *LOOKS,
        *KEEPS,
        *SCALES,
    ]
    assert pushes(chapter) == 1
    assert chapter.commit_served == story.later_commit
    assert chapter.images.keys() == {story.commit, story.later_commit}


def test_the_same_commit_again_pushes_and_registers_nothing(story: Story) -> None:
    chapter = story.again
    assert operations(chapter) == [
        *CHECKS,
        SCHEDULES,
        "ecs:DescribeTaskDefinition",
        KEEPS[0],
        *SCALES,
    ]
    assert pushes(chapter) == 0
    assert chapter.revisions == story.second.revisions
    assert (chapter.commit_served, chapter.images) == (story.later_commit, story.second.images)


def test_a_rollback_registers_nothing_and_the_earlier_commit_answers(story: Story) -> None:
    chapter = story.rollback
    assert operations(chapter) == [
        "sts:GetCallerIdentity",
        "ecs:DescribeServices",
        "ecs:ListServiceDeployments",
        "ecs:DescribeServiceRevisions",
        "ecs:DescribeTaskDefinition",
        "ecr:DescribeImages",
        "ecs:UpdateService",
        *LOOKS,
        "ecs:DescribeTasks",  # of those that stopped before: ECS lists them for an hour
        *LOOKS,
        *LOOKS,
        "ecs:DescribeTasks",
        *LOOKS,
        "cloudformation:DescribeStacks",  # for the URL
    ]
    assert chapter.commit_served == story.commit
    assert chapter.revisions == story.second.revisions


def test_the_status_shows_what_runs_and_changes_nothing(story: Story) -> None:
    chapter = story.status
    assert operations(chapter) == [
        *CHECKS,
        "ecs:DescribeTaskDefinition",
        SCAN,
        "application-autoscaling:DescribeScalableTargets",
        "cloudwatch:DescribeAlarms",
        "logs:FilterLogEvents",
        "logs:FilterLogEvents",
    ]
    chapter.run.expect_text(
        "200 in ",
        f"commit {story.commit[:7]}",
        "1 of 1 running; scaling 1 to 4",
        "nothing: the service is healthy",
    )
    assert len(chapter.run.text.splitlines()) <= 24, "it fits one screen"


def test_a_second_provision_changes_no_image(story: Story) -> None:
    chapter = story.provision_again
    assert "nothing to change" in chapter.run.text
    assert chapter.commit_served == story.commit
    assert chapter.inventory == story.rollback.inventory
    assert operations(chapter) == [
        *CHECKS[:2],
        *RESOURCES,
        "ecs:DescribeTaskDefinition",  # which serves: its secrets stay readable
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        *PROVIDER_AND_ROLES,
        *PLANS,
        "cloudformation:DeleteChangeSet",
        *APPLIES,
    ]


def test_only_intended_resources_are_left_after_destroy(story: Story) -> None:
    chapter = story.destroy
    settings = story.service.settings
    left = new(story.before, chapter.inventory)
    assert left.pop("revision") != []  # no one can delete them for good, and they cost nothing
    assert left.pop("identity provider") != []  # one for each account
    assert all(role.startswith("AWSServiceRoleFor") for role in left.pop("AWS::IAM::Role"))
    assert left == {
        "AWS::ECR::Repository": [settings.names.repository],
        "AWS::Logs::LogGroup": [settings.names.log_group],
    }
    assert chapter.images == story.second.images
    assert without_following(chapter) == [
        *CHECKS[:2],
        *PROTECTIONS,
        "application-autoscaling:DeregisterScalableTarget",
        "ecs:DeleteService",
        *["ecs:DescribeServices"] * 2,  # it is DRAINING at first
        *["ecs:ListTasks", "ecs:ListTasks", "ecs:DescribeTasks", "ecs:DescribeServices"],
        *["ecs:ListTasks", "ecs:ListTasks", "ecs:DescribeTasks"],
        "iam:GetGroup",
        *["iam:DeleteRolePolicy"] * 2,
        "cloudformation:DeleteStack",
    ]


def test_a_provision_after_destroy_imports_the_kept_resources(story: Story) -> None:
    chapter = story.taken_back
    chapter.run.expect_text("2 to take over", "16 to add")
    assert chapter.images == story.second.images
    assert (pushes(story.afresh), story.afresh.commit_served) == (0, story.later_commit)


def operations(chapter: Chapter) -> list[str]:
    """The calls of the tool, without those of docker to the registry."""
    return [call.name for call in chapter.run.calls if not call.by_docker]


def without_following(chapter: Chapter) -> list[str]:
    """The calls without the polls of the stack, whose number varies."""
    found = operations(chapter)
    assert FOLLOWS in found
    return [name for name in found if name != FOLLOWS]


def pushes(chapter: Chapter) -> int:
    """The number of pushed images, without the tag that an image gets after its deploy."""
    return sum(
        call.name == "ecr:PutImage" and "deployed-" not in call.parameters.get("imageTag", "")
        for call in chapter.run.calls
    )
