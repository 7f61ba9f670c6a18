"""Rules for every workflow of a service."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.rendering import ROOT, Render
from tests.workflows.runner import WORKFLOWS, all_steps, steps, workflow

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


# The permissions of every job on GitHub. `id-token` lets a job assume the deploy role.
READ = {"contents": "read"}
PERMISSIONS: dict[str, dict[str, dict[str, str]]] = {
    "ci": {"settings": READ, "check": READ, "image": READ, "passed": {}},
    "deploy-ecs": {"branch": {}, "ci": READ, "deploy": READ | {"id-token": "write"}},
    "rollback-ecs": {"settings": READ, "rollback": READ | {"id-token": "write"}},
    "template-update": {"check": READ, "issue": {"issues": "write"}},
}


@ANY_WORKFLOW
def test_every_job_has_the_permissions_it_needs_and_no_more(example: Render, name: str) -> None:
    assert workflow(example.path, name)["permissions"] == {}, "nothing, unless a job asks for it"
    found = {job: content["permissions"] for job, content in jobs(example.path, name).items()}
    assert found == PERMISSIONS[name], f"{name}.yml: give each job what its own steps need"


# Every condition, by job, or by job and step. No other test notices a lost or changed one.
CONDITIONS = {
    "ci": {
        "passed": "always()",
        "check: Test": "${{ !cancelled() }}",
    },
    "deploy-ecs": {
        "branch": "github.ref != 'refs/heads/main'",
        "ci": "github.ref == 'refs/heads/main'",
        "deploy: Say why there are no credentials": (
            "failure() && steps.credentials.outcome == 'failure'"
        ),
    },
    "rollback-ecs": {
        "settings: Refuse any branch but main": "github.ref != 'refs/heads/main'",
        "rollback: Say why there are no credentials": (
            "failure() && steps.credentials.outcome == 'failure'"
        ),
    },
    "template-update": {"issue": "needs.check.outputs.current != ''"},
}


@ANY_WORKFLOW
def test_jobs_and_steps_have_only_the_expected_conditions(example: Render, name: str) -> None:
    found: dict[str, str] = {}
    for job, content in jobs(example.path, name).items():
        parts = {job: content} | {f"{job}: {s['name']}": s for s in content.get("steps", [])}
        found |= {part: each["if"] for part, each in parts.items() if "if" in each}
    assert found == CONDITIONS[name], (
        f"{name}.yml: `if` decides what is deployed, and when. If the change is meant, change "
        "CONDITIONS in this test, too"
    )


# The jobs that have to end well before a job begins.
NEEDS: dict[str, dict[str, Any]] = {
    "ci": {"check": "settings", "image": "settings", "passed": ["settings", "check", "image"]},
    "deploy-ecs": {"deploy": "ci"},
    "rollback-ecs": {"rollback": "settings"},
    "template-update": {"issue": "check"},
}


@ANY_WORKFLOW
def test_no_job_begins_before_those_that_it_needs(example: Render, name: str) -> None:
    found = {
        job: each["needs"] for job, each in jobs(example.path, name).items() if "needs" in each
    }
    assert found == NEEDS[name], (
        f"{name}.yml: a job without its `needs` runs whatever became of the others. If the change "
        "is meant, change NEEDS in this test, too"
    )


INSTALL = "uv sync --locked --only-group infra --no-build"
TOOL = "uv run --no-sync -m infra"
# Every command that is one line, in order. Longer scripts are run in test_steps.py.
COMMANDS = {
    "ci": {
        "settings": [INSTALL, f"{TOOL} settings --github"],
        "image": [INSTALL, f"{TOOL} test-image"],
        "check": [
            "uv run --locked pre-commit run --all-files --show-diff-on-failure",
            "uv run --locked pytest",
        ],
    },
    "deploy-ecs": {
        "deploy": [
            INSTALL,
            f"{TOOL} settings --github",
            f"{TOOL} explain-credentials",
            f"{TOOL} deploy",
        ],
    },
    "rollback-ecs": {
        "settings": [INSTALL, f"{TOOL} settings --github"],
        "rollback": [
            INSTALL,
            f"{TOOL} settings --github",
            f"{TOOL} explain-credentials",
            f'{TOOL} rollback -- "$REVISION"',
        ],
    },
}
# Every longer script: test_steps.py and test_template_update.py run them.
SCRIPTS = {
    "Look for the lock file",
    "Look at the results",
    "Say why nothing is deployed",
    "Refuse any branch but main",
    "Look for a newer template",
    "Keep the issue",
}


@pytest.mark.parametrize(("name", "job"), [(n, j) for n, jobs in COMMANDS.items() for j in jobs])
def test_a_job_runs_these_commands_and_no_others(example: Render, name: str, job: str) -> None:
    found = [step["run"] for _, step in all_steps(example.path, name, job) if "run" in step]
    short = [command for command in found if "\n" not in command]
    assert short == COMMANDS[name][job], (
        f"{name}.yml, {job}: a linter or test that is left out is red nowhere, and a command that "
        "is added runs with the job's secrets. If the change is meant, change COMMANDS in this test"
    )


def test_no_script_is_untested(example: Render) -> None:
    found = {
        step
        for name in WORKFLOWS
        for step, content in all_steps(example.path, name)
        if "\n" in content.get("run", "")
    }
    assert found == SCRIPTS, "test a new script in test_steps.py, then add it to SCRIPTS"


def test_only_these_steps_see_a_secret(example: Render) -> None:
    """A step can print a secret of its environment in a form that GitHub does not mask."""
    found = {
        (name, step, secret)
        for name in WORKFLOWS
        for step, content in all_steps(example.path, name)
        for secret in re.findall(r"secrets\.\w+|github\.token", str(content))
    }
    keys = {"secrets.AWS_ACCESS_KEY_ID", "secrets.AWS_SECRET_ACCESS_KEY"}
    expected = {("template-update", "Keep the issue", "github.token")}
    expected |= {("deploy-ecs", "Deploy this commit", "github.token")}
    for name in "deploy-ecs", "rollback-ecs":
        expected |= {(name, "Get credentials", key) for key in keys}
        expected |= {(name, "Say why there are no credentials", "secrets.AWS_ACCESS_KEY_ID")}
    assert found == expected, "pass a secret to the one step that needs it, and to no other"
    for name in "deploy-ecs", "rollback-ecs":
        told = steps(example.path, name)["Say why there are no credentials"]["env"]
        assert told == {"HAS_KEYS": "${{ secrets.AWS_ACCESS_KEY_ID != '' }}"}, (
            f"{name}.yml: whether there is a key, never the key"
        )


@ANY_WORKFLOW
def test_only_steps_have_variables(example: Render, name: str) -> None:
    loaded = workflow(example.path, name)
    for content in (loaded, *loaded["jobs"].values()):
        assert "env" not in content, f"{name}.yml: give variables to the step that needs them"


@ANY_WORKFLOW
def test_every_job_has_a_timeout(example: Render, name: str) -> None:
    for job, content in jobs(example.path, name).items():
        called = "uses" in content  # a called workflow has the timeouts of its own jobs
        assert called or 1 <= content["timeout-minutes"] <= 60, f"{name}.yml: {job}"


@ANY_WORKFLOW
def test_no_script_contains_an_expression(example: Render, name: str) -> None:
    for step, content in all_steps(example.path, name):
        assert "${{" not in content.get("run", ""), f"{step}: pass it through `env`"


@ANY_WORKFLOW
def test_a_step_that_fails_stops_its_job(example: Render, name: str) -> None:
    assert workflow(example.path, name)["defaults"] == {"run": {"shell": "bash"}}, (
        "`shell: bash` is what adds pipefail"
    )
    assert "continue-on-error" not in source(example.path, name)


@ANY_WORKFLOW
def test_no_credentials_stay_in_the_checkout(example: Render, name: str) -> None:
    for step, content in all_steps(example.path, name):
        if content.get("uses", "").startswith("actions/checkout@"):
            assert content["with"]["persist-credentials"] is False, (
                f"{name}.yml: {step}: persist-credentials: false, or each later step has the token"
            )


CONCURRENCY = {
    "ci": ("ci-${{ github.ref }}", True),
    "deploy-ecs": ("deploy-ecs-${{ github.ref }}", False),
    "rollback-ecs": ("rollback-ecs", True),
    "template-update": ("template-update", False),
}


@ANY_WORKFLOW
def test_no_workflow_waits_for_another_or_cancels_its_runs(example: Render, name: str) -> None:
    """A called workflow that has its caller's group waits for it for ever."""
    found = workflow(example.path, name)["concurrency"]
    assert (found["group"], found["cancel-in-progress"]) == CONCURRENCY[name], (
        "a group per workflow: deploys of one branch queue, a dispatch on another branch cancels "
        "none of them, and a rollback waits for nothing"
    )


TRIGGERS: dict[str, dict[str, Any]] = {
    "deploy-ecs": {"push": {"branches": ["main"]}, "workflow_dispatch": {}},
    "template-update": {"schedule": [{"cron": "17 6 * * 1"}], "workflow_dispatch": {}},
}


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_workflow_starts_on_these_events_and_no_others(example: Render, name: str) -> None:
    assert workflow(example.path, name)["on"] == TRIGGERS[name], (
        f"{name}.yml: `on` decides what is deployed, and how often. If the change is meant, change "
        "TRIGGERS in this test, too"
    )


def test_ci_runs_for_pull_requests_merge_groups_and_deploys(example: Render) -> None:
    assert set(workflow(example.path, "ci")["on"]) == {
        "pull_request",
        "merge_group",
        "workflow_call",
    }, "a merge queue waits for ever for a check that does not run for its groups"


@pytest.mark.parametrize(("name", "job"), [("deploy-ecs", "deploy"), ("rollback-ecs", "rollback")])
def test_the_timeout_of_a_job_covers_a_whole_rollout(example: Render, name: str, job: str) -> None:
    minutes = jobs(example.path, name)[job]["timeout-minutes"]
    rollout = example.settings().deploy.timeout_seconds / 60
    assert rollout + 10 <= minutes, (
        f"{name}.yml: timeout-minutes: 10 for the build and those of [deploy] timeout_seconds"
    )
    assert minutes < 60, "the role's credentials last for an hour"


def test_a_deploy_needs_a_passed_ci(example: Render) -> None:
    deploy = jobs(example.path, "deploy-ecs")
    assert deploy["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert deploy["deploy"].get("needs") == "ci", "deploy what CI has passed, and nothing else"
    assert "if" not in deploy["deploy"], "a condition of its own can make it run after a red CI"
    asked = set(re.findall(r"needs\.ci\.outputs\.(\w+)", source(example.path, "deploy-ecs")))
    told = workflow(example.path, "ci")["on"]["workflow_call"]["outputs"]
    assert asked == told.keys(), "deploy-ecs.yml uses each output of ci.yml: environment, runner"


def test_a_rollback_does_not_wait_for_ci(example: Render) -> None:
    found = jobs(example.path, "rollback-ecs")
    assert found["rollback"].get("needs") == "settings", (
        "the job `settings` alone comes before: it reads the GitHub environment"
    )
    assert not any("uses" in job for job in found.values()), "CI may be red: that is why"


@pytest.mark.parametrize(
    ("name", "job", "needs"),
    [("deploy-ecs", "deploy", "ci"), ("rollback-ecs", "rollback", "settings")],
)
def test_a_job_with_credentials_runs_in_the_environment_of_the_settings(
    example: Render, name: str, job: str, needs: str
) -> None:
    found = jobs(example.path, name)[job].get("environment")
    assert found == f"${{{{ needs.{needs}.outputs.environment }}}}", (
        "its approvals and the subject of its token depend on it"
    )


def test_one_check_with_a_fixed_name_covers_all_of_ci(example: Render) -> None:
    """Branch protection names checks; those of a matrix have versions in their names."""
    ci = jobs(example.path, "ci")
    assert list(ci)[-1] == "passed"
    assert ci["passed"]["name"] == "CI passed", "services require the check by this name"
    assert set(ci["passed"]["needs"]) == ci.keys() - {"passed"}, (
        "ci.yml: name every other job in `needs` of `passed`, or it may fail unseen"
    )
    [step] = ci["passed"]["steps"]
    assert step["env"] == {"JOBS": "${{ toJSON(needs) }}"}


@pytest.mark.parametrize("name", ["deploy-ecs", "rollback-ecs"])
def test_the_workflow_adds_credentials_and_nothing_else(example: Render, name: str) -> None:
    for script in (step.get("run", "") for _, step in all_steps(example.path, name)):
        assert not re.search(r"\b(aws|docker) [a-z]", script), "the tool does that"


@pytest.mark.parametrize(("name", "job"), [("deploy-ecs", "deploy"), ("rollback-ecs", "rollback")])
def test_nothing_is_installed_once_there_are_credentials(
    example: Render, name: str, job: str
) -> None:
    found = steps(example.path, name, job)
    order = list(found)
    assert order.index("Install the tool") < order.index("Get credentials"), (
        "a package that is built or replaced must not find credentials"
    )
    after = [found[step].get("run", "") for step in order[order.index("Get credentials") :]]
    assert all("--no-sync" in command for command in after if command), "use uv run --no-sync"


@ANY_WORKFLOW
def test_no_cache_reaches_a_job_that_can_assume_the_role(example: Render, name: str) -> None:
    for job, content in jobs(example.path, name).items():
        if "id-token" in content["permissions"]:
            for step in content["steps"]:
                assert "actions/cache" not in step.get("uses", ""), f"{name}.yml: {job}"
                if step.get("uses", "").startswith("astral-sh/setup-uv@"):
                    assert step["with"].get("enable-cache") is False, (
                        f"{name}.yml: {job}: any workflow of this repository can write the cache"
                    )


def test_a_job_that_can_write_issues_runs_no_code_of_others(example: Render) -> None:
    """Copier and what it depends on are not locked."""
    writes = [
        step
        for job in jobs(example.path, "template-update").values()
        if "issues" in job["permissions"]
        for step in job["steps"]
    ]
    assert [step["name"] for step in writes] == ["Keep the issue"]
    assert not re.search(r"\b(uvx?|pip|copier)\b", writes[0]["run"].replace("Copier named", ""))


@pytest.mark.parametrize("name", ["deploy-ecs", "rollback-ecs"])
def test_credentials_are_only_for_this_account_and_fail_quickly(example: Render, name: str) -> None:
    given = steps(example.path, name)["Get credentials"]["with"]
    assert given.pop("retry-max-attempts") <= 3, "the default of 12 takes three minutes to say no"
    assert given == {
        "aws-region": "${{ steps.settings.outputs.region }}",
        "allowed-account-ids": "${{ steps.settings.outputs.account }}",
        "aws-access-key-id": "${{ secrets.AWS_ACCESS_KEY_ID }}",
        "aws-secret-access-key": "${{ secrets.AWS_SECRET_ACCESS_KEY }}",
        "role-to-assume": "${{ !secrets.AWS_ACCESS_KEY_ID && steps.settings.outputs.role || '' }}",
        "role-session-name": "run-${{ github.run_id }}-${{ github.run_attempt }}",
    }, f"{name}.yml: the keys if they are set, else the role, and for this account alone"


def test_a_rollback_takes_its_revision_from_the_form(example: Render) -> None:
    asked = workflow(example.path, "rollback-ecs")["on"]
    assert asked.keys() == {"workflow_dispatch"}, "a rollback is started by hand alone"
    [(name, given)] = asked["workflow_dispatch"]["inputs"].items()
    assert (name, given["type"], given["default"]) == ("revision", "string", "")
    step = steps(example.path, "rollback-ecs", "rollback")["Roll back"]
    assert step["env"] == {"REVISION": "${{ inputs.revision }}"}


def test_uv_is_the_same_in_ci_and_in_the_image(example: Render) -> None:
    image = re.findall(r"/uv:([\d.]+)", example.text("Dockerfile"))
    runner = [
        step["with"]["version"]
        for name in WORKFLOWS
        for _, step in all_steps(example.path, name)
        if step.get("uses", "").startswith("astral-sh/setup-uv@")
    ]
    assert runner
    assert set(runner) == set(image), "change .github/workflows/ and Dockerfile together"


def test_ci_runs_the_oldest_python_and_the_one_of_the_image(example: Render) -> None:
    oldest = re.findall(r'requires-python = ">=([\d.]+)"', example.text("pyproject.toml"))
    image = re.findall(r"^FROM python:(\d+\.\d+)", example.text("Dockerfile"), re.MULTILINE)
    tested = jobs(example.path, "ci")["check"]["strategy"]["matrix"]["python"]
    assert tested == [oldest[0], image[0]]


def test_ci_builds_and_tests_the_image_on_the_processor_of_fargate(example: Render) -> None:
    """tests/tool and tests/container test the command itself."""
    found = jobs(example.path, "ci")["image"]["runs-on"]
    assert found == "${{ needs.settings.outputs.runner }}", "infra/task-definition.json names it"


def test_the_update_check_uses_a_copier_that_supports_the_template(example: Render) -> None:
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


def test_dependabot_updates_only_what_the_template_does_not(example: Render) -> None:
    [update] = yaml.safe_load(example.text(".github/dependabot.yml"))["updates"]
    assert (update["package-ecosystem"], update["versioning-strategy"]) == (
        "uv",
        "lockfile-only",
    ), ".github/dependabot.yml: uv.lock alone: two who raise one line would make a conflict"
    assert "uv.lock" not in example.files(), "or its pull requests meet those of the template"
    assert update["cooldown"]["default-days"] >= 7, (
        ".github/dependabot.yml: default-days: a bad release is mostly found in a week"
    )
    assert [group["patterns"] for group in update["groups"].values()] == [["*"]]
