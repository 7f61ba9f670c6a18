"""One issue is open while a newer template exists, and none otherwise.

Copier is the real one, gh is fake_gh.py.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import copier
import pytest

from tests.support.rendering import ANSWERS_FILE, ROOT, Render
from tests.workflows.runner import Runner, StepResult

LOOK = "Look for a newer template"
KEEP = "Keep the issue"


class Template:
    """A template in a git repository of its own, and a service made from it."""

    def __init__(self, example: Render, folder: Path, answers_file: str = ANSWERS_FILE) -> None:
        self.path = folder / "template"
        self.answers_file = answers_file
        self.service = folder / "service"
        self.issues = folder / "issues.json"
        sources = self.path / "template"
        sources.mkdir(parents=True)
        (self.path / "copier.yml").write_text("_subdirectory: template\n")
        answers = "{{ _copier_conf.answers_file }}.jinja"
        (sources / answers).write_bytes((ROOT / "template" / answers).read_bytes())
        workflows = Path(".github/workflows")
        (sources / workflows).mkdir(parents=True)
        update = workflows / "template-update.yml"
        (sources / update).write_bytes((example.path / update).read_bytes())
        self.git("init", "--quiet", "--initial-branch", "main")
        self.change()
        subprocess.run(["git", "init", "--quiet", self.service], check=True)

        (folder / "home").mkdir()
        self.runner = Runner(self.service, folder / "home")
        uvx = 'case $1 in copier@*) shift; exec "$0" "$@" ;; *) exit 9 ;; esac'
        self.runner.tool("uvx", "sh", "-c", uvx, str(Path(sys.executable).parent / "copier"))
        self.runner.tool(
            "gh", sys.executable, str(Path(__file__).with_name("fake_gh.py")), str(self.issues)
        )

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.path, check=True, capture_output=True)

    def change(self) -> None:
        with (self.path / "template" / "notes.md").open("a") as notes:
            notes.write("- changed\n")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "Change")

    def release(self, version: str) -> None:
        self.change()
        self.git("tag", version)

    def copy(self) -> None:
        copier.run_copy(
            str(self.path),
            self.service,
            answers_file=self.answers_file,
            defaults=True,
            quiet=True,
            overwrite=True,
        )
        subprocess.run(["git", "add", "."], cwd=self.service, check=True)

    def week(self) -> StepResult:
        """Run the workflow as once a week, including the step about the issue."""
        found = self.runner.run("template-update", LOOK)
        if found.code or not found.outputs:
            return found
        return self.runner.run(
            "template-update",
            KEEP,
            CURRENT=found.outputs["current"],
            WAITING=found.outputs.get("waiting", ""),
            GH_REPO="my-company/ai-assistant",
            GH_TOKEN="token",
        )

    def state(self) -> dict[str, Any]:
        if not self.issues.exists():
            return {"issues": [], "changes": 0}
        state: dict[str, Any] = json.loads(self.issues.read_text())
        return state

    def titles(self, state: str) -> list[str]:
        return [issue["title"] for issue in self.state()["issues"] if issue["state"] == state]

    @property
    def answers(self) -> Path:
        return self.service / self.answers_file


@pytest.fixture
def template_of(example: Render, tmp_path: Path) -> Template:
    return Template(example, tmp_path)


def test_an_issue_is_opened_kept_renamed_and_closed(template_of: Template) -> None:
    template = template_of
    template.release("v1.0.0")
    template.copy()
    assert template.week().code == 0
    assert template.titles("open") == [], "no newer version exists"

    template.release("v1.1.0")
    assert template.week().code == 0
    assert template.titles("open") == ["Template 1.1.0 is available: this service uses 1.0.0"]

    changes = template.state()["changes"]
    assert template.week().code == 0
    assert template.state()["changes"] == changes, "no new release: no second issue"

    template.release("v1.2.0")
    assert template.week().code == 0
    assert template.titles("open") == ["Template 1.2.0 is available: this service uses 1.0.0"]

    template.copy()
    assert template.week().code == 0
    assert template.titles("open") == []
    assert len(template.titles("closed")) == 1

    template.release("v2.0.0")
    assert template.week().code == 0
    assert template.titles("open") == ["Template 2.0.0 is available: this service uses 1.2.0"]


@pytest.mark.parametrize(
    "name", [".copier-answers.ecs.yml", "answers.yaml", "settings/of größe.yml"]
)
def test_the_answers_file_is_found_under_any_name(
    example: Render, tmp_path: Path, name: str
) -> None:
    template = Template(example, tmp_path, name)
    template.release("v1.0.0")
    template.copy()
    another = template.service / ANSWERS_FILE
    another.write_text("# Written by Copier\n_commit: v9.0.0\n_src_path: /nowhere\n")
    subprocess.run(["git", "add", "."], cwd=template.service, check=True)
    template.release("v1.1.0")
    done = template.week()
    assert done.code == 0, done.said
    assert template.titles("open") == ["Template 1.1.0 is available: this service uses 1.0.0"]


def test_a_missing_answers_file_fails_the_workflow(template_of: Template) -> None:
    template_of.release("v1.0.0")
    template_of.copy()
    subprocess.run(["git", "rm", "-q", "-f", ANSWERS_FILE], cwd=template_of.service, check=True)
    done = template_of.week()
    assert done.code == 1
    assert done.annotations[0].startswith("::error title=No answers file::")
    assert template_of.state()["changes"] == 0


def test_a_closed_issue_comes_back_while_an_update_is_available(
    template_of: Template,
) -> None:
    template_of.release("v1.0.0")
    template_of.copy()
    template_of.release("v1.1.0")
    template_of.week()
    state = template_of.state()
    state["issues"][0]["state"] = "closed"
    template_of.issues.write_text(json.dumps(state))

    assert template_of.week().code == 0
    assert len(template_of.titles("open")) == 1


def test_if_issues_are_disabled_a_notice_says_so(template_of: Template) -> None:
    template_of.release("v1.0.0")
    template_of.copy()
    template_of.release("v1.1.0")
    disabled = {"labels": [], "issues": [], "changes": 0, "disabled": True}
    template_of.issues.write_text(json.dumps(disabled))
    done = template_of.week()
    assert done.code == 0, done.said
    assert done.annotations == [
        "::notice title=Issues are disabled here::"
        "Template 1.1.0 is available: this service uses 1.0.0"
    ]


def test_another_refusal_of_github_fails_the_workflow(template_of: Template) -> None:
    template_of.release("v1.0.0")
    template_of.copy()
    template_of.runner.tool("gh", "sh", "-c", "echo 'HTTP 502: Bad Gateway' >&2; exit 1")
    done = template_of.week()
    assert done.code == 1
    assert "HTTP 502" in done.said
    assert done.annotations == []


def test_the_issue_names_the_section_with_the_instructions(
    template_of: Template, example: Render
) -> None:
    template_of.release("v1.0.0")
    template_of.copy()
    template_of.release("v1.1.0")
    template_of.week()
    (issue,) = template_of.state()["issues"]
    assert "https://github.com/my-company/ai-assistant#update-it" in issue["body"]
    assert "\n## Update it\n" in example.text("README.md")


def test_a_template_without_tags_is_followed_by_its_commits(template_of: Template) -> None:
    template_of.copy()
    assert template_of.week().code == 0
    assert template_of.titles("open") == []
    template_of.change()
    assert template_of.week().code == 0
    assert len(template_of.titles("open")) == 1


def test_a_service_without_a_template_version_gets_no_issue(template_of: Template) -> None:
    template_of.copy()
    answers = template_of.answers
    kept = [line for line in answers.read_text().splitlines() if not line.startswith("_commit")]
    answers.write_text("\n".join(kept) + "\n")
    done = template_of.week()
    assert done.code == 0, done.said
    assert done.annotations[0].startswith("::notice")
    assert template_of.state()["changes"] == 0


@pytest.mark.parametrize(
    "where",
    ["https://127.0.0.1:1/template.git", "../elsewhere", "/nowhere/template"],
    ids=["unreachable", "relative", "gone"],
)
def test_a_template_that_cannot_be_read_fails_the_workflow_without_a_stack_trace(
    template_of: Template, where: str
) -> None:
    template_of.release("v1.0.0")
    template_of.copy()
    answers = template_of.answers
    answers.write_text(answers.read_text().replace(str(template_of.path), where))
    done = template_of.week()
    assert done.code == 1
    assert done.annotations[0].startswith(f"::error title=Cannot read the template::{where}: ")
    assert "_src_path" in done.said
    assert "Traceback" not in done.said
    assert template_of.state()["changes"] == 0, "an issue is neither opened nor closed"


# --- output of Copier, its dependencies or the template's host cannot give GitHub commands ---

# Stands for a Copier that was taken over, or for a host that answers with these lines.
HOSTILE = """
import json, sys
if "check-update" in sys.argv and {fails}:
    sys.exit("x\\n::add-mask::a\\r::stop-commands::b ##[error]c")
print(json.dumps({{"update_available": True, "current_version": {current!r},
                  "latest_version": {latest!r}, "note": "##[add-mask]x"}}))
"""


def take_over(template: Template, *, fails: bool = False, latest: str = "2.0.0") -> None:
    script = HOSTILE.format(fails=fails, current="1.0.0", latest=latest)
    template.runner.tool("uvx", sys.executable, "-c", script)


def test_an_error_of_the_template_s_host_stays_on_the_line_of_its_annotation(
    template_of: Template,
) -> None:
    template_of.release("v1.0.0")
    template_of.copy()
    take_over(template_of, fails=True)
    done = template_of.week()
    assert done.code == 1
    assert "\r" not in done.said, "GitHub's runner reads a line behind it"
    assert len(done.annotations) == 1, done.said


def test_the_output_of_copier_is_quoted(template_of: Template) -> None:
    template_of.release("v1.0.0")
    template_of.copy()
    take_over(template_of)
    found = template_of.runner.run("template-update", LOOK)
    assert found.code == 0, found.said
    [stop, answer, resume] = found.said.splitlines()
    assert "##[add-mask]x" in answer
    assert stop == f"::stop-commands::{resume.strip(':')}", "or the runner obeys what is in between"


@pytest.mark.parametrize(
    "latest",
    ["2 ##[error]x", "$(id)", "2\n::error::x", "2.0.0 is out: click [here](http://x)", "2;"],
)
def test_an_invalid_version_opens_no_issue(template_of: Template, latest: str) -> None:
    template_of.copy()
    done = template_of.runner.run(
        "template-update",
        KEEP,
        CURRENT="1.0.0",
        WAITING=latest,
        GH_REPO="my-company/ai-assistant",
        GH_TOKEN="token",
    )
    assert done.code == 1, done.said
    [annotation] = done.annotations
    assert annotation.startswith("::error title=Not a version::")
    assert latest not in done.said
    assert template_of.state()["changes"] == 0
