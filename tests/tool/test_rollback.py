"""`rollback`: brings an earlier revision to steady state, or refuses an unusable one."""

from collections.abc import Callable
from typing import Any

import pytest
from infra.tool import rollback
from infra.tool.api_model import Json
from infra.tool.deploy import Step
from infra.tool.errors import ToolError

from simulator.ecs.rollouts import Crashes, Hangs, Overtaken
from tests.support.answers import NEW, listed, service
from tests.support.checkout import Checkout
from tests.support.targets import bench, settings

ASKS = ["sts:GetCallerIdentity", "ecs:DescribeServices"]
CHOOSES = ["ecs:ListServiceDeployments", "ecs:DescribeServiceRevisions"]
CHECKS = ["ecs:DescribeTaskDefinition", "ecr:DescribeImages"]
LOOK = ["ecs:DescribeServices", "ecs:ListTasks"]
FAMILY = "ai-assistant-task"


def expect_steady(checkout: Checkout, number: int) -> None:
    [only] = checkout.ecs_service["deployments"]
    found = (checkout.revision, only["rolloutState"], only["runningCount"])
    assert found == (f"{FAMILY}:{number}", "COMPLETED", 1)


def release_number(checkout: Checkout, number: int) -> None:
    """Deploy another release, which becomes this revision."""
    checkout.release(f"Release {number}")
    checkout.run("deploy").expect(0)
    expect_steady(checkout, number)


def interrupt() -> None:
    raise KeyboardInterrupt


# --- the revision that it goes back to ---


def test_a_rollback_makes_only_the_calls_that_it_needs_and_changes_only_the_revision(
    deployed_twice: Checkout,
) -> None:
    commit = deployed_twice.git("rev-parse", "HEAD~1")
    run = deployed_twice.run("rollback").expect(0)
    assert run.operations == [
        *ASKS,
        *CHOOSES,
        *CHECKS,
        "ecs:UpdateService",
        *LOOK,
        "ecs:DescribeTasks",  # those that stopped earlier: once
        *LOOK * 2,
        "ecs:DescribeTasks",
        *LOOK,
        "cloudformation:DescribeStacks",
    ]
    names = deployed_twice.settings.names
    assert run.request("ecs:UpdateService") == {
        "cluster": names.cluster,
        "service": names.service,
        "taskDefinition": deployed_twice.ecs_service["taskDefinition"],
    }
    assert f"commit      {commit}" in run.out
    assert "git revert" in run.out, "the next deploy brings main back"
    expect_steady(deployed_twice, 1)


@pytest.mark.parametrize("name", ["1", f"{FAMILY}:1"])
def test_a_named_revision_is_not_looked_up_in_the_history(
    deployed_twice: Checkout, name: str
) -> None:
    run = deployed_twice.run("rollback", name).expect(0)
    assert run.operations[:5] == [*ASKS, *CHECKS, "ecs:UpdateService"]
    expect_steady(deployed_twice, 1)


@pytest.mark.parametrize("name", ["0", "041", "HEAD~1", "-1", "other-task:41", f"{FAMILY}:", "4 1"])
def test_a_wrong_revision_name_is_refused_before_any_call_to_aws(name: str) -> None:
    with pytest.raises(ToolError) as refused:
        rollback.rollback(bench().target, name)
    assert refused.value.code == "revision-name"


def test_a_second_rollback_goes_further_back_and_not_forth(deployed_twice: Checkout) -> None:
    release_number(deployed_twice, 3)
    deployed_twice.run("rollback").expect(0)
    expect_steady(deployed_twice, 2)
    deployed_twice.run("rollback").expect(0)
    expect_steady(deployed_twice, 1)
    deployed_twice.run("rollback").expect(2, "no-earlier-revision").expect_no_change()


def test_a_rollback_skips_a_release_that_was_never_in_steady_state(
    deployed: Checkout,
) -> None:
    deployed.release()
    deployed.aws.next_rollout(Crashes())
    deployed.run("deploy").expect(1, "deployment-rolled-back")
    deployed.run("deploy").expect(0)
    expect_steady(deployed, 3)
    deployed.run("rollback").expect(0)
    expect_steady(deployed, 1)


def test_a_rollback_ends_a_deployment_in_progress(deployed: Checkout) -> None:
    deployed.release()
    deployed.aws.moments.when("ecs:UpdateService", interrupt)
    deployed.run("deploy").expect(130)
    run = deployed.run("rollback").expect(0)
    assert f"present     {FAMILY}:2, IN_PROGRESS" in run.out
    expect_steady(deployed, 1)


def test_a_rollback_in_progress_is_watched_and_not_repeated(deployed_twice: Checkout) -> None:
    """Also without its number: the command does not go back one revision further."""
    release_number(deployed_twice, 3)
    deployed_twice.aws.moments.when("ecs:UpdateService", interrupt)
    deployed_twice.run("rollback").expect(130)
    run = deployed_twice.run("rollback").expect(0).expect_no_change()
    assert "watching" in run.out
    expect_steady(deployed_twice, 2)


def test_a_forced_deployment_of_the_bad_revision_is_not_a_rollback(
    deployed_twice: Checkout,
) -> None:
    names = deployed_twice.settings.names
    deployed_twice.aws.client("ecs").update_service(
        cluster=names.cluster, service=names.service, forceNewDeployment=True
    )
    deployed_twice.run("rollback").expect(0)
    expect_steady(deployed_twice, 1)


def test_neither_git_nor_docker_nor_a_clean_tree_is_needed(deployed_twice: Checkout) -> None:
    deployed_twice.write("new.txt", "not committed")
    deployed_twice.environment["PATH"] = ""
    deployed_twice.run("rollback").expect(0)
    expect_steady(deployed_twice, 1)


def test_a_rollback_works_while_the_stack_is_being_changed(deployed_twice: Checkout) -> None:
    deployed_twice.stack_is("UPDATE_IN_PROGRESS")
    deployed_twice.run("rollback").expect(0)
    expect_steady(deployed_twice, 1)


def test_a_service_that_was_scaled_to_zero_gets_its_tasks_back(deployed_twice: Checkout) -> None:
    names = deployed_twice.settings.names
    deployed_twice.aws.client("ecs").update_service(
        cluster=names.cluster, service=names.service, desiredCount=0
    )
    run = deployed_twice.run("rollback").expect(0)
    assert run.request("ecs:UpdateService")["desiredCount"] == 1
    expect_steady(deployed_twice, 1)


def test_the_deploy_that_follows_deploys_its_own_commit_again(deployed_twice: Checkout) -> None:
    deployed_twice.run("rollback").expect(0)
    run = deployed_twice.run("deploy").expect(0)
    assert {"key": "commit", "value": deployed_twice.head} in run.request(
        "ecs:RegisterTaskDefinition"
    )["tags"]
    expect_steady(deployed_twice, 3)


def test_a_revision_without_a_tag_has_an_unknown_commit(deployed_twice: Checkout) -> None:
    """It was registered by hand: any healthy answer of the URL will do."""
    register_by_hand(deployed_twice)
    run = deployed_twice.run("rollback", "3").expect(0)
    assert "commit      unknown" in run.out


def register_by_hand(checkout: Checkout, **changes: Any) -> None:
    """Another revision: a copy of the present one with other tags and with the changes."""
    ecs = checkout.aws.client("ecs")
    present = ecs.describe_task_definition(taskDefinition=checkout.revision)["taskDefinition"]
    document = checkout.document("infra/task-definition.json")
    request = {name: present[name] for name in document if name in present}
    request["containerDefinitions"] = [present["containerDefinitions"][0] | changes]
    ecs.register_task_definition(**request)


def test_the_present_revision_in_steady_state_is_confirmed(deployed_twice: Checkout) -> None:
    """A rollback that could not reach its URL can therefore be run again, as its message says."""
    run = deployed_twice.run("rollback", "2").expect(0).expect_no_change()
    assert "in steady state already" in run.out


# --- revisions that it refuses ---


def image_is_gone(checkout: Checkout) -> None:
    commit = checkout.git("rev-parse", "HEAD~1")
    checkout.aws.client("ecr").batch_delete_image(
        repositoryName=checkout.settings.names.repository,
        imageIds=[{"imageTag": commit}, {"imageTag": f"deployed-{commit}"}],
    )


def revision_is_inactive(checkout: Checkout) -> None:
    checkout.aws.client("ecs").deregister_task_definition(taskDefinition=f"{FAMILY}:1")


def image_is_elsewhere(checkout: Checkout) -> None:
    """The revision names another repository, under a tag that the service's own one has, too."""
    register_by_hand(checkout, image=f"public.ecr.aws/example/app:{checkout.head}")


def deployment_failed(checkout: Checkout) -> None:
    checkout.ecs_deployment.rollout_state = "FAILED"


def service_is_deleted(checkout: Checkout) -> None:
    names = checkout.settings.names
    checkout.aws.client("ecs").delete_service(
        cluster=names.cluster, service=names.service, force=True
    )


def history_is_denied(checkout: Checkout) -> None:
    checkout.aws.faults.refuse_for_ever("ecs:ListServiceDeployments", "AccessDeniedException")


def history_is_empty(checkout: Checkout) -> None:
    names = checkout.settings.names
    checkout.aws.ecs.services[names.cluster, names.service].history.records.clear()


def update_is_refused(checkout: Checkout) -> None:
    checkout.aws.faults.refuse_for_ever("ecs:UpdateService", "ClientException", "inactive")


def nothing_is_wrong(_: Checkout) -> None:
    pass


REFUSALS: dict[str, tuple[Callable[[Checkout], None], str, str, str]] = {
    "its image has expired": (image_is_gone, "", "revision-unusable", "its image has expired"),
    "its image is elsewhere": (image_is_elsewhere, "3", "revision-unusable", "its image is not in"),
    "it is inactive": (revision_is_inactive, "", "revision-unusable", "(INACTIVE)"),
    "it does not exist": (nothing_is_wrong, "9", "revision-unusable", "it does not exist"),
    "the service is at it and that failed": (deployment_failed, "2", "revision-present", "FAILED"),
    "the service is being deleted": (service_is_deleted, "", "service-draining", ""),
    "the history may not be read": (history_is_denied, "", "aws-denied", ""),
    "ECS remembers none": (history_is_empty, "", "no-earlier-revision", ""),
    "ECS refuses it": (update_is_refused, "", "aws-refused", "ecs:UpdateService"),
}


@pytest.mark.parametrize("row", REFUSALS)
def test_an_unusable_revision_is_refused_and_nothing_is_changed(
    deployed_twice: Checkout, row: str
) -> None:
    given, name, error, reason = REFUSALS[row]
    given(deployed_twice)
    run = deployed_twice.run("rollback", name).expect(2, error).expect_no_change()
    assert reason in run.err
    assert "continues" not in run.err


def test_without_a_service_there_is_nothing_to_roll_back(provisioned: Checkout) -> None:
    provisioned.run("rollback").expect(2, "nothing-deployed")


def test_without_a_cluster_the_error_says_to_provision(provisioned: Checkout) -> None:
    cluster = provisioned.settings.names.cluster
    provisioned.aws.client("ecs").delete_cluster(cluster=cluster)
    provisioned.run("rollback").expect(2, "cluster-missing")


def test_without_an_earlier_revision_the_error_names_the_limit_of_the_history(
    deployed: Checkout,
) -> None:
    run = deployed.run("rollback").expect(2, "no-earlier-revision").expect_no_change()
    assert "90 days" in run.err


STATES: dict[str, tuple[Json, bool, Step | None]] = {
    "in steady state": (listed(NEW, "COMPLETED", running=1), True, Step.NOTHING),
    "in progress": (listed(NEW), True, Step.WATCH),
    "failed": (listed(NEW, "FAILED", running=1), True, None),
    "complete without a task": (listed(NEW, "COMPLETED"), True, None),
    "another revision": (listed(NEW, "COMPLETED", running=1), False, Step.DEPLOY),
}


@pytest.mark.parametrize("row", STATES)
def test_the_present_revision_is_watched_confirmed_or_refused(row: str) -> None:
    primary, is_present, step = STATES[row]
    now = service(primary)
    if step:
        assert rollback.next_step(now, is_present=is_present, may_want_none=False) is step
        return
    with pytest.raises(ToolError) as refused:
        rollback.next_step(now, is_present=is_present, may_want_none=False)
    assert refused.value.code == "revision-present"


def test_zero_tasks_are_accepted_if_a_schedule_wants_none() -> None:
    now = service(listed(NEW, "COMPLETED", desired=0))
    assert rollback.next_step(now, is_present=True, may_want_none=True) is Step.NOTHING


def test_the_name_of_a_revision_is_parsed_to_its_number() -> None:
    assert rollback.parse("", settings()) == 0
    assert rollback.parse("41", settings()) == 41
    assert rollback.parse(f"{FAMILY}:41", settings()) == 41


# --- how it ends ---


def test_a_failed_rollback_is_reported(deployed_twice: Checkout) -> None:
    served = deployed_twice.commit_served
    deployed_twice.aws.next_rollout(Crashes(says=("ValueError: no model",)))
    run = deployed_twice.run("rollback").expect(1, "deployment-rolled-back")
    assert "ValueError: no model" in run.out
    assert "name another revision" in run.err
    assert (deployed_twice.revision, deployed_twice.commit_served) == (f"{FAMILY}:2", served)


def test_every_message_that_says_to_run_it_again_names_the_number(
    deployed_twice: Checkout,
) -> None:
    """Without it the next run might go further back."""
    again = "run this again: uv run --frozen -m infra rollback 1"
    deployed_twice.set("deploy.timeout_seconds", 10)
    deployed_twice.aws.next_rollout(Hangs())
    run = deployed_twice.run("rollback").expect(3, "deployment-timeout")
    assert run.err.count(again) == 2
    deployed_twice.aws.faults.expire_tokens(after=4)
    run = deployed_twice.run("rollback", "1").expect(3, "deployment-unanswered")
    assert run.err.count(again) == 2


def test_an_overtaken_rollback_names_the_number(deployed_twice: Checkout) -> None:
    deployed_twice.aws.next_rollout(Overtaken())
    run = deployed_twice.run("rollback").expect(1, "deployment-overtaken")
    assert "infra rollback 1" in run.err


@pytest.mark.parametrize("was_done", [True, False])
def test_a_lost_response_to_the_update_makes_the_outcome_unknown(
    deployed_twice: Checkout, was_done: bool
) -> None:
    faults = deployed_twice.aws.faults
    (faults.lose_answer if was_done else faults.drop)("ecs:UpdateService", times=3)
    run = deployed_twice.run("rollback").expect(3, "change-unknown")
    assert "Whether ECS rolls back to ai-assistant-task:1 is unknown." in run.err
    assert run.err.count("infra rollback 1") == 2
    deployed_twice.run("rollback", "1").expect(0)
    expect_steady(deployed_twice, 1)


def test_without_a_url_the_outcome_is_unknown(deployed_twice: Checkout) -> None:
    deployed_twice.aws.faults.refuse_for_ever(
        "cloudformation:DescribeStacks", "ValidationError", "Stack does not exist"
    )
    run = deployed_twice.run("rollback").expect(3, "url-unknown")
    assert "continues" not in run.err, "the deployment itself is complete"
    deployed_twice.aws.faults.clear()
    deployed_twice.run("rollback", "1").expect(0).expect_no_change()


def test_a_stack_that_cannot_be_read_leaves_the_url_unknown(deployed_twice: Checkout) -> None:
    operation = "cloudformation:DescribeStacks"
    deployed_twice.aws.faults.refuse_for_ever(operation, "AccessDenied", "not authorized")
    run = deployed_twice.run("rollback").expect(3, "url-unknown")
    assert "infra rollback 1" in run.err
