"""A deploy knows as soon as ECS does, and better than the waiter of the AWS CLI."""

import pytest

from simulator.rollouts import Crashes
from tests.story.service import Play, StoryService
from tests.story.world import World

pytestmark = pytest.mark.slow


def test_a_crashing_release_is_red_at_the_second_look_after_ecs_knows(world: World) -> None:
    def play(service: StoryService) -> None:
        service.release()
        service.aws.next_rollout(Crashes())
        known: list[bool] = []
        service.aws.moments.whenever(
            "ecs:DescribeServices", lambda: known.append(service.is_given_up)
        )
        service.deploy().ends(1)
        assert 1 <= sum(known) <= 2

    world.aside("serving", play)


def by_deploy(service: StoryService) -> None:
    service.release()
    service.deploy().ends(1, "error[deployment-rolled-back]")


def by_calls_of_ones_own(service: StoryService) -> None:
    """As the guide has it: register a revision, update the service, and wait."""
    revision = service.aws.client("ecs").describe_task_definition(
        taskDefinition=service.settings.names.family
    )["taskDefinition"]
    asked = {"family", "containerDefinitions", "executionRoleArn", "networkMode", "cpu", "memory"}
    asked |= {"requiresCompatibilities", "runtimePlatform", "taskRoleArn"}
    made = service.aws.client("ecs").register_task_definition(
        **{key: value for key, value in revision.items() if key in asked}
    )
    service.aws.client("ecs").update_service(
        cluster=service.settings.names.cluster,
        service=service.settings.names.service,
        taskDefinition=made["taskDefinition"]["taskDefinitionArn"],
    )


@pytest.mark.parametrize("deploy", [by_deploy, by_calls_of_ones_own])
def test_a_plain_wait_says_success_of_a_rollout_that_failed(world: World, deploy: Play) -> None:
    """Known, too, from aws-actions/amazon-ecs-deploy-task-definition#191 and aws/aws-cli#9275."""

    def play(service: StoryService) -> None:
        served = service.answers
        service.aws.next_rollout(Crashes())
        deploy(service)
        service.wait_until_stable().ends(0)
        assert service.is_given_up
        assert service.answers == served

    world.aside("serving", play)
