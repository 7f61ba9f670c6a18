"""The settings that the workflows of a service take from the tool."""

from pathlib import Path

import pytest
from infra.tool import settings_file, workflow_settings

from tests.support.checkout import Checkout, run_tool
from tests.support.rendering import EXAMPLE, render

ROLE = "arn:aws:iam::123456789012:role/ai-assistant-us-east-1-github-actions"


def outputs(checkout: Checkout, folder: Path, code: int = 0, error: str = "") -> dict[str, str]:
    """The outputs that a step of a workflow gets."""
    file = folder / "outputs"
    file.touch()
    words = ("settings", "--github")
    given = checkout.environment | {"GITHUB_OUTPUT": str(file)}
    # Not as the deploy role, whose name a test may have made wrong.
    done = run_tool(checkout.aws, checkout.folder, *words, principal="root", environment=given)
    done.expect(code, error)
    return dict(line.split("=", 1) for line in file.read_text(encoding="utf-8").split("\n") if line)


def test_a_workflow_gets_account_region_role_environment_and_runner(
    rendered: Checkout, tmp_path: Path
) -> None:
    assert outputs(rendered, tmp_path) == {
        "account": "123456789012",
        "region": "us-east-1",
        "role": ROLE,
        "environment": "",
        "runner": "ubuntu-24.04",
    }


@pytest.mark.parametrize(
    "environment", ["live, europe", "a=b<<c", "100% `x` 'y'", "größe :: ##[error]x"]
)
def test_the_github_environment_reaches_the_job_exactly(
    rendered: Checkout, tmp_path: Path, environment: str
) -> None:
    rendered.set("github.environment", environment)
    assert outputs(rendered, tmp_path)["environment"] == environment


def test_what_is_printed_is_no_command_to_github(rendered: Checkout) -> None:
    rendered.set("github.environment", "x ##[add-mask]y")
    done = rendered.run("settings").expect(0)
    assert "##[" not in done.text, "GitHub's runner obeys it anywhere in a line"
    assert not [line for line in done.text.splitlines() if line.lstrip().startswith("::")]


@pytest.mark.parametrize(
    ("name", "value"),
    [("service.account", "1234"), ("service.region", "here"), ("names.deploy_role", "a b")],
)
def test_a_wrong_setting_gives_no_outputs(
    rendered: Checkout, tmp_path: Path, name: str, value: str
) -> None:
    rendered.set(name, value)
    assert outputs(rendered, tmp_path, 2, "settings-wrong") == {}


def test_a_required_setting_that_is_missing_gives_no_outputs(
    rendered: Checkout, tmp_path: Path
) -> None:
    rendered.edit("infra/settings.toml", "account =", "# account =")
    assert outputs(rendered, tmp_path, 2, "settings-wrong") == {}


@pytest.mark.parametrize("architecture", ['"amd64"', "null", "[]"])
def test_an_architecture_that_fargate_does_not_have_gives_no_outputs(
    rendered: Checkout, tmp_path: Path, architecture: str
) -> None:
    rendered.edit("infra/task-definition.json", '"X86_64"', architecture)
    assert outputs(rendered, tmp_path, 2, "document-wrong") == {}


def test_a_task_definition_that_is_no_json_gives_no_outputs(
    rendered: Checkout, tmp_path: Path
) -> None:
    rendered.write("infra/task-definition.json", "{")
    assert outputs(rendered, tmp_path, 2, "document-broken") == {}


def test_outside_a_workflow_the_settings_are_printed_and_nothing_is_set(rendered: Checkout) -> None:
    assert ROLE in rendered.run("settings").expect(0).out
    rendered.run("settings", "--github").expect(2, "not-in-workflow")


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")],
)
@pytest.mark.parametrize(
    ("architecture", "runner"), [("X86_64", "ubuntu-24.04"), ("ARM64", "ubuntu-24.04-arm")]
)
def test_role_and_runner_are_those_of_the_answers(
    varying: Path, tmp_path: Path, region: str, partition: str, architecture: str, runner: str
) -> None:
    account = "012345678901"
    answers = {
        **EXAMPLE,
        "aws_account_id": account,
        "aws_region": region,
        "cpu_architecture": architecture,
    }
    service = render(varying, tmp_path / "service", answers).path
    assert workflow_settings.outputs(service, settings_file.read(service)) == {
        "account": account,
        "region": region,
        "role": f"arn:{partition}:iam::{account}:role/ai-assistant-{region}-github-actions",
        "environment": "",
        "runner": runner,
    }
