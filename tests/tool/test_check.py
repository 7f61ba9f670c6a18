"""`check` makes every check that a deploy makes, one line each, and changes nothing."""

import json
import os
import re
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from infra.tool import checks
from infra.tool.console import Console
from infra.tool.target import Target

from simulator.faults import THROTTLED, UNKNOWN_CREDENTIALS
from tests.support.checkout import Checkout, runtime_of

Given = Callable[[Checkout], object]
DOCKER = """
case "$*" in
  version*) echo 27.0.3 27.0.4 ;;
  "buildx inspect") printf 'Name:   default\\nDriver: docker\\nPlatforms: linux/amd64\\n' ;;
esac
"""
IN_AWS = ["sts:GetCallerIdentity", "cloudformation:DescribeStacks", "ecs:DescribeServices"]


@pytest.fixture(autouse=True)
def _programs(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A PATH that has only git of this machine and a stand-in for docker."""
    for stage in {"rendered", "provisioned", "deployed"} & set(request.fixturenames):
        service: Checkout = request.getfixturevalue(stage)
        programs = tmp_path / "bin"
        programs.mkdir()
        put(programs / "docker", DOCKER)
        git = shutil.which("git")
        assert git
        (programs / "git").symlink_to(git)
        service.environment["PATH"] = os.fspath(programs)


def put(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def lines(out: str) -> dict[str, tuple[str, str]]:
    """By the name of the check: ok, NO or --, and what was found."""
    found = re.findall(r"^(ok|NO|--)  (\w+) +(.*)$", out, re.MULTILINE)
    return {name: (verdict, text) for verdict, name, text in found}


def target(service: Checkout, principal: str) -> Target:
    console = Console({}, StringIO(), StringIO())
    return Target(runtime_of(service.aws, service.folder, principal, service.environment, console))


def codes(service: Checkout, principal: str = "") -> dict[str, str]:
    """The codes of the errors that the checks find, as the deploy role unless another asks."""
    role = f"role/{service.settings.names.deploy_role}"
    findings = checks.run_checks(target(service, principal or role), lambda _: None)
    return {finding.check.name: finding.error.code for finding in findings if finding.error}


def test_a_service_that_is_ready_has_an_ok_line_for_each_check(deployed: Checkout) -> None:
    run = deployed.run("check").expect(0).expect_no_change()
    assert run.operations == [*IN_AWS, "ecr:DescribeImages", "ecr:GetAuthorizationToken"]
    assert run.err == ""
    found = lines(run.out)
    assert len(found) == len(run.out.splitlines()) == len(checks.CHECKS)
    role = "assumed-role/ai-assistant-us-east-1-github-actions/"
    assert found.pop("credentials")[1].startswith(f"arn:aws:sts::123456789012:{role}")
    assert found.pop("image")[1].startswith("sha256:")
    assert found == {
        "repository": ("ok", deployed.head),
        "lock": ("ok", "uv.lock"),
        "tree": ("ok", "no uncommitted changes"),
        "settings": ("ok", "of ai-assistant"),
        "documents": ("ok", "for linux/amd64"),
        "docker": ("ok", "27.0.4"),
        "builder": ("ok", "default (docker)"),
        "region": ("ok", "us-east-1"),
        "stack": ("ok", "ai-assistant, CREATE_COMPLETE"),
        "service": ("ok", "ai-assistant-service, ACTIVE"),
        "alarms": ("ok", "none ends the deployment"),
        "scan": ("ok", "no limit is set"),
        "registry": ("ok", "123456789012.dkr.ecr.us-east-1.amazonaws.com"),
    }


def test_the_region_of_the_shell_is_ignored_and_the_output_says_so(deployed: Checkout) -> None:
    for name in "AWS_REGION", "AWS_DEFAULT_REGION":
        run = deployed.run("check", **{name: "eu-north-1"}).expect(0)
        assert lines(run.out)["region"] == (
            "ok",
            "us-east-1 (this shell names eu-north-1, which is ignored)",
        )


def test_a_service_that_is_not_created_yet_is_not_an_error(provisioned: Checkout) -> None:
    provisioned.run("check").expect(0)


def test_a_service_that_was_deleted_is_not_an_error(deployed: Checkout) -> None:
    names, ecs = deployed.settings.names, deployed.aws.client("ecs")
    where = {"cluster": names.cluster, "service": names.service}
    ecs.delete_service(**where, force=True)
    for _ in range(9):  # each look takes it further, until it is INACTIVE
        ecs.describe_services(cluster=names.cluster, services=[names.service])
    deployed.run("check").expect(0)


def test_every_failed_check_is_reported_in_one_run(deployed: Checkout) -> None:
    deployed.write("new.py", "")
    deployed.git("rm", "--quiet", "--cached", "uv.lock")
    programs = Path(deployed.environment["PATH"])
    put(programs / "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    deployed.aws.faults.expire_tokens()
    run = deployed.run("check", GITHUB_ACTIONS="true").expect_no_change()
    assert run.exit_code == 2
    found = lines(run.out)
    assert {name: verdict for name, (verdict, _) in found.items() if verdict != "ok"} == {
        "lock": "NO",
        "tree": "NO",
        "docker": "NO",
        "builder": "--",
        "credentials": "NO",
        "stack": "--",
        "service": "--",
        "alarms": "--",
        "image": "--",
        "scan": "--",
        "registry": "--",
    }
    assert "sudo systemctl start docker" in found["docker"][1]
    assert "aws sso login" in found["credentials"][1]
    assert run.operations == IN_AWS[:1], "without credentials there is nothing to ask for"
    assert "::" not in run.out, "one annotation is enough: the last line"
    [annotation] = run.err.splitlines()
    assert annotation.startswith("::error title=check-failed::not ready to deploy: lock, tree, ")


def test_without_git_and_docker_the_other_checks_still_run(deployed: Checkout) -> None:
    for program in Path(deployed.environment["PATH"]).iterdir():
        program.unlink()
    run = deployed.run("check").expect(2, "check-failed")
    found = lines(run.out)
    bad = {name: verdict for name, (verdict, _) in found.items() if verdict != "ok"}
    assert bad == {
        "repository": "NO",
        "lock": "--",
        "tree": "--",
        "docker": "NO",
        "builder": "--",
        "image": "--",
        "scan": "--",
        "registry": "--",
    }
    assert codes(deployed) == {"repository": "git-missing", "docker": "docker-missing"}


def test_wrong_settings_are_reported_once_and_checks_that_need_them_are_skipped(
    deployed: Checkout,
) -> None:
    deployed.set("network.vpc", "default")
    run = deployed.run("check", principal="root").expect(2, "check-failed")
    assert run.operations == []
    found = lines(run.out)
    assert found["settings"][0] == "NO"
    assert '[network] vpc = "default"' in found["settings"][1]
    assert {name for name, (verdict, _) in found.items() if verdict == "ok"} == {
        "repository",
        "lock",
        "docker",
    }
    assert {name for name, (verdict, _) in found.items() if verdict == "NO"} == {
        "settings",
        "tree",
    }


# --- what each check finds ---


def in_another_repository(service: Checkout) -> None:
    shutil.rmtree(service.folder / ".git")
    moved = service.folder.parent / "monorepo" / "service"
    moved.parent.mkdir()
    service.folder.rename(moved)
    service.folder = moved.parent
    service.git("init", "--quiet")
    service.folder = moved


def ignore_the_lock(service: Checkout) -> None:
    service.git("rm", "--quiet", "--cached", "uv.lock")
    commit(service, ".gitignore", "uv.lock\n")


def hide_new_files(service: Checkout) -> None:
    service.git("config", "status.showUntrackedFiles", "no")
    service.write("new.py", "")


def break_the_index(service: Checkout) -> None:
    (service.folder / ".git" / "index").write_bytes(b"broken")


def commit(service: Checkout, name: str, text: str) -> None:
    service.write(name, text)
    service.commit(f"Change {name}")


def give(name: str, text: str) -> Given:
    return lambda service: commit(service, name, text)


def edit_task(change: Callable[[Any], object]) -> Given:
    def edit(service: Checkout) -> None:
        task = service.document("infra/task-definition.json")
        change(task)
        commit(service, "infra/task-definition.json", json.dumps(task, indent=2))

    return edit


def rename_container(task: Any) -> None:
    task["containerDefinitions"][0]["name"] = "another"


def add_a_twin(task: Any) -> None:
    task["containerDefinitions"] *= 2


def edit_service(**change: Any) -> Given:
    return lambda service: service.change("infra/service.json", change)


# By case: how to cause the problem, the check that finds it, and the code of the error.
FOUND_HERE: dict[str, tuple[Given, str, str]] = {
    "no repository": (
        lambda service: shutil.rmtree(service.folder / ".git"),
        "repository",
        "no-repository",
    ),
    "a folder of another repository": (
        in_another_repository,
        "repository",
        "repository-of-another",
    ),
    "no commit": (
        lambda service: service.git("update-ref", "-d", "HEAD"),
        "repository",
        "no-commit",
    ),
    "no lock": (
        lambda service: service.git("rm", "--quiet", "uv.lock"),
        "lock",
        "lock-not-committed",
    ),
    "a lock that is not in git": (
        lambda service: service.git("rm", "--quiet", "--cached", "uv.lock"),
        "lock",
        "lock-not-committed",
    ),
    "a lock that git ignores": (ignore_the_lock, "lock", "lock-not-committed"),
    "a new file": (lambda service: service.write("a new file.py", ""), "tree", "not-committed"),
    "a new file that git is told not to mention": (hide_new_files, "tree", "not-committed"),
    "a changed file": (
        lambda service: service.edit("README.md", "#", "##"),
        "tree",
        "not-committed",
    ),
    "an index that git cannot read": (break_the_index, "tree", "git-failed"),
    "a document that is no JSON": (
        give("infra/task-definition.json", '{"family": ""curl"}'),
        "documents",
        "document-broken",
    ),
    "a conflict of an update": (
        give("infra/service.json", "{\n<<<<<<< before\n"),
        "documents",
        "document-broken",
    ),
    "an empty document": (give("infra/autoscaling.json", ""), "documents", "document-broken"),
    "two documents in one": (
        give("infra/autoscaling.json", "{} {}"),
        "documents",
        "document-broken",
    ),
    "a list": (give("infra/autoscaling.json", "[]"), "documents", "document-broken"),
    "a document that is gone": (
        lambda service: service.git("rm", "--quiet", "infra/service.json"),
        "documents",
        "document-broken",
    ),
    "another family": (
        edit_task(lambda task: task.update(family="another")),
        "documents",
        "document-wrong",
    ),
    "no container of the name": (edit_task(rename_container), "documents", "document-wrong"),
    "two containers of the name": (edit_task(add_a_twin), "documents", "document-wrong"),
    "a container without a port": (
        edit_task(lambda task: task["containerDefinitions"][0].pop("portMappings")),
        "documents",
        "document-wrong",
    ),
    "an unknown processor": (
        edit_task(lambda task: task["runtimePlatform"].update(cpuArchitecture="RISCV")),
        "documents",
        "document-wrong",
    ),
    "a member that ECS does not know": (
        edit_service(desiredCuont=2),
        "documents",
        "document-wrong",
    ),
    "a member within another that ECS does not know": (
        edit_service(deploymentConfiguration={"deploymentCircuitBreaker": {"enabled": True}}),
        "documents",
        "document-wrong",
    ),
}


@pytest.mark.parametrize("case", FOUND_HERE)
def test_a_problem_on_this_machine_is_found_by_its_check(deployed: Checkout, case: str) -> None:
    given, check, code = FOUND_HERE[case]
    given(deployed)
    assert codes(deployed)[check] == code


def test_three_changed_files_are_named_and_all_are_counted(deployed: Checkout) -> None:
    for number in range(4):
        deployed.write(f"{number}.py", "")
    deployed.edit("README.md", "#", "##")
    run = deployed.run("check").expect(2, "check-failed")
    text = lines(run.out)["tree"][1]
    assert text.startswith("5 files not as committed: README.md, 0.py, 1.py, …")


def test_every_complaint_about_a_document_is_reported_at_once(deployed: Checkout) -> None:
    def break_twice(task: Any) -> None:
        task["family"] = "another"
        del task["runtimePlatform"]

    edit_task(break_twice)(deployed)
    text = lines(deployed.run("check").out)["documents"][1]
    assert "its family is another" in text
    assert "cpuArchitecture is None" in text


def stack_is(status: str, *lacks: str) -> Given:
    """DescribeStacks answers another state, and leaves outputs out."""

    def given(service: Checkout) -> None:
        cloudformation = service.aws.services["cloudformation"]
        describe = cloudformation.describe_stacks

        def changed(parameters: Any) -> Any:
            answer = describe(parameters)
            for stack in answer["Stacks"]:
                stack["StackStatus"] = status
                outputs = stack.get("Outputs", [])
                stack["Outputs"] = [one for one in outputs if one["OutputKey"] not in lacks]
            return answer

        cloudformation.describe_stacks = changed

    return given


def delete_the_service(service: Checkout) -> None:
    names = service.settings.names
    where = {"cluster": names.cluster, "service": names.service}
    service.aws.client("ecs").delete_service(**where, force=True)


def drop_the_grace_period(service: Checkout) -> None:
    """An update keeps what the document does not name."""
    document = service.document("infra/service.json")
    del document["healthCheckGracePeriodSeconds"]
    commit(service, "infra/service.json", json.dumps(document))


def delete_the_images(service: Checkout) -> None:
    repository = service.settings.names.repository
    service.aws.client("ecr").delete_repository(repositoryName=repository, force=True)


def refuse(operation: str, *error: Any) -> Given:
    return lambda service: service.aws.faults.refuse_for_ever(operation, *error)


FOUND_IN_AWS: dict[str, tuple[Given, str, str]] = {
    "no network": (
        lambda service: service.aws.faults.cut_off(),
        "credentials",
        "aws-unreachable",
    ),
    "an expired token": (
        lambda service: service.aws.faults.expire_tokens(),
        "credentials",
        "sign-in",
    ),
    "keys that AWS does not know": (refuse("*", UNKNOWN_CREDENTIALS), "credentials", "sign-in"),
    "STS is throttled": (
        refuse("sts:GetCallerIdentity", THROTTLED),
        "credentials",
        "aws-refused",
    ),
    "the stack may not be seen": (
        refuse("cloudformation:DescribeStacks", "AccessDenied", "not authorized"),
        "stack",
        "aws-denied",
    ),
    "the stack was only planned": (stack_is("REVIEW_IN_PROGRESS"), "stack", "stack-planned"),
    "the stack is being changed": (stack_is("UPDATE_IN_PROGRESS"), "stack", "stack-changing"),
    "the stack is being rolled back": (
        stack_is("UPDATE_ROLLBACK_IN_PROGRESS"),
        "stack",
        "stack-changing",
    ),
    "the stack could not be created": (stack_is("ROLLBACK_COMPLETE"), "stack", "stack-failed"),
    "the stack could not be rolled back": (
        stack_is("UPDATE_ROLLBACK_FAILED"),
        "stack",
        "stack-failed",
    ),
    "the stack is of an earlier template": (
        stack_is("UPDATE_COMPLETE", "Url", "SubnetIds"),
        "stack",
        "stack-outputs",
    ),
    "no cluster": (
        refuse("ecs:DescribeServices", "ClusterNotFoundException"),
        "service",
        "cluster-missing",
    ),
    "the service is being deleted": (delete_the_service, "service", "service-draining"),
    "the document cannot be taken over by the service": (
        drop_the_grace_period,
        "service",
        "document-wrong",
    ),
    "no repository in ECR": (delete_the_images, "image", "repository-missing"),
}


@pytest.mark.parametrize("case", FOUND_IN_AWS)
def test_a_problem_in_aws_is_found_by_its_check(deployed: Checkout, case: str) -> None:
    given, check, code = FOUND_IN_AWS[case]
    given(deployed)
    assert codes(deployed) == {check: code}


@pytest.mark.parametrize(
    "status",
    [
        "CREATE_COMPLETE",
        "IMPORT_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ],
)
def test_a_stack_in_a_final_state_can_be_deployed_to(deployed: Checkout, status: str) -> None:
    stack_is(status)(deployed)
    assert codes(deployed) == {}


def test_missing_outputs_are_listed(deployed: Checkout) -> None:
    stack_is("UPDATE_COMPLETE", "Url", "SubnetIds")(deployed)
    text = lines(deployed.run("check").out)["stack"][1]
    assert "lacks the outputs SubnetIds, Url" in text


def test_a_stack_that_does_not_exist_is_reported(rendered: Checkout) -> None:
    assert codes(rendered, "root") == {
        "stack": "stack-missing",
        "service": "cluster-missing",
        "image": "repository-missing",
    }


def test_credentials_of_another_account_are_reported(deployed: Checkout) -> None:
    deployed.set("service.account", "210987654321")
    deployed.set("service.registry", "210987654321.dkr.ecr.us-east-1.amazonaws.com")
    assert codes(deployed)["credentials"] == "account-differs"
