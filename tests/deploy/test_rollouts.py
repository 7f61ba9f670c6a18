"""infra/deploy.sh tells the truth about the rollout of a commit, and stops as soon as it knows."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from rendering import Render
from stage import (
    BEFORE,
    DIGEST,
    LABEL,
    OURS,
    TARGET_GROUP,
    URL,
    Json,
    Refusal,
    Stage,
    image,
    refusal,
)

ASKS_FIRST = [
    "sts get-caller-identity",
    "cloudformation describe-stacks",
    "ecs describe-services",
]
SCALES = [
    "application-autoscaling register-scalable-target",
    "application-autoscaling put-scaling-policy",
    "application-autoscaling put-scaling-policy",
    "application-autoscaling describe-scaling-policies",
]
DELETES_A_POLICY = "application-autoscaling delete-scaling-policy"
LOOKS = ["ecs describe-services", "ecs list-tasks"]
BREAKER = "ECS deployment circuit breaker: tasks failed to start."


@pytest.fixture
def stage(example: Render, tmp_path: Path) -> Stage:
    return Stage(example, tmp_path)


def rolled_back(stage: Stage) -> Json:
    """The service just after the circuit breaker has gone back to the revision before."""
    back = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."
    return stage.described(
        stage.deployment(BEFORE, running=1, reason=back),
        stage.deployment(OURS, "FAILED", status="ACTIVE", failed=3, reason=BREAKER),
        says=["(service) was unable to place a task.", "(service) rolling back."],
    )


def tags_of(stage: Stage) -> dict[str, str]:
    """The tags that a deploy of the present commit gives its revision."""
    stage.answers("ecs update-service", refusal("ServerException"))
    run = stage.deploy()
    run.ends(1)
    tags = run.request("ecs register-task-definition")["tags"]
    return {tag["key"]: tag["value"] for tag in tags}


# --- green ---


def test_a_commit_is_built_pushed_rolled_out_and_scaled_with_no_call_too_many(stage: Stage) -> None:
    stage.rolls_out_slowly()
    run = stage.deploy()
    run.ends(0)
    assert run.asked == [
        *ASKS_FIRST,
        "ecs describe-task-definition",
        "ecr describe-images",
        "docker version",
        "ecr get-login-password",
        "docker login",
        "docker build",
        "docker push",
        "ecr describe-images",
        "ecs register-task-definition",
        "ecs update-service",
        *LOOKS,
        *LOOKS,
        "ecs describe-services",
        *SCALES,
    ]
    assert run.out.count("event    started 1 task") == 1, "an event is told once"
    assert run.out.splitlines()[-1] == (
        f"serving {stage.settings['APP_NAME']} {stage.head[:7]} as {stage.revision(OURS)} at {URL}"
    )


def test_the_image_is_named_after_the_commit_and_deployed_by_its_digest(stage: Stage) -> None:
    stage.rolls_out_well()
    run = stage.deploy()
    repository = f"{stage.settings['ECR_REGISTRY']}/{stage.settings['ECR_REPOSITORY']}"
    docker = [call for call in run.calls if call.program == "docker"]
    _, login, build, push = (call.words for call in docker)
    assert docker[2].environment[4:] == ("1", "1"), "BuildKit, and no manifest but the image's"
    assert login[-1] == stage.settings["ECR_REGISTRY"]
    assert (stage.stage / "password").read_text().strip() == "a-password"
    assert build[1:3] == ("--platform", "linux/amd64")
    assert f"COMMIT={stage.head}" in build
    assert f"{repository}:{stage.head}" in build
    assert push[-1] == f"{repository}:{stage.head}"
    (container,) = run.request("ecs register-task-definition")["containerDefinitions"]
    assert container["image"] == f"{repository}@{DIGEST}"
    assert "a-password" not in run.text + str(run.calls)


def test_the_documents_are_sent_as_they_stand(stage: Stage) -> None:
    stage.rolls_out_well()
    run = stage.deploy()
    task = run.request("ecs register-task-definition")
    document = stage.render.json("infra/task-definition.json")
    assert {tag["key"] for tag in task.pop("tags")} == {"commit", "document"}
    task["containerDefinitions"][0]["image"] = document["containerDefinitions"][0]["image"]
    assert task == document

    update = run.request("ecs update-service")
    service = stage.render.json("infra/service.json")
    assert {key: update.get(key) for key in service if key != "launchType"} == {
        key: value for key, value in service.items() if key != "launchType"
    }
    assert update["taskDefinition"].endswith(stage.revision(OURS))
    assert update["loadBalancers"] == [
        {
            "targetGroupArn": TARGET_GROUP,
            "containerName": stage.settings["CONTAINER_NAME"],
            "containerPort": 8080,
        }
    ]
    assert update["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-1", "subnet-2"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "ENABLED",
    }


def test_scaling_is_what_the_document_and_the_settings_say(stage: Stage) -> None:
    stage.rolls_out_well()
    run = stage.deploy()
    settings = stage.settings
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{settings['ECS_CLUSTER']}/{settings['ECS_SERVICE']}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    register, *put, described = (call.parameters() for call in run.calls if call.name in SCALES)
    assert register == target | {"MinCapacity": 1, "MaxCapacity": 4}
    policies = stage.render.json("infra/autoscaling.json")["policies"]
    by_requests = policies[1]["TargetTrackingScalingPolicyConfiguration"]
    by_requests["PredefinedMetricSpecification"]["ResourceLabel"] = LABEL
    assert put == [target | policy for policy in policies]
    assert described == target


def test_a_scaling_policy_that_the_document_does_not_name_is_deleted(stage: Stage) -> None:
    stage.has_policies("by hand", "memory")
    stage.rolls_out_well()
    run = stage.deploy()
    run.ends(0, "does not name: by hand", "does not name: memory")
    settings = stage.settings
    deleted = [call.parameters() for call in run.calls if call.name == DELETES_A_POLICY]
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{settings['ECS_CLUSTER']}/{settings['ECS_SERVICE']}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    assert deleted == [target | {"PolicyName": name} for name in ("by hand", "memory")]


def test_the_first_deploy_makes_the_service(stage: Stage) -> None:
    stage.has_no_service()
    stage.rolls_out_well()
    run = stage.deploy()
    run.ends(0, "serving ")
    assert "ecs update-service" not in run.asked
    request = run.request("ecs create-service")
    assert request["serviceName"] == stage.settings["ECS_SERVICE"]
    assert request["launchType"] == "FARGATE"
    assert request["desiredCount"] == 1
    assert request["clientToken"] == stage.revision(OURS), "the next one creates another"


def test_a_service_that_was_deleted_is_created_again(stage: Stage) -> None:
    stage.now = stage.described(status="INACTIVE")
    stage.rolls_out_well()
    run = stage.deploy()
    run.ends(0)
    assert "ecs create-service" in run.asked
    assert "ecs describe-task-definition" not in run.asked


def test_an_update_sends_nothing_that_only_a_new_service_takes(stage: Stage) -> None:
    model: Any = get_session().get_service_model("ecs")
    create, update = (
        model.operation_model(name).input_shape for name in ("CreateService", "UpdateService")
    )
    only_new = create.members.keys() - update.members.keys() - {"serviceName"}
    values = {"string": "x", "list": []}
    stage.change(
        "infra/service.json", {name: values[create.members[name].type_name] for name in only_new}
    )
    stage.rolls_out_well()
    run = stage.deploy()
    run.ends(0)
    assert "launchType" in only_new
    assert not only_new & run.request("ecs update-service").keys()


def test_an_update_leaves_the_number_of_tasks_to_the_scaling(stage: Stage) -> None:
    stage.change("infra/service.json", {"desiredCount": 7})
    stage.rolls_out_well()
    run = stage.deploy()
    assert "desiredCount" not in run.request("ecs update-service")
    assert "forceNewDeployment" not in run.request("ecs update-service")


def test_a_service_that_was_scaled_to_zero_gets_its_tasks_back(stage: Stage) -> None:
    """A rollout of no tasks is complete at once: green, and nothing has ever been started."""
    stage.now = stage.described(stage.deployment(BEFORE, "COMPLETED", desired=0)) | {
        "desiredCount": 0
    }
    stage.rolls_out_well()
    assert stage.deploy().request("ecs update-service")["desiredCount"] == 1


def test_what_is_complete_but_runs_no_task_does_not_serve_already(stage: Stage) -> None:
    stage.has_revision(OURS, tags_of(stage))
    stage.now = stage.described(stage.deployment(OURS, "COMPLETED", failed=17))
    stage.rolls_out_well()
    assert "ecs update-service" in stage.deploy().asked


def test_what_the_client_refuses_was_never_asked_for(stage: Stage) -> None:
    stage.rolls_out_well()
    wrong = "Invalid type for parameter healthCheckGracePeriodSeconds, value: soon"
    stage.answers("ecs update-service", Refusal(f"Parameter validation failed:\n{wrong}"))
    run = stage.deploy()
    run.ends(1, wrong)
    assert "is not known" not in run.text


def test_two_lost_answers_do_not_make_a_stale_one_true(stage: Stage) -> None:
    throttled = refusal("ThrottlingException", "Rate exceeded")
    stale = stage.described(stage.steady(BEFORE))
    done = stage.described(stage.deployment(OURS, "COMPLETED", running=1))
    stage.rolls_out(throttled, throttled, stale, done)
    stage.deploy().ends(0)


def test_deploying_what_serves_already_builds_registers_and_rolls_out_nothing(stage: Stage) -> None:
    stage.has_revision(OURS, tags_of(stage))
    stage.serves(OURS)
    run = stage.deploy()
    run.ends(0, "serves already", f"as {stage.revision(OURS)} at {URL}")
    assert run.asked == [*ASKS_FIRST, "ecs describe-task-definition", *SCALES]


def test_a_run_after_one_that_was_cut_off_watches_the_same_rollout(stage: Stage) -> None:
    stage.has_revision(OURS, tags_of(stage))
    stage.now = stage.described(stage.deployment(OURS, pending=1), stage.leaving())
    stage.rolls_out_slowly()
    run = stage.deploy()
    run.ends(0, "watching on", f"serving {stage.settings['APP_NAME']}")
    assert run.asked == [
        *ASKS_FIRST,
        "ecs describe-task-definition",
        *LOOKS,
        *LOOKS,
        "ecs describe-services",
        *SCALES,
    ]


def test_a_rollout_that_failed_is_tried_again_with_the_image_that_is_there(stage: Stage) -> None:
    stage.has_revision(OURS, tags_of(stage))
    stage.now = stage.described(stage.deployment(OURS, "FAILED"))
    stage.has_image()
    stage.rolls_out_well()
    run = stage.deploy()
    run.ends(0)
    assert "ecs update-service" in run.asked
    assert not [name for name in run.asked if name.startswith("docker")]


@pytest.mark.parametrize("tag", ["commit", "document"])
def test_a_revision_that_differs_in_one_tag_is_not_what_is_deployed(stage: Stage, tag: str) -> None:
    stage.has_revision(OURS, tags_of(stage) | {tag: "0"})
    stage.serves(OURS)
    assert "ecs update-service" in stage.deploy().asked


def test_whatever_is_rolled_out_is_in_the_tags(stage: Stage) -> None:
    """So that only what serves already in every part is taken to serve already."""
    seen = [tags_of(stage)]
    stage.git("commit", "--quiet", "--allow-empty", "--message", "Another")
    seen.append(tags_of(stage))
    assert seen[0]["commit"] != seen[1]["commit"] == stage.head
    assert seen[0]["document"] == seen[1]["document"]

    stage.has_stack(SubnetIds="subnet-1,subnet-3")
    seen.append(tags_of(stage))
    changes: dict[str, Json] = {
        "infra/task-definition.json": {"cpu": "512", "memory": "1024"},
        "infra/service.json": {"healthCheckGracePeriodSeconds": 90},
        "infra/autoscaling.json": {"policies": []},
    }
    for name, change in changes.items():
        stage.change(name, change)
        seen.append(tags_of(stage))
    stage.edit("infra/settings.env", 'MAX_TASKS="4"', 'MAX_TASKS="5"')
    stage.commit("Scale further")
    seen.append(tags_of(stage))
    assert len({tags["document"] for tags in seen[1:]}) == len(seen) - 1


def test_an_image_that_ecr_has_is_not_built_again(stage: Stage) -> None:
    stage.has_image()
    stage.lacks("docker")
    (stage.bin / "docker").write_text("#!/bin/sh\nexit 1\n")
    (stage.bin / "docker").chmod(0o755)
    stage.rolls_out_well()
    stage.deploy().ends(0, "nothing is built", f"@{DIGEST}")


def test_an_answer_that_lists_no_image_is_none(stage: Stage) -> None:
    stage.answers("ecr describe-images", {"imageDetails": []}, image())
    stage.rolls_out_well()
    run = stage.deploy()
    run.ends(0, f"@{DIGEST}")
    assert "docker push" in run.asked


def test_an_arm_service_gets_an_arm_image(stage: Stage) -> None:
    stage.change("infra/task-definition.json", {"runtimePlatform": {"cpuArchitecture": "ARM64"}})
    stage.environment["DOCKER_BUILD_FLAGS"] = "--network=host  --pull"
    stage.rolls_out_well()
    run = stage.deploy()
    (build,) = (call.words for call in run.calls if call.name == "docker build")
    assert build[1:3] == ("--platform", "linux/arm64")
    assert build[-3:] == ("--network=host", "--pull", ".")


def test_only_the_container_of_the_settings_gets_the_image(stage: Stage) -> None:
    task = stage.render.json("infra/task-definition.json")
    sidecar = {"name": "sidecar", "image": "example/sidecar:1", "essential": False}
    containers = [sidecar, *task["containerDefinitions"]]
    stage.change("infra/task-definition.json", {"containerDefinitions": containers})
    stage.rolls_out_well()
    run = stage.deploy()
    run.ends(0)
    first, second = run.request("ecs register-task-definition")["containerDefinitions"]
    assert first == sidecar
    assert second["image"].endswith(DIGEST)


@pytest.mark.parametrize("cli", [1, 2])
def test_either_version_of_the_cli_will_do(example: Render, tmp_path: Path, cli: int) -> None:
    stage = Stage(example, tmp_path, cli=cli)
    stage.stops(stage.task("b", at=9, exit_code=2), stage.task("a", at=3))
    stage.logs("the end")
    stage.rolls_out(rolled_back(stage))
    run = stage.deploy()
    run.ends(1, "(service) rolling back.")
    assert "an old event" not in run.text
    assert run.text.index("  a Essential") < run.text.index("  b Essential")


def test_a_mac_has_another_name_for_the_hash(stage: Stage) -> None:
    there = tags_of(stage)
    (stage.bin / "sha256sum").rename(stage.bin / "hidden")
    (stage.bin / "shasum").write_text('#!/bin/sh\n[ "$*" = "-a 256" ] && exec hidden\n')
    (stage.bin / "shasum").chmod(0o755)
    assert tags_of(stage) == there
    assert len(there["document"]) == 64


# --- red ---


def test_a_rolled_back_rollout_is_red_at_once(stage: Stage) -> None:
    waiting = stage.described(stage.deployment(OURS, failed=1, pending=1), stage.leaving())
    stage.stops(stage.task("1a2b"))
    stage.logs("Traceback", "ValueError: no such model")
    stage.rolls_out(waiting, rolled_back(stage), stage.described(stage.steady(BEFORE)))
    run = stage.deploy()
    run.ends(
        1,
        f"{stage.revision(OURS)} did not come up and was rolled back to {stage.revision(BEFORE)}",
        BREAKER,
        "(service) was unable to place a task.",
        "1a2b EssentialContainerExited: Essential container in task exited",
        "exit code 1",
        "  ValueError: no such model",
        "Next: fix",
    )
    for part in run.out.split("Last events of the service"):
        said = [part.count(event) for event in ("unable to place", ") rolling back.")]
        assert said == [1, 1], "each event is told once as it comes, and once in the report"
        assert part.index("unable to place") < part.index(") rolling back."), "oldest first"
    assert run.asked[run.asked.index("ecs update-service") + 1 :] == [
        *LOOKS,
        "ecs describe-tasks",
        *LOOKS,  # the stopped task was told already
        "logs get-log-events",
    ]


def test_what_aws_ecs_wait_looks_at_says_success_after_a_rollback(stage: Stage) -> None:
    """Why deploy.sh does not leave the waiting to `aws ecs wait services-stable`."""
    answer = {"services": [stage.described(stage.steady(BEFORE))], "failures": []}
    stage.rolls_out(rolled_back(stage), answer["services"][0])
    stage.deploy().ends(1, "rolled back")
    waiter = get_session().get_waiter_model("ecs").get_waiter("ServicesStable")
    states = [acceptor.state for acceptor in waiter.acceptors if acceptor.matcher_func(answer)]
    assert states == ["success"]


def test_a_rollback_is_known_without_the_words_of_ecs(stage: Stage) -> None:
    stage.rolls_out(
        stage.described(
            stage.steady(BEFORE), stage.deployment(OURS, "FAILED", status="ACTIVE", reason=BREAKER)
        )
    )
    stage.deploy().ends(1, f"was rolled back to {stage.revision(BEFORE)}", BREAKER, "\n  none\n")


def test_a_rollback_is_known_when_ours_is_not_listed_any_more(stage: Stage) -> None:
    stage.rolls_out(stage.described(stage.steady(BEFORE)))
    stage.deploy().ends(1, f"was rolled back to {stage.revision(BEFORE)}")


def test_once_it_was_listed_its_absence_is_believed_at_once(stage: Stage) -> None:
    """ECS may list nothing of a rollout that it has given up."""
    waiting = stage.described(stage.deployment(OURS, failed=1, pending=1), stage.leaving())
    stage.rolls_out(waiting, stage.described(stage.steady(BEFORE)))
    run = stage.deploy()
    run.ends(1, f"was rolled back to {stage.revision(BEFORE)}")
    assert run.asked.count("ecs describe-services") == 1 + 2


def test_a_rollback_is_known_by_the_words_of_ecs_alone(stage: Stage) -> None:
    back = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."
    ours = stage.deployment(OURS, status="ACTIVE", failed=3)
    stage.rolls_out(stage.described(stage.deployment(BEFORE, running=1, reason=back), ours))
    stage.deploy().ends(1, f"was rolled back to {stage.revision(BEFORE)}")


def test_a_person_who_goes_back_meanwhile_overtakes_it(stage: Stage) -> None:
    """By infra/rollback.sh: ours has not failed, and ECS does not go back by itself."""
    back = stage.deployment(BEFORE, pending=1, id="ecs-svc/9999999999999999999")
    stage.rolls_out(stage.described(back, stage.deployment(OURS, status="ACTIVE", running=1)))
    run = stage.deploy()
    run.ends(1, f"was overtaken by {stage.revision(BEFORE)}")
    assert "did not come up" not in run.text


def test_a_rollout_that_fails_with_nothing_to_go_back_to_is_red(stage: Stage) -> None:
    stage.has_no_service()
    stage.rolls_out(stage.described(stage.deployment(OURS, "FAILED", failed=3, reason=BREAKER)))
    run = stage.deploy()
    run.ends(1, f"{stage.revision(OURS)} did not come up: {BREAKER}")
    assert "rolled back" not in run.text


@pytest.mark.parametrize("keeps_ours", [True, False])
def test_an_overtaken_rollout_is_red(stage: Stage, keeps_ours: bool) -> None:
    newer = stage.deployment(43, pending=1)
    ours = [stage.deployment(OURS, status="ACTIVE", running=1)] if keeps_ours else []
    stage.rolls_out(
        stage.described(stage.deployment(OURS, pending=1), stage.leaving()),
        stage.described(newer, *ours, stage.leaving()),
    )
    run = stage.deploy()
    when = " before it served" if keeps_ours else "\n"  # nobody knows what an unlisted one did
    run.ends(1, f"was overtaken by {stage.revision(43)}{when}", "on purpose")
    assert not set(SCALES) & set(run.asked)


def test_a_rollout_that_served_before_it_was_overtaken_is_told_so(stage: Stage) -> None:
    ours = stage.deployment(OURS, "COMPLETED", status="ACTIVE", running=1)
    stage.rolls_out(stage.described(stage.deployment(43, pending=1), ours))
    served = f"{stage.revision(OURS)} served, and then was overtaken by {stage.revision(43)}\n"
    stage.deploy().ends(1, served)


def test_the_same_revision_in_another_deployment_is_not_ours(stage: Stage) -> None:
    again = stage.deployment(OURS, "COMPLETED", running=1, id="ecs-svc/9999999999999999999")
    stage.rolls_out(stage.described(again, stage.deployment(OURS, status="ACTIVE")))
    stage.deploy().ends(1, "was overtaken")


def test_an_answer_from_before_our_rollout_is_not_believed(stage: Stage) -> None:
    stale = stage.described(stage.steady(BEFORE))
    good = stage.described(stage.deployment(OURS, "COMPLETED", running=1))
    stage.rolls_out(stale, stale, good)
    stage.deploy().ends(0)


def test_a_service_that_somebody_deletes_meanwhile_is_red(stage: Stage) -> None:
    stage.rolls_out(stage.described(stage.deployment(OURS), status="DRAINING"))
    stage.deploy().ends(1, "somebody deletes the service")


def test_a_service_that_is_gone_is_red(stage: Stage) -> None:
    stage.rolls_out(None)
    stage.deploy().ends(1, "somebody deletes the service")


def test_an_image_that_cannot_be_pulled_is_named_and_has_no_log(stage: Stage) -> None:
    why = "CannotPullContainerError: pull image manifest has been retried 5 time(s)"
    stage.stops(stage.task("1a2b", code="TaskFailedToStart", reason=why, exit_code=None))
    stage.rolls_out(rolled_back(stage))
    run = stage.deploy()
    run.ends(1, f"1a2b TaskFailedToStart: {why}", "no exit code")
    assert "logs get-log-events" not in run.asked


def test_stopped_tasks_are_told_once_as_they_stop_and_again_at_the_end(stage: Stage) -> None:
    waiting = [
        stage.described(stage.deployment(OURS, failed=n, pending=1), stage.leaving())
        for n in range(3)
    ]
    first, second = stage.task("first", at=1), stage.task("second", at=2, exit_code=137)
    other = stage.task("other", revision=BEFORE)
    arns = [
        {"taskArns": [t["taskArn"] for t in ts]} for ts in ([], [first, other], [first, second])
    ]
    stage.rolls_out(*waiting, rolled_back(stage))
    stage.answers("ecs list-tasks", *arns, {"taskArns": [first["taskArn"], second["taskArn"]]})
    stage.answers(
        "ecs describe-tasks",
        {"tasks": [first, other], "failures": []},
        {"tasks": [second], "failures": []},
    )
    stage.logs("killed")
    run = stage.deploy()
    run.ends(1, "exit code 137")
    asked_for = [c.parameters()["tasks"] for c in run.calls if c.name == "ecs describe-tasks"]
    assert asked_for == [[first["taskArn"], other["taskArn"]], [second["taskArn"]]]
    live, report = run.out.split("Last events of the service")
    for id in "first", "second":
        assert live.count(f"stopped  {id} ") == 1
        assert report.count(f"  {id} Essential") == 1
    assert "other" not in run.text
    stream = f"ecs/{stage.settings['CONTAINER_NAME']}/second"
    assert run.request("logs get-log-events")["logStreamName"] == stream


def test_a_task_is_told_when_its_exit_code_is_known(stage: Stage) -> None:
    quiet = stage.described(stage.deployment(OURS, failed=1, pending=1), stage.leaving())
    stopping = stage.task("slow", exit_code=None, status="STOPPING")
    stopped = stage.task("slow", exit_code=3)
    stage.rolls_out(quiet, quiet, quiet, stage.described(stage.deployment(OURS, "COMPLETED")))
    stage.stops(stopped)
    stage.answers(
        "ecs describe-tasks", *({"tasks": [t], "failures": []} for t in (stopping, stopped))
    )
    run = stage.deploy()
    run.ends(0, "slow EssentialContainerExited", "exit code 3")
    assert run.out.count("  slow ") == 1
    assert run.asked.count("ecs list-tasks") == 2, "the third look is as the second: nothing to ask"


def test_tasks_of_another_deployment_of_the_revision_are_not_ours(stage: Stage) -> None:
    stage.stops(stage.task("elder") | {"startedBy": "ecs-svc/7"})
    stage.rolls_out(rolled_back(stage))
    run = stage.deploy()
    run.ends(1, f"Stopped tasks of {stage.revision(OURS)}:\n  none")
    assert "elder" not in run.text


def test_a_report_says_what_it_cannot_read(stage: Stage) -> None:
    stage.stops(stage.task("1a2b"))
    stage.answers("logs get-log-events", refusal("AccessDeniedException", "not authorized"))
    stage.rolls_out(rolled_back(stage))
    stage.deploy().ends(1, "it cannot be read: An error occurred (AccessDeniedException)")
    stage.answers("logs get-log-events", refusal("ResourceNotFoundException"))
    stage.deploy().ends(1, "Last lines of the log of 1a2b:\n  none")
    stage.answers("ecs list-tasks", refusal("AccessDeniedException"))
    stage.deploy().ends(1, "the stopped tasks cannot be read", "was rolled back")


def test_another_log_driver_is_no_error(stage: Stage) -> None:
    task = stage.render.json("infra/task-definition.json")
    task["containerDefinitions"][0]["logConfiguration"] = {"logDriver": "awsfirelens"}
    stage.change("infra/task-definition.json", task)
    stage.answers("ecs register-task-definition", {"taskDefinition": stage.task_definition(OURS)})
    stage.stops(stage.task("1a2b"))
    stage.rolls_out(rolled_back(stage))
    run = stage.deploy()
    run.ends(1, "was rolled back", "1a2b")
    assert "logs get-log-events" not in run.asked


# --- outcome unknown ---


def test_time_is_up_and_the_rollout_goes_on(stage: Stage) -> None:
    stage.edit("infra/settings.env", 'ROLLOUT_TIMEOUT="1500"', 'ROLLOUT_TIMEOUT="70"')
    stage.commit("Wait less")
    stage.rolls_out(stage.described(stage.deployment(OURS, pending=1), stage.leaving()))
    run = stage.deploy()
    run.ends(3, "does not serve after 70 s", "goes on in ECS", "run infra/deploy.sh again")
    assert run.asked.count("ecs describe-services") == 1 + 14, "every 5 s, as ROLLOUT_POLL says"
    assert run.asked.count("ecs list-tasks") == 1, "no task stops where nothing changes"
    signs_of_life = [line.split(":")[0] for line in run.out.splitlines() if "starting" in line]
    assert signs_of_life == ["  5 s", "  35 s", "  65 s"]


def test_polling_without_a_pause_ends_too(stage: Stage) -> None:
    stage.edit("infra/settings.env", 'ROLLOUT_POLL="5"', 'ROLLOUT_POLL="0"')
    stage.commit("Do not wait")
    stage.rolls_out_well()
    stage.deploy().ends(0)


def test_a_poll_that_fails_is_tried_again(stage: Stage) -> None:
    throttled = refusal("ThrottlingException", "Rate exceeded")
    good = stage.described(stage.deployment(OURS, "COMPLETED", running=1))
    waiting = stage.described(stage.deployment(OURS, pending=1))
    stage.rolls_out(throttled, throttled, waiting, throttled, throttled, good)
    run = stage.deploy()
    run.ends(0, "no answer from ECS (2 of 3): An error occurred (ThrottlingException)")


def test_polls_that_fail_for_ever_are_no_verdict(stage: Stage) -> None:
    stage.rolls_out(refusal("ExpiredTokenException", "The security token is expired"))
    run = stage.deploy()
    run.ends(3, "did not answer three times in a row", "token is expired", "goes on in ECS")
    assert run.asked.count("ecs describe-services") == 1 + 3
    assert run.asked[-1] == "ecs describe-services"


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_script_that_is_stopped_says_that_the_rollout_goes_on(
    stage: Stage, sent: signal.Signals, code: int
) -> None:
    stage.rolls_out(stage.described(stage.deployment(OURS, pending=1)))
    (stage.stage / "real-time").touch()
    process = stage.start(str(stage.service / "infra/deploy.sh"))
    stage.wait_for("sleep")
    run = stage.stopped(process, sent)
    run.ends(code, f"The rollout of {stage.revision(OURS)} goes on in ECS")


# --- what AWS and docker refuse on the way ---


@pytest.mark.parametrize("command", ["ecs register-task-definition", "ecs update-service"])
def test_a_refusal_after_the_push_is_red_and_ends_it(stage: Stage, command: str) -> None:
    stage.rolls_out_well()
    stage.answers(command, refusal("AccessDeniedException", "User is not authorized"))
    run = stage.deploy()
    run.ends(
        1, f'AWS refused "{command}"', "is not authorized", "ops/iam-policy-github-actions.json"
    )
    assert run.asked[-1] == command
    assert "is not known" not in run.text


def test_a_call_that_breaks_off_leaves_it_open_whether_a_rollout_began(stage: Stage) -> None:
    broken = Refusal("Read timeout on endpoint URL: https://ecs.us-east-1.amazonaws.com/")
    stage.answers("ecs update-service", broken)
    run = stage.deploy()
    taken = f"Whether ECS has taken {stage.revision(OURS)} is not known."
    run.ends(3, "Read timeout", taken, "run infra/deploy.sh again")
    assert "goes on" not in run.text


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("docker login", 2, "docker cannot log in to"),
        ("docker build", 1, "does not build"),
    ],
)
def test_an_image_that_does_not_get_to_ecr_is_not_deployed(
    stage: Stage, command: str, code: int, says: str
) -> None:
    stage.answers(command, refusal("Docker", "the words of docker"))
    run = stage.deploy()
    run.ends(code, says, "the words of docker")
    assert run.asked[-1] == command


@pytest.mark.parametrize("push", ["", refusal("Docker", "the words of docker")])
def test_an_image_that_ecr_does_not_have_is_not_deployed(stage: Stage, push: str | Refusal) -> None:
    stage.answers("docker push", push)
    stage.answers("ecr describe-images", refusal("ImageNotFoundException"))
    run = stage.deploy()
    run.ends(1, "the image did not get to", "the words of docker" if push else "")
    assert run.asked[-1] == "ecr describe-images"


def test_an_image_that_another_deploy_of_the_commit_pushed_first_is_deployed(stage: Stage) -> None:
    """ECR refuses to push a tag again: the slower of two deploys is not red for that."""
    exists = "tag invalid: The image tag already exists and cannot be overwritten"
    stage.answers("docker push", refusal("Docker", exists))
    stage.rolls_out_well()
    run = stage.deploy()
    run.ends(0, exists, "asking ECR", f"@{DIGEST}")


@pytest.mark.parametrize("command", [*sorted(set(SCALES)), DELETES_A_POLICY])
def test_a_commit_that_serves_without_its_scaling_is_red(stage: Stage, command: str) -> None:
    stage.has_policies("by hand")
    stage.rolls_out_well()
    stage.answers(command, refusal("ValidationException", "no such thing"))
    run = stage.deploy()
    run.ends(1, "serves, but its scaling could not be set", command, "no such thing")
    assert run.asked[-1] == command
    assert "goes on" not in run.text


def test_a_permission_that_the_scaling_lacks_is_looked_for_in_the_policy(stage: Stage) -> None:
    lacks = "someone is missing the following permissions: cloudwatch:PutMetricAlarm"
    stage.answers(SCALES[0], refusal("ValidationException", lacks))
    stage.rolls_out_well()
    stage.deploy().ends(1, lacks, "ops/iam-policy-github-actions.json")


# --- GitHub Actions ---


@pytest.fixture
def actions(stage: Stage, tmp_path: Path) -> Stage:
    stage.environment |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    return stage


def test_a_green_run_leaves_its_url_and_a_summary(actions: Stage, tmp_path: Path) -> None:
    actions.rolls_out_well()
    run = actions.deploy()
    run.ends(0)
    assert (tmp_path / "output").read_text() == f"url={URL}\n"
    summary = (tmp_path / "summary.md").read_text()
    for fact in actions.head, actions.revision(OURS), DIGEST, URL, "| took |":
        assert fact in summary, f"the summary should name {fact}"
    assert run.out.count("::group::") == run.out.count("::endgroup::") == 2
    assert "::error" not in run.text


def test_a_red_run_leaves_one_annotation_and_a_summary(actions: Stage, tmp_path: Path) -> None:
    actions.stops(actions.task("1a2b"))
    actions.logs("| no | table |")
    actions.rolls_out(rolled_back(actions))
    run = actions.deploy()
    run.ends(1)
    (annotation,) = (line for line in run.text.splitlines() if line.startswith("::error"))
    assert annotation.startswith(
        f"::error title=deploy.sh::{actions.revision(OURS)} did not come up"
    )
    assert not (tmp_path / "output").exists()
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith(f"### Failed: {actions.revision(OURS)} did not come up")
    assert f"| commit | {actions.head} |" in summary
    assert "\n      1a2b EssentialContainerExited" in summary
    assert "\n      | no | table |\n" in summary


def test_an_unknown_outcome_is_in_the_summary_too(actions: Stage, tmp_path: Path) -> None:
    actions.rolls_out(refusal("ThrottlingException"))
    actions.deploy().ends(3)
    assert "### Outcome unknown: ECS did not answer" in (tmp_path / "summary.md").read_text()


def test_an_annotation_stays_on_its_line(actions: Stage) -> None:
    actions.write("odd % name", "")
    run = actions.deploy()
    run.ends(2)
    (line,) = run.err.splitlines()
    assert "odd %25 name" in line


def test_a_log_can_give_the_runner_no_orders(actions: Stage) -> None:
    hostile = "::error::all is lost\n::add-mask::a\r##[group]x \x1b[2J"
    actions.stops(actions.task("1a2b", reason=hostile))
    actions.logs(hostile, "::endgroup::")
    failed = actions.deployment(OURS, "FAILED", reason=hostile)
    actions.rolls_out(actions.described(failed, says=[hostile]))
    run = actions.deploy()
    run.ends(1)
    assert "\x1b" not in run.text
    lines = run.out.splitlines()
    (start,) = (n for n, line in enumerate(lines) if line.startswith("::stop-commands::"))
    token = lines[start].removeprefix("::stop-commands::")
    end = lines.index(f"::{token}::")
    assert len(token) >= 10
    assert [n for n, line in enumerate(lines) if "::endgroup::" in line.strip()[3:]] == []
    commands = [
        line
        for line in [*lines[:start], *lines[end + 1 :], *run.err.splitlines()]
        if line.lstrip().startswith("::")
    ]
    groups = [line for line in commands if line.startswith(("::group::", "::endgroup::"))]
    (annotation,) = (line for line in commands if line not in groups)
    assert annotation.startswith("::error title=deploy.sh::")
    assert start < next(n for n, line in enumerate(lines) if "Last lines of the log" in line) < end


def test_outside_of_github_nothing_speaks_to_a_runner(stage: Stage) -> None:
    stage.stops(stage.task("1a2b"))
    stage.logs("the end")
    stage.rolls_out(rolled_back(stage))
    run = stage.deploy()
    run.ends(1)
    assert "::" not in run.text
    assert json.dumps("\x1b")[1:-1] not in repr(run.text)
