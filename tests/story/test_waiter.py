"""The reason why the tool does not use the waiter of the AWS CLI."""

import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from simulator.ecs.rollouts import Crashes
from tests.support.checkout import Checkout, Run

pytestmark = pytest.mark.slow


def deploy(service: Checkout) -> None:
    service.new_commit()
    service.run("deploy").expect(1, "deployment-rolled-back")


def deploy_by_calls(service: Checkout) -> None:
    """As the guide does it: register a revision, update the service, and wait."""
    ecs, names = service.aws.client("ecs"), service.settings.names
    present = ecs.describe_task_definition(taskDefinition=names.family)["taskDefinition"]
    kept = {"family", "containerDefinitions", "executionRoleArn", "networkMode", "cpu", "memory"}
    kept |= {"requiresCompatibilities", "runtimePlatform", "taskRoleArn"}
    made = ecs.register_task_definition(**{key: present[key] for key in kept & present.keys()})
    ecs.update_service(
        cluster=names.cluster,
        service=names.service,
        taskDefinition=made["taskDefinition"]["taskDefinitionArn"],
    )


def wait_until_stable(service: Checkout) -> Run:
    """`aws ecs wait services-stable`, which polls without its pauses of 15 s."""
    awscli = find_spec("awscli.botocore")
    assert awscli, "aws is missing: uv sync"
    assert awscli.origin
    (model,) = Path(awscli.origin).with_name("data").glob("ecs/*/waiters-2.json")
    waiters = json.loads(model.read_text())
    waiters["waiters"]["ServicesStable"]["delay"] = 0
    changed = service.home / "models" / "ecs" / model.parent.name / model.name
    changed.parent.mkdir(parents=True)
    changed.write_text(json.dumps(waiters))
    names = service.settings.names
    where = "--cluster", names.cluster, "--services", names.service
    models = {"AWS_DATA_PATH": os.fspath(service.home / "models")}
    return service.run_program("aws", "ecs", "wait", "services-stable", *where, **models)


@pytest.mark.parametrize("act", [deploy, deploy_by_calls])
def test_the_aws_cli_reports_success_for_a_deployment_that_failed(
    running: Checkout, act: Callable[[Checkout], None]
) -> None:
    """See aws-actions/amazon-ecs-deploy-task-definition#191 and aws/aws-cli#9275."""
    served = running.commit_served
    running.aws.next_rollout(Crashes())
    act(running)
    wait_until_stable(running).expect(0)
    assert running.has_failed
    assert running.commit_served == served != ""
