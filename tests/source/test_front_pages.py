"""The pages at the root of this repository name files, commands and figures that are right."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from infra.tool.provision.cost import SOURCE, cost

from tests.support.rendering import ROOT, Render

PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CODE_OF_CONDUCT.md",
    "AGENTS.md",
    "docs/comparison.md",
    ".github/pull_request_template.md",
]
pages = pytest.mark.parametrize("page", PAGES)
PROGRAM = re.compile(r"\.venv/bin/([\w-]+)")
SUFFIXES = "json|md|py|sh|svg|toml|txt|yml|jinja"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def shell_blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def named_paths(text: str) -> set[str]:
    """Every path in backticks or in a block of commands."""
    words = {word for block in shell_blocks(text) for word in block.split()}
    words |= set(re.findall(r"`([^`\s]+)`", text))
    path = rf"(?:[\w.{{}}-]+/)*[\w.-]+\.(?:{SUFFIXES})|(?:[\w.-]+/)+[\w.-]*|Dockerfile|Makefile"
    return {word for word in words if re.fullmatch(path, word) and not word.startswith(".venv/")}


def is_there(path: str) -> bool:
    """In this repository, or in a service: the template has some of its files as *.jinja."""
    return any(
        (folder / f"{path}{suffix}").exists()
        for folder in (ROOT, ROOT / "template")
        for suffix in ("", ".jinja")
    )


MADE_BY_COPIER = {".copier-answers.yml", ".copier-answers.ecs.yml"}
ELSEWHERE = {  # on GitHub
    "anomalyco/sst",
    "aws-actions/amazon-ecs-deploy-express-service",
    "aws-actions/amazon-ecs-deploy-task-definition",
    "aws/aws-cdk",
    "deployments/aws.yml",
    "kayac/ecspresso",
    "my-company/ai-assistant",
    "navapbc/template-infra",
    "terraform-aws-modules/terraform-aws-ecs",
}


@pages
def test_every_file_that_a_page_names_exists(page: str) -> None:
    named = {path for path in named_paths(read(page)) if "/" in path or "." in path}
    missing = sorted(p for p in named - MADE_BY_COPIER - ELSEWHERE if not is_there(p))
    assert not missing, f"{page}: correct these paths: {missing}"


@pages
def test_every_link_leads_to_a_page_and_an_anchor(page: str) -> None:
    for target in re.findall(r"\]\((?!https://)([^)]+)\)", read(page).replace("\n", " ")):
        name, _, anchor = target.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        assert file.exists(), f"{page} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{page} links to {target}: {name} has no such heading"


@pages
def test_every_command_can_be_typed(page: str) -> None:
    text = read(page)
    for block in shell_blocks(text):
        checked = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        assert checked.returncode == 0, f"{page}: {checked.stderr}"
    for program in PROGRAM.findall(text):
        assert (Path(sys.executable).parent / program).exists(), f"{page}: no program {program}"
    targets = set(re.findall(r"^(?:`?)make ([a-z-]+)|`make ([a-z-]+)`", text, re.MULTILINE))
    rules = re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE)
    unknown = {name for pair in targets for name in pair if name} - set(rules)
    assert not unknown, f"{page}: make has no target {sorted(unknown)}"


def test_every_table_that_contributing_names_exists() -> None:
    steps = re.split(r"\n(?=\d\. |#|```)", read("CONTRIBUTING.md"))
    sent = [
        (path, name)
        for step in steps
        for path, name in re.findall(r"`([\w/]+\.py)`[^`]*?in\s+`([A-Z_]+)`", step)
    ]
    assert {name for _, name in sent} == {"REFUSED", "OTHER", "OPTIONS", "WRONG", "COMMANDS"}
    for path, name in sent:
        assert re.search(rf"^{name}\b", read(path), re.MULTILINE), f"{path} has no table {name}"


def test_the_price_is_that_of_the_tool(example: Render) -> None:
    """In the default VPC of us-east-1 a provision takes three zones."""
    task = example.json("infra/task-definition.json")
    found = cost(task, tasks=example.settings().tasks.min, zones=3, public_ip=True)
    [month] = re.findall(r"us-east-1 in (\w+ \d+)", SOURCE)
    text = " ".join(read("README.md").split())
    for words in [
        f"about ${round(found.load_balancer + found.address_cost + found.task_cost)} a month",
        f"in us-east-1 at the prices of {month}",
        f"the load balancer ${round(found.load_balancer)}",
        f"{found.addresses} public addresses ${round(found.address_cost)}",
        f"{found.tasks} task ${round(found.task_cost)}",
    ]:
        assert words in text, f"README.md: the tool says {words!r}"


def test_the_picture_of_the_readme_is_that_of_the_stack(example: Render) -> None:
    tasks, text = example.settings().tasks, read("README.md")
    assert f"{tasks.min} to {tasks.max} tasks on Fargate" in text
    alarms = example.text("infra/stack.yml").count("Type: AWS::CloudWatch::Alarm")
    assert f"[{alarms} alarms]" in text


def test_the_first_screen_says_what_it_runs_costs_and_does_not_do() -> None:
    first = "\n".join(read("README.md").splitlines()[:50])
    for words in "```mermaid", "uvx copier copy", "infra provision", "git push", "It costs", "not":
        assert words in first
