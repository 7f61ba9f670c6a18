"""A deploy knows as soon as ECS does, and better than the waiter of the AWS CLI."""

import re

import pytest

from simulator.rollouts import Crashes
from story.service import Play, Service
from story.world import World

pytestmark = pytest.mark.slow


def test_a_crashing_release_is_red_at_the_second_look_after_ecs_knows(world: World) -> None:
    def play(service: Service) -> None:
        service.release()
        service.aws.next_rollout(Crashes())
        known: list[bool] = []
        service.aws.moments.whenever(
            "ecs:DescribeServices", lambda: known.append(service.is_given_up)
        )
        service.deploy().ends(1)
        assert 1 <= sum(known) <= 2

    world.aside("serving", play)


def test_it_looks_every_five_seconds_or_sooner(world: World) -> None:
    def play(service: Service) -> None:
        service.release()
        slept = service.folder / "slept"
        service.replaces("sleep", f'echo "$1" >>"{slept}"')
        service.deploy().ends(0)
        pauses = [int(line) for line in slept.read_text().splitlines()]
        assert pauses != []
        assert max(pauses) <= 5

    world.aside("serving", play)


def by_deploy(service: Service) -> None:
    service.release()
    service.deploy().ends(1, "was rolled back to ai-assistant-task:1")


def by_calls_of_ones_own(service: Service) -> None:
    """As the guide has it: register a revision, update the service, and wait."""
    revision = service.aws.client("ecs").describe_task_definition(
        taskDefinition=service.settings["TASK_FAMILY"]
    )["taskDefinition"]
    asked = {"family", "containerDefinitions", "executionRoleArn", "networkMode", "cpu", "memory"}
    asked |= {"requiresCompatibilities", "runtimePlatform", "taskRoleArn"}
    made = service.aws.client("ecs").register_task_definition(
        **{key: value for key, value in revision.items() if key in asked}
    )
    service.aws.client("ecs").update_service(
        cluster=service.settings["ECS_CLUSTER"],
        service=service.settings["ECS_SERVICE"],
        taskDefinition=made["taskDefinition"]["taskDefinitionArn"],
    )


@pytest.mark.parametrize("deploy", [by_deploy, by_calls_of_ones_own])
def test_a_plain_wait_says_success_of_a_rollout_that_failed(world: World, deploy: Play) -> None:
    """Known, too, from aws-actions/amazon-ecs-deploy-task-definition#191 and aws/aws-cli#9275."""

    def play(service: Service) -> None:
        served = service.answers
        service.aws.next_rollout(Crashes())
        deploy(service)
        service.wait_until_stable().ends(0)
        assert service.is_given_up
        assert service.answers == served

    world.aside("serving", play)


def test_either_version_of_aws_tells_the_same_story(world: World) -> None:
    """Version 1 writes times as numbers, version 2 as text."""
    first, second = (told(world, cli) for cli in (1, 2))
    assert first == second


def told(world: World, cli: int) -> list[str]:
    """The words of a deploy that fails, a rollback and a status, without what differs each time."""
    words = world.folder / f"words-{cli}"

    def play(service: Service) -> None:
        service.cli = cli
        service.release()
        service.aws.next_rollout(Crashes())
        words.write_text(
            "".join(run.text for run in (service.deploy(), service.rollback(), service.status()))
        )

    world.aside("twice deployed", play)
    text = words.read_text()
    assert "was rolled back to" in text
    assert "nothing: it serves as wanted" in text
    text = re.sub(r"\b[0-9a-f]{7,64}\b", "HASH", text)
    return re.sub(r"in \d+ ms|\d\d:\d\d:\d\d", "TIME", text).splitlines()
