"""infra/rollback.sh goes back to what has served, and is as truthful about that as a deploy."""

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from rendering import Render
from stage import BEFORE, DIGEST, NOW, OURS, Json, Refusal, Run, Stage, refusal

BAD = 43  # the revision that serves, or should; OURS is the one that it is rolled back to
COMMIT = "c0ffee" * 6 + "c0ff"
CHOOSES = ["ecs list-service-deployments", "ecs describe-service-revisions"]
ASKS_FIRST = ["sts get-caller-identity", "ecs describe-services"]
CHECKS = ["ecs describe-task-definition", "ecr describe-images"]
GONE = refusal("ImageNotFoundException")


@pytest.fixture
def stage(example: Render, tmp_path: Path) -> Stage:
    stage = Stage(example, tmp_path)
    stage.lacks("docker", "git")
    stage.serves(BAD)
    stage.has_served(BAD, OURS, BEFORE)
    stage.has_revision(OURS, {"commit": COMMIT})
    stage.has_image()
    stage.rolls_out_well()
    return stage


def rollback(stage: Stage, *arguments: str) -> Run:
    return stage.run("infra/rollback.sh", *arguments)


def goes_to(stage: Stage) -> str:
    """The revision that a rollback without a word looks at first, FAMILY:N."""
    return str(rollback(stage).request("ecs describe-task-definition")["taskDefinition"])


# --- where it goes ---


def test_it_goes_back_to_what_served_before_with_no_call_too_many(stage: Stage) -> None:
    stage.rolls_out_slowly()
    run = rollback(stage)
    run.ends(0, f"from {stage.revision(BAD)} to {stage.revision(OURS)}", "revert")
    assert run.asked == [
        *ASKS_FIRST,
        *CHOOSES,
        *CHECKS,
        "ecs update-service",
        *["ecs describe-services", "ecs list-tasks"] * 2,
        "ecs describe-services",
    ]
    assert f"serving ai-assistant {COMMIT[:7]} as {stage.revision(OURS)}" in run.out.splitlines()


def test_nothing_but_the_revision_of_the_service_changes(stage: Stage) -> None:
    update = rollback(stage).request("ecs update-service")
    assert update == {
        "cluster": stage.settings["ECS_CLUSTER"],
        "service": stage.settings["ECS_SERVICE"],
        "taskDefinition": stage.arn("task-definition", stage.revision(OURS)),
    }


def test_a_rollout_that_failed_is_nothing_to_go_back_to(stage: Stage) -> None:
    """ECS is asked for those alone that it calls successful."""
    asked = rollback(stage).request("ecs list-service-deployments")
    assert asked["status"] == ["SUCCESSFUL"]
    assert (asked["cluster"], asked["service"]) == (
        stage.settings["ECS_CLUSTER"],
        stage.settings["ECS_SERVICE"],
    )


@pytest.mark.parametrize("cli", [1, 2])
def test_it_goes_by_when_they_were_rolled_out(example: Render, tmp_path: Path, cli: int) -> None:
    stage = Stage(example, tmp_path, cli=cli)
    stage.serves(BAD)
    stage.has_served(BAD, 38, 41, 40, 39, 38, 37)
    assert goes_to(stage) == stage.revision(38)


def test_a_second_rollback_goes_further_back_and_not_forth(stage: Stage) -> None:
    stage.serves(OURS)
    stage.has_served(OURS, BAD, OURS, BEFORE)
    assert goes_to(stage) == stage.revision(BEFORE)


def test_a_long_history_is_asked_for_as_far_as_ecs_describes_it_at_once(stage: Stage) -> None:
    stage.has_served(BAD, *range(40, 0, -1))
    run = rollback(stage)
    arns = run.request("ecs describe-service-revisions")["serviceRevisionArns"]
    assert [int(arn.rpartition("/")[2]) for arn in arns] == [BAD, *range(40, 21, -1)]


@pytest.mark.parametrize("named", ["42", "ai-assistant-task:42"])
def test_a_revision_that_is_named_is_not_looked_for(stage: Stage, named: str) -> None:
    run = rollback(stage, named)
    run.ends(0)
    assert run.asked[:5] == [*ASKS_FIRST, *CHECKS, "ecs update-service"]
    assert run.request("ecs describe-task-definition")["taskDefinition"] == stage.revision(OURS)


def test_going_back_ends_a_rollout_that_is_under_way(stage: Stage) -> None:
    stage.serving = OURS
    stage.now = stage.described(stage.deployment(BAD, pending=1), stage.leaving())
    stage.has_served(OURS, BEFORE)
    stage.rolls_out_well()
    rollback(stage).ends(0, f"present   {stage.revision(BAD)}, IN_PROGRESS")


@pytest.mark.parametrize("arguments", [[], ["42"]])
def test_a_run_after_one_that_was_cut_off_watches_on(stage: Stage, arguments: list[str]) -> None:
    """Without a word too: it does not go back one further."""
    stage.now = stage.described(stage.deployment(OURS, pending=1), stage.leaving())
    stage.rolls_out_well()
    run = rollback(stage, *arguments)
    run.ends(0, "watching on", f"{COMMIT[:7]} as {stage.revision(OURS)}")
    run.changed_nothing()


def test_a_service_that_was_scaled_to_zero_gets_its_tasks_back(stage: Stage) -> None:
    at_zero = stage.described(stage.deployment(BAD, "COMPLETED", desired=0))
    stage.now = at_zero | {"desiredCount": 0}
    stage.rolls_out_well()
    assert rollback(stage).request("ecs update-service")["desiredCount"] == 1


def test_the_image_is_asked_for_as_the_revision_names_it(stage: Stage) -> None:
    asked = rollback(stage).request("ecr describe-images")
    assert asked["imageIds"] == [{"imageDigest": DIGEST}]
    registry = f"{stage.settings['ECR_REGISTRY']}/{stage.settings['ECR_REPOSITORY']}"
    with_image(stage, f"{registry}:by-hand")
    assert rollback(stage).request("ecr describe-images")["imageIds"] == [{"imageTag": "by-hand"}]


def with_image(stage: Stage, name: str) -> None:
    (container,) = stage.task_definition(OURS)["containerDefinitions"]
    stage.has_revision(OURS, {}, containerDefinitions=[container | {"image": name}])


def test_a_bad_revision_that_is_rolled_out_again_is_no_way_back(stage: Stage) -> None:
    """Such as by `aws ecs update-service --force-new-deployment`: it served, and is coming up."""
    again = stage.deployment(BAD, pending=1, id="ecs-svc/9999999999999999999")
    stage.now = stage.described(again, stage.leaving())
    stage.rolls_out_well()
    rollback(stage).ends(0, f"from {stage.revision(BAD)} to {stage.revision(OURS)}")


def test_a_history_of_several_pages_is_read_to_its_end(stage: Stage) -> None:
    arns = {n: stage.arn("service-revision", f"{n}") for n in (BAD, OURS)}
    pages: list[Json] = [
        {"serviceDeployments": [{"targetServiceRevisionArn": arns[n], "createdAt": NOW}]}
        for n in (BAD, OURS)
    ]
    stage.answers("ecs list-service-deployments", pages[0] | {"nextToken": "page 2"}, pages[1])
    revisions = [
        {
            "serviceRevisionArn": arns[n],
            "taskDefinition": stage.arn("task-definition", stage.revision(n)),
        }
        for n in arns
    ]
    stage.answers("ecs describe-service-revisions", {"serviceRevisions": revisions})
    run = rollback(stage)
    run.ends(0, f"to {stage.revision(OURS)}")
    asked = [call.parameters() for call in run.calls if call.name == CHOOSES[0]]
    assert [request.get("nextToken") for request in asked] == [None, "page 2"]


def test_a_revision_is_offered_once_however_often_it_served(stage: Stage) -> None:
    """Each deploy that changes the service makes another service revision of it."""
    stage.has_served(BAD, OURS, BEFORE, 40, 39)
    answer = [
        {
            "serviceRevisionArn": stage.arn(
                "service-revision",
                f"{stage.settings['ECS_CLUSTER']}/{stage.settings['ECS_SERVICE']}/{n}",
            ),
            "taskDefinition": stage.arn("task-definition", stage.revision(n if n > 40 else 40)),
        }
        for n in (BAD, OURS, BEFORE, 40, 39)
    ]
    stage.answers("ecs describe-service-revisions", {"serviceRevisions": answer})
    stage.answers("ecr describe-images", GONE)
    rollback(stage).ends(2, f"of those that served: {BEFORE}, 40, or revert")


def test_the_deploy_that_follows_rolls_out_its_own_commit(example: Render, tmp_path: Path) -> None:
    """Also where that is the commit which was rolled back: only a revert on main undoes it."""
    stage = Stage(example, tmp_path)
    stage.has_revision(BEFORE, {"commit": COMMIT, "document": "0"})
    stage.has_image()
    stage.rolls_out_well()
    run = stage.deploy()
    run.ends(0)
    tags = {tag["key"]: tag["value"] for tag in run.request("ecs register-task-definition")["tags"]}
    assert tags["commit"] == stage.head


# --- where it does not go ---


def has_served_from_a_lost_image_alone(stage: Stage) -> None:
    stage.has_served(BAD, OURS)
    stage.answers("ecr describe-images", GONE)


REFUSALS: dict[str, tuple[Callable[[Stage], object], list[str], str]] = {
    "no other has served": (
        lambda stage: stage.has_served(BAD),
        [],
        f"nothing to go back to: ECS lists no revision before ai-assistant-task:{BAD}",
    ),
    "ECS remembers none": (lambda stage: stage.has_served(), [], "it remembers 90 days"),
    "only later ones have served": (lambda stage: stage.has_served(50, BAD), [], "nothing to go"),
    "only those of another family": (
        lambda stage: stage.answers(
            "ecs describe-service-revisions",
            {
                "serviceRevisions": [
                    {
                        "serviceRevisionArn": stage.arn(
                            "service-revision", f"ai-assistant-cluster/ai-assistant-service/{OURS}"
                        ),
                        "taskDefinition": stage.arn("task-definition", "another-task:1"),
                    }
                ]
            },
        ),
        [],
        "nothing to go back to",
    ),
    "its image is gone": (
        lambda stage: stage.answers("ecr describe-images", GONE),
        [],
        f"cannot go back to ai-assistant-task:{OURS}: its image is gone from ECR"
        f" (infra/ecr-lifecycle-policy.json says how many are kept). Name another, of those that"
        f" served: {BEFORE}, or revert",
    ),
    "its image is gone, and nothing else has served": (
        has_served_from_a_lost_image_alone,
        [],
        "Name another, or revert on main",
    ),
    "the image of the one that is named is gone": (
        lambda stage: stage.answers("ecr describe-images", GONE),
        ["42"],
        "its image is gone from ECR (infra/ecr-lifecycle-policy.json says how many are kept)."
        " Name another, or revert on main",
    ),
    "its image is somewhere else": (
        lambda stage: with_image(stage, "example/image:1"),
        [],
        "its image is not in the ECR repository ai-assistant",
    ),
    "it is inactive": (
        lambda stage: stage.has_revision(OURS, {}, status="INACTIVE"),
        [],
        "it is INACTIVE, because somebody deregistered it",
    ),
    "there is no such revision": (
        lambda stage: stage.answers(
            "ecs describe-task-definition",
            refusal("ClientException", "Unable to describe task definition."),
        ),
        ["9"],
        "cannot go back to ai-assistant-task:9: ECS has no such revision",
    ),
    "it serves already": (
        lambda stage: stage.serves(BAD),
        [str(BAD)],
        f"is at ai-assistant-task:{BAD} already (COMPLETED)",
    ),
    "it failed, and the service is at it": (
        lambda stage: stage.describes(stage.described(stage.deployment(BAD, "FAILED"))),
        [str(BAD)],
        "already (FAILED)",
    ),
    "there is no service": (
        lambda stage: stage.has_no_service(),
        [],
        "no service ai-assistant-service yet",
    ),
    "the service is being deleted": (
        lambda stage: stage.describes(stage.described(status="DRAINING")),
        [],
        "is being deleted",
    ),
    "there is no cluster": (
        lambda stage: stage.answers("ecs describe-services", refusal("ClusterNotFoundException")),
        [],
        "Create it with infra/provision.sh",
    ),
    "the history may not be seen": (
        lambda stage: stage.answers(CHOOSES[0], refusal("AccessDeniedException")),
        [],
        "ops/iam-policy-github-actions.json",
    ),
    "aws is older than the history": (
        lambda stage: stage.answers(
            CHOOSES[0],
            Refusal(
                "aws: error: argument operation: Invalid choice, valid choices are:\n" + "x" * 99
            ),
        ),
        [],
        "error: this aws is too old to ask what has served: update it, or name the revision"
        " (infra/rollback.sh REVISION)\n",
    ),
    "ECS does not take it": (
        lambda stage: stage.answers(
            "ecs update-service", refusal("ClientException", "TaskDefinition is inactive")
        ),
        [],
        "TaskDefinition is inactive",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_it_cannot_go_back_to_it_refuses_and_says_what_to_do(stage: Stage, case: str) -> None:
    breaks, arguments, says = REFUSALS[case]
    breaks(stage)
    run = rollback(stage, *arguments)
    run.ends(2, says)
    (line,) = run.err.splitlines()
    assert line.startswith("error: ")
    if case != "ECS does not take it":
        run.changed_nothing()


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("41 40", "for example infra/rollback.sh 41"),
        ("HEAD~1", "for example infra/rollback.sh 41"),
        ("0", "for example infra/rollback.sh 41"),
        ("--force", "for example infra/rollback.sh 41"),
        ("other-task:41", "is no revision of ai-assistant-task"),
    ],
)
def test_what_is_no_revision_of_the_service_is_refused(
    stage: Stage, argument: str, says: str
) -> None:
    run = rollback(stage, *argument.split())
    run.ends(2, says)
    assert run.asked == []


# --- how it ends ---


def test_a_rollback_that_comes_to_nothing_is_red(stage: Stage) -> None:
    stage.stops(stage.task("1a2b"))
    stage.logs("ValueError: no such model")
    stage.rolls_out(
        stage.described(
            stage.deployment(BAD, running=1, reason="rolling back to deploymentId ecs-svc/1."),
            stage.deployment(OURS, "FAILED", status="ACTIVE", failed=3, reason="tasks failed"),
        )
    )
    run = rollback(stage)
    run.ends(
        1,
        f"{stage.revision(OURS)} did not come up and was rolled back to {stage.revision(BAD)}",
        "ValueError: no such model",
        "Next: name a revision further back",
    )


def test_an_overtaken_rollback_is_red_and_says_how_to_repeat_it(stage: Stage) -> None:
    stage.rolls_out(stage.described(stage.deployment(44, pending=1), stage.leaving()))
    rollback(stage).ends(1, "was overtaken by", f"run infra/rollback.sh {OURS} again")


def test_the_log_is_looked_for_where_the_old_revision_writes_it(stage: Stage) -> None:
    (container,) = stage.task_definition(OURS)["containerDefinitions"]
    log = container["logConfiguration"]
    log["options"]["awslogs-stream-prefix"] = "as-it-was"
    stage.has_revision(OURS, {}, containerDefinitions=[container])
    stage.stops(stage.task("1a2b"))
    stage.logs("the end")
    stage.rolls_out(stage.described(stage.deployment(OURS, "FAILED")))
    run = rollback(stage)
    run.ends(1, "the end")
    stream = run.request("logs get-log-events")["logStreamName"]
    assert stream == f"as-it-was/{stage.settings['CONTAINER_NAME']}/1a2b"


def test_time_is_up_and_the_same_revision_is_watched_on(stage: Stage) -> None:
    """By its number: without it, the next run might go back further."""
    stage.edit("infra/settings.env", 'ROLLOUT_TIMEOUT="1500"', 'ROLLOUT_TIMEOUT="20"')
    stage.rolls_out(stage.described(stage.deployment(OURS, pending=1), stage.leaving()))
    rollback(stage).ends(3, "does not serve after 20 s", f"run infra/rollback.sh {OURS} again")


def test_a_call_that_breaks_off_leaves_it_open_whether_it_began(stage: Stage) -> None:
    stage.answers("ecs update-service", Refusal("Connection was closed"))
    rollback(stage).ends(
        3,
        "Connection was closed",
        f"Whether ECS has taken {stage.revision(OURS)} is not known.",
        f"run infra/rollback.sh {OURS} again",
    )


def test_a_rollback_that_is_stopped_says_that_it_goes_on(stage: Stage) -> None:
    stage.rolls_out(stage.described(stage.deployment(OURS, pending=1)))
    (stage.stage / "real-time").touch()
    process = stage.start(str(stage.service / "infra/rollback.sh"))
    stage.wait_for("sleep")
    stage.stopped(process, signal.SIGINT).ends(
        130, "goes on in ECS", f"run infra/rollback.sh {OURS} again"
    )


def test_help_tells_every_exit_code_and_what_the_next_deploy_does(stage: Stage) -> None:
    stage.lacks("aws", "jq")
    run = rollback(stage, "--help")
    run.ends(0, "The next deploy", "git revert")
    codes = re.findall(r"^  (\d+) ", run.out.partition("Exit codes:")[2], re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "130"]
