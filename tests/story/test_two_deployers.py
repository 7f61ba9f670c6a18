"""Two people, or a person and a workflow, deploy one service at the same time."""

from pathlib import Path

import pytest

from tests.support.checkout import Checkout

pytestmark = pytest.mark.slow


@pytest.fixture
def other(running: Checkout, tmp_path: Path) -> Checkout:
    """Another clone of the running service, at the same commit."""
    return running.copy(tmp_path / "other")


def test_the_later_of_two_releases_at_once_replaces_the_earlier_one(
    running: Checkout, other: Checkout
) -> None:
    """The later deployment replaces the earlier one."""

    def deploy_another_release() -> None:
        other.new_commit("Another release")
        other.run("deploy").expect(0)

    running.new_commit()
    running.aws.moments.when("ecs:DescribeServices", deploy_another_release, after=1)
    run = running.run("deploy").expect(1, "deployment-overtaken")
    run.expect_text("a later deployment of ai-assistant-task:3 replaced")
    assert running.revision == "ai-assistant-task:3"
    assert running.commit_served == other.head


def test_two_deploys_of_one_release_at_once_if_the_other_pushes_first(
    running: Checkout, tmp_path: Path
) -> None:
    commit = running.new_commit()
    other = running.copy(tmp_path / "other")
    running.aws.moments.when("ecr:DescribeImages", lambda: other.run("deploy").expect(0))
    running.run("deploy").expect(0).expect_text(
        "The image tag", "already exists", "docker could not push it: asking ECR"
    )
    assert running.commit_served == commit
    assert commit in running.images
    assert len(set(running.images.values())) == len(running.images), "one image for each commit"


def test_two_deploys_of_one_release_at_once_watch_one_deployment(
    running: Checkout, tmp_path: Path
) -> None:
    commit = running.new_commit()
    other = running.copy(tmp_path / "other")

    def watch() -> None:
        run = other.run("deploy").expect(0).expect_text("is in steady state as")
        assert "ecs:RegisterTaskDefinition" not in run.operations

    running.aws.moments.when("ecs:DescribeServices", watch, after=1)
    running.run("deploy").expect(0).expect_text("is in steady state as")
    assert running.commit_served == commit
    assert running.revision == "ai-assistant-task:2"


def test_a_push_that_breaks_off_is_completed_by_the_next_deploy(running: Checkout) -> None:
    served = running.commit_served
    commit = running.new_commit()
    running.aws.faults.drop("ecr:UploadLayerPart", after=1)
    running.run("deploy").expect(1, "image-not-pushed").expect_text("EOF")
    assert (running.commit_served, running.revision) == (served, "ai-assistant-task:1")
    running.aws.faults.clear()
    running.run("deploy").expect(0)
    assert running.commit_served == commit
