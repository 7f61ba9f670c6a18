"""What holds for every workflow of a service, whatever its steps do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import ROOT, Render
from runner import WORKFLOWS, steps, workflow

ANY_WORKFLOW = pytest.mark.parametrize("name", WORKFLOWS)


def source(service: Path, name: str) -> str:
    return (service / ".github" / "workflows" / f"{name}.yml").read_text()


def jobs(service: Path, name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = workflow(service, name)["jobs"]
    return found


def test_there_are_no_other_workflows(example: Render) -> None:
    found = {path.stem for path in (example.path / ".github" / "workflows").iterdir()}
    assert found == set(WORKFLOWS), "add the new one to WORKFLOWS, so that it is tested as well"


def test_actions_are_pinned_by_commit_and_alike_everywhere(example: Render) -> None:
    pins: dict[str, set[str]] = {}
    for name in WORKFLOWS:
        for line in re.findall(r"uses: (.+)", source(example.path, name)):
            if line.startswith("./"):
                continue
            pin = re.fullmatch(r"([\w.-]+/[\w./-]+)@([0-9a-f]{40}  # v\d+\.\d+\.\d+)", line)
            assert pin, f"{name}.yml: write `uses: owner/action@COMMIT  # vX.Y.Z`, not {line}"
            pins.setdefault(pin[1], set()).add(pin[2])
    assert len(pins) >= 3
    assert all(len(pin) == 1 for pin in pins.values()), f"two pins for one action: {pins}"


@ANY_WORKFLOW
def test_every_job_has_the_permissions_it_needs_and_no_more(example: Render, name: str) -> None:
    assert workflow(example.path, name)["permissions"] == {}, "nothing, unless a job asks for it"
    for job, content in jobs(example.path, name).items():
        assert content["permissions"].pop("contents") == "read", f"{name}.yml: {job}"
        more = {"deploy": {"id-token": "write"}, "check": {"issues": "write"}}
        allowed = more.get(job, {}) if name != "ci" else {}
        assert content["permissions"] == allowed, f"{name}.yml: {job}"


@ANY_WORKFLOW
def test_every_job_ends(example: Render, name: str) -> None:
    for job, content in jobs(example.path, name).items():
        called = "uses" in content  # a called workflow has the timeouts of its own jobs
        assert called or 1 <= content["timeout-minutes"] <= 60, f"{name}.yml: {job}"


@ANY_WORKFLOW
def test_no_expression_stands_in_a_script(example: Render, name: str) -> None:
    for step, content in steps(example.path, name).items():
        assert "${{" not in content.get("run", ""), f"{step}: pass it through `env`"


@ANY_WORKFLOW
def test_a_step_that_fails_stops_its_job(example: Render, name: str) -> None:
    assert workflow(example.path, name)["defaults"] == {"run": {"shell": "bash"}}, (
        "`shell: bash` is what adds pipefail"
    )
    assert "continue-on-error" not in source(example.path, name)


@ANY_WORKFLOW
def test_no_credentials_stay_in_the_checkout(example: Render, name: str) -> None:
    for step, content in steps(example.path, name).items():
        if content.get("uses", "").startswith("actions/checkout@"):
            assert content["with"]["persist-credentials"] is False, step


def test_no_workflow_waits_for_another(example: Render) -> None:
    """A called workflow that has its caller's group waits for it for ever."""
    groups = [workflow(example.path, name)["concurrency"]["group"] for name in WORKFLOWS]
    assert len(set(groups)) == len(groups)
    assert [re.sub(r"\$\{\{ github\.ref \}\}$", "", group) for group in groups] == [
        "ci-",
        "deploy-ecs",
        "template-update",
    ]


def test_a_rollout_under_way_is_not_cut_off(example: Render) -> None:
    deploy = workflow(example.path, "deploy-ecs")
    assert deploy["concurrency"]["cancel-in-progress"] is False
    minutes = deploy["jobs"]["deploy"]["timeout-minutes"]
    rollout = int(example.settings()["ROLLOUT_TIMEOUT"]) / 60
    assert rollout + 10 <= minutes, "10 minutes for the build, before ROLLOUT_TIMEOUT begins"
    assert minutes < 60, "the role's credentials last for an hour"


def test_main_is_deployed_and_nothing_else(example: Render) -> None:
    assert workflow(example.path, "deploy-ecs")["on"] == {
        "push": {"branches": ["main"]},
        "workflow_dispatch": {},
    }


def test_nothing_is_deployed_that_ci_refuses(example: Render) -> None:
    deploy = jobs(example.path, "deploy-ecs")
    assert deploy["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert deploy["deploy"]["needs"] == "ci"
    assert "if" not in deploy["deploy"]
    asked = set(re.findall(r"needs\.ci\.outputs\.(\w+)", source(example.path, "deploy-ecs")))
    told = workflow(example.path, "ci")["on"]["workflow_call"]["outputs"]
    assert asked == told.keys()


def test_the_workflow_adds_credentials_and_nothing_else(example: Render) -> None:
    scripts = [step.get("run", "") for step in steps(example.path, "deploy-ecs").values()]
    assert scripts.count("infra/deploy.sh") == 1
    for script in scripts:
        assert not re.search(r"\b(aws|docker) [a-z]", script), "infra/deploy.sh is what does that"


def test_credentials_are_for_this_account_and_refused_soon(example: Render) -> None:
    given = steps(example.path, "deploy-ecs")["Get credentials"]["with"]
    assert given["allowed-account-ids"] == "${{ steps.settings.outputs.account }}"
    assert given["retry-max-attempts"] <= 3, "the default of 12 takes three minutes to say no"
    assert "github.run_id" in given["role-session-name"]


def test_uv_is_the_same_in_ci_and_in_the_image(example: Render) -> None:
    image = re.findall(r"/uv:([\d.]+)", example.text("Dockerfile"))
    runner = [
        step["with"]["version"]
        for name in WORKFLOWS
        for step in steps(example.path, name).values()
        if step.get("uses", "").startswith("astral-sh/setup-uv@")
    ]
    assert runner
    assert set(runner) == set(image), "change .github/workflows/ and Dockerfile together"


def test_ci_runs_the_oldest_python_and_the_one_of_the_image(example: Render) -> None:
    oldest = re.findall(r'requires-python = ">=([\d.]+)"', example.text("pyproject.toml"))
    image = re.findall(r"^FROM python:(\d+\.\d+)", example.text("Dockerfile"), re.MULTILINE)
    tested = jobs(example.path, "ci")["check"]["strategy"]["matrix"]["python"]
    assert tested == [oldest[0], image[0]]


def test_ci_builds_and_tests_the_image_as_a_laptop_does(example: Render) -> None:
    """What the command does is tested in tests/tool and tests/container."""
    image = jobs(example.path, "ci")["image"]
    assert image["runs-on"] == "${{ needs.settings.outputs.runner }}", "its processor is Fargate's"
    assert [step["run"] for step in image["steps"] if "run" in step] == [
        "uv sync --locked --only-group infra --no-build",
        "uv run --no-sync -m infra test-image",
    ]


def test_the_template_is_asked_with_a_copier_that_can_read_it(example: Render) -> None:
    used = re.findall(r"uvx copier@([\d.]+)", source(example.path, "template-update"))
    needed = yaml.safe_load((ROOT / "copier.yml").read_text())["_min_copier_version"]
    assert len(used) == 1
    assert [int(part) for part in used[0].split(".")] >= [int(part) for part in needed.split(".")]


@ANY_WORKFLOW
def test_a_finding_is_silenced_only_where_github_leaves_no_choice(
    example: Render, name: str
) -> None:
    for line in source(example.path, name).splitlines():
        if re.search(r"zizmor: ignore|yamllint disable|shellcheck disable", line):
            assert re.search(
                r"# zizmor: ignore\[(self-repository|secrets-outside-env)\] \w+( \w+){3,}$", line
            ), f"{name}.yml: mend it, or say why not: {line}"


def test_dependabot_raises_what_no_release_of_the_template_raises(example: Render) -> None:
    [update] = yaml.safe_load(example.text(".github/dependabot.yml"))["updates"]
    assert (update["package-ecosystem"], update["versioning-strategy"]) == ("uv", "lockfile-only")
    assert "uv.lock" not in example.files(), "or its pull requests meet those of the template"
    assert update["cooldown"]["default-days"] >= 7, "a bad release is mostly found in a week"
    assert [group["patterns"] for group in update["groups"].values()] == [["*"]]
