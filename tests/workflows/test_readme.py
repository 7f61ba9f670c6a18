"""Every command of the documentation works, and every example can be copied."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import get_session
from infra.tool.commands.app import app
from infra.tool.commands.deploy import deploy
from infra.tool.settings_file import known_settings
from typer import TyperException

from simulator.policies import trusts
from tests.support.document_checks import api_findings
from tests.support.rendering import ANSWERS_FILE, ROOT, Render, render
from tests.workflows.runner import workflow

GUIDES = sorted(f"docs/guides/{path.name}" for path in (ROOT / "docs" / "guides").glob("*.md"))
DOCUMENTS = ["README.md", "AGENTS.md", *GUIDES]
MADE_BY_THE_USER = {".copier-answers.NAME.yml", ".copier-answers.ecs.yml", ".env", "uv.lock"}
OF_GIT = {"index.lock"}
OF_THE_TEMPLATE = {"docs/guides/pay.md", "docs/guides/secure.md", "docs/guides/update.md"}
LANGUAGES = ("sh", "diff", "json", "mermaid", "text", "toml")
TOOL = "uv run --frozen -m infra "
OF_EVERY_COMMAND = {"query", "output", "region"}

# As https://cli.github.com/manual/gh_repo_create has it: without --push, it pushes nothing.
GH = f"""#!{sys.executable}
import argparse, subprocess
gh = argparse.ArgumentParser(allow_abbrev=False)
repo = gh.add_subparsers(required=True).add_parser("repo")
create = repo.add_subparsers(required=True).add_parser("create")
create.add_argument("name")
create.add_argument("--private", action="store_true", required=True)
create.add_argument("--source", required=True)
create.add_argument("--remote", default="origin")
create.add_argument("--push", action="store_true")
told = gh.parse_args()
subprocess.run(["git", "init", "--quiet", "--bare", "../github"], check=True)
subprocess.run(["git", "-C", told.source, "remote", "add", told.remote, "../github"], check=True)
if told.push:
    subprocess.run(["git", "-C", told.source, "push", told.remote, "HEAD"], check=True)
"""
# provision reads the repository on GitHub, and nothing may have been pushed before it.
PROVISION = """#!/bin/sh
git remote get-url origin && test -z "$(git ls-remote origin)"
"""


def text_of(example: Render, name: str) -> str:
    """A document of a service, or a guide of this repository."""
    return (ROOT / name).read_text(encoding="utf-8") if name in GUIDES else example.text(name)


def every_text(example: Render) -> str:
    return "\n".join(text_of(example, name) for name in DOCUMENTS)


def blocks(text: str, language: str = "sh") -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def lines(text: str) -> Iterator[str]:
    """The lines of every block of a shell, without their comments."""
    for block in blocks(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.partition("  #")[0].strip()


def settings(text: str) -> dict[str, dict[str, Any]]:
    """The sections that a reader is told to write into infra/settings.toml."""
    found: dict[str, dict[str, Any]] = {}
    for block in blocks(text, "toml"):
        for section, keys in tomllib.loads(block).items():
            found.setdefault(section, {}).update(keys)
    return found


def commands(text: str) -> list[str]:
    return [line for line in lines(text) if line]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_block_is_a_shell_script(example: Render, name: str) -> None:
    text = text_of(example, name)
    assert blocks(text)
    known = [block for language in LANGUAGES for block in blocks(text, language)]
    assert text.count("```") == 2 * len(known), f"mark each block as one of {LANGUAGES}"
    for block in blocks(text):
        read = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        assert read.returncode == 0, f"{block}\n{read.stderr}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_exists(example: Render, name: str) -> None:
    text = text_of(example, name)
    quoted = re.findall(r"`([\w.][\w./-]*)`", text)
    here = [c for c in commands(text) if not c.startswith("gh ")]  # which names things on GitHub
    typed = [word for command in here for word in command.split()]
    named = {
        word.rstrip("/")
        for word in (*quoted, *typed)
        if re.fullmatch(r"[\w.][\w./-]*(/|\.(env|json|lock|md|py|sh|toml|yml)|file)", word)
    }
    named -= MADE_BY_THE_USER | OF_GIT
    assert name in GUIDES or len(named) >= 5
    of_the_template = named if name in GUIDES else OF_THE_TEMPLATE
    missing = {
        word
        for word in named
        if not (example.path / word).exists()
        and not (word in of_the_template and (ROOT / word).exists())
    }
    assert not missing, f"{name} names what is not there: {sorted(missing)}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_script_can_be_started(example: Render, name: str) -> None:
    for command in commands(text_of(example, name)):
        script = example.path / command.split()[0]
        if "/" in command.split()[0]:
            assert script.stat().st_mode & 0o111, f"{command}: not executable"


def test_every_command_of_the_tool_exists(example: Render) -> None:
    told = {
        command.removeprefix(TOOL)
        for name in DOCUMENTS
        for command in commands(text_of(example, name))
        if command.startswith(TOOL)
    }
    assert {words.split()[0] for words in told} >= {"status", "logs", "check"}
    for words in told:
        try:
            app(args=[*words.split(), "--help"], standalone_mode=False)
        except TyperException as error:
            pytest.fail(f"{TOOL}{words}: {error.format_message()}")


def test_every_setting_exists(example: Render) -> None:
    told = {
        (section, key)
        for name in DOCUMENTS
        for section, keys in settings(text_of(example, name)).items()
        for key in keys
        if section != "tags"  # whose keys are the owner's
    }
    assert told
    assert told <= {*known_settings()}, "a document names settings that do not exist"


def test_no_command_needs_a_variable(example: Render) -> None:
    assert not re.findall(r"\$\{?[A-Z_]+", "\n".join(commands(example.text("README.md"))))


def test_every_aws_command_exists(example: Render) -> None:
    models = get_session()
    told = [c.split() for c in commands(every_text(example)) if c.startswith("aws ")]
    assert told
    for _, service, verb, *rest in told:
        command = f"aws {service} {verb}"
        options = {word.removeprefix("--") for word in rest if word.startswith("--")}
        model = models.get_service_model(service)
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        assert verb in operations, command
        shape = model.operation_model(operations[verb]).input_shape
        known = {xform_name(member, "-") for member in shape.members} if shape else set()
        assert options <= known | OF_EVERY_COMMAND, f"{command}: {options - known}"


def test_every_copier_command_exists(example: Render) -> None:
    told = [c.split() for c in commands(every_text(example)) if c.startswith("uvx copier ")]
    copier = Path(sys.executable).with_name("copier")
    for verb in {words[2] for words in told}:
        usage = subprocess.run([copier, verb, "--help"], capture_output=True, text=True).stdout
        for words in (words for words in told if words[2] == verb):
            for option in (word.partition("=")[0] for word in words if word.startswith("-")):
                assert re.search(rf"(^|\W){option}\b", usage), f"copier {verb} {option}"


@pytest.mark.skipif(not shutil.which("docker"), reason="docker is not installed")
def test_every_docker_command_exists(example: Render) -> None:
    told = [c.split() for c in commands(every_text(example)) if c.startswith("docker ")]
    assert told
    for docker, verb, *rest in told:
        usage = subprocess.run([docker, verb, "--help"], capture_output=True, text=True).stdout
        for option in (word for word in rest if word.startswith("--")):
            assert re.search(rf"{option}\b", usage), f"docker {verb} {option}"


# Options that the text beside a command promises, or that make it safe, by its first words.
OPTIONS = {
    "uv run uvicorn": "--reload --reload-dir app --port 8080",
    "uv run pre-commit run": "--all-files",
    "docker build": '--build-arg COMMIT="$(git rev-parse HEAD)" --tag service',
    "docker run": "--rm --init --read-only --cap-drop ALL --publish 127.0.0.1:8080:8080",
    "gh repo create": "--private --source . --remote origin",
    "git push": "--set-upstream origin main",
    "git revert": "--no-edit HEAD",
    "aws ecs update-service": "--desired-count 0",
    "uvx copier update": "--skip-answered",
    TOOL + "deploy": "--plan",
    TOOL + "provision": "--plan",
    TOOL + "destroy": "--purge",
    TOOL + "rollback": "41",
    TOOL + "logs": "--follow",
    "gh workflow run rollback-ecs.yml": "--field revision=41",
    "gh workflow disable": "deploy-ecs.yml",
}


@pytest.mark.parametrize("command", OPTIONS)
def test_a_command_has_the_options_that_its_text_promises(example: Render, command: str) -> None:
    found = [line for line in commands(example.text("README.md")) if line.startswith(command)]
    assert any(OPTIONS[command] in line for line in found), (
        f"README.md: no `{command}` has `{OPTIONS[command]}`, only {found}: read the text "
        "beside the command. If the change is meant, change OPTIONS in this test too"
    )


def test_no_command_pushes_by_force_or_before_the_infrastructure_exists(example: Render) -> None:
    for command in commands(example.text("README.md")):
        assert "--push" not in command, f"README.md: `{command}`: provision comes before a push"
        assert "--force" not in command, f"README.md: `{command}` loses the work of others"


def test_the_tool_is_run_without_touching_the_lock_file(example: Render) -> None:
    for command in commands(every_text(example)):
        assert "-m infra" not in command or command.startswith(TOOL), (
            f"`{command}`: write uv run --frozen: plain uv run rewrites a stale lock"
        )


def sh(script: str, folder: Path, **environment: str) -> str:
    """Paste lines; the first that fails ends it."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_first_steps_are_in_an_order_that_works(example: Render, tmp_path: Path) -> None:
    (first,) = (block for block in blocks(example.text("README.md")) if "gh repo create" in block)
    service = shutil.copytree(example.path, tmp_path / "service")
    tools = tmp_path / "bin"
    tools.mkdir()
    for program, text in (tools / "gh", GH), (tools / "uv", PROVISION):
        program.write_text(text)
        program.chmod(0o755)
    sh("git init -qb main && git add . && git commit -qm start", service)
    sh(first, service, PATH=f"{tools}:{os.environ['PATH']}")
    assert sh("git rev-parse origin/main", service) == sh("git rev-parse main", service)
    assert f"gh repo create {example.answers['github_repository']} " in first


def test_every_gh_command_names_a_workflow_and_its_inputs(example: Render) -> None:
    told = [c for c in commands(every_text(example)) if c.startswith("gh ")]
    others = [c for c in told if not c.startswith("gh repo create ")]  # which is played above
    assert {command.split()[2] for command in others} == {"disable", "run"}
    for command in others:
        verb, name, *options = command.split()[2:]
        path = example.path / ".github" / "workflows" / name
        assert path.exists(), f"{command}: a service has no workflow {name}"
        if verb == "run":
            asked = workflow(example.path, path.stem)["on"]["workflow_dispatch"].get("inputs", {})
            given = {option.partition("=")[0] for option in options if option != "--field"}
            assert given <= asked.keys(), f"{command}: the workflow has the inputs {list(asked)}"


def test_the_readme_names_workflows_and_checks_as_github_shows_them(example: Render) -> None:
    text = example.text("README.md")
    for name in "deploy-ecs", "rollback-ecs":
        shown = workflow(example.path, name)["name"]
        assert f'"{shown}"' in text, f"{name}.yml is listed under Actions as {shown}"
    passed = workflow(example.path, "ci")["jobs"]["passed"]["name"]
    assert f"`{passed}`" in text, "branch protection names the check by the name of the job"


@pytest.mark.parametrize("merge", [False, True])
def test_a_bad_commit_is_reverted(example: Render, tmp_path: Path, merge: bool) -> None:
    text = example.text("README.md")
    (told,) = re.findall(r"`(git revert [^`]+)`", text)
    (typed,) = (command for command in commands(text) if command.startswith("git revert"))
    sh(
        """
        git init -qb main && git commit -qm good --allow-empty && git switch -qc change
        echo bad >app.py && git add . && git commit -qm bad
        """,
        tmp_path,
    )
    if merge:
        sh("git switch -q main && git merge -q --no-ff change", tmp_path)
    sh(told if merge else typed, tmp_path)
    assert not (tmp_path / "app.py").exists()


def test_every_example_is_of_this_service(example: Render) -> None:
    """Examples can be copied unchanged: they name the account and the region of the service."""
    text = example.text("README.md")
    arns = re.findall(r'"(arn:[^"]+)"', text)
    assert {arn.split(":")[2] for arn in arns} == {"acm", "secretsmanager", "sns"}
    place = example.answers["aws_region"], example.answers["aws_account_id"]
    assert {tuple(arn.split(":")[3:5]) for arn in arns} == {place}


def test_the_example_of_a_secret_is_what_ecs_accepts(example: Render) -> None:
    secret = json_blocks(example)[0]
    task = example.json("infra/task-definition.json")
    task["containerDefinitions"][0]["secrets"].append(secret)
    assert api_findings("ecs", "RegisterTaskDefinition", task) == []
    assert f"`{secret['name']}`" in example.text("README.md")
    assert re.search(r":secret:[\w/-]+-\w{6}$", secret["valueFrom"]), "with the suffix of AWS's"


def test_the_topic_policy_allows_only_cloudwatch_and_eventbridge(example: Render) -> None:
    statement = json_blocks(example)[1]
    assert statement["Resource"] == settings(example.text("README.md"))["alarms"]["topic"]
    publishers = {
        name
        for name in ("cloudwatch", "events", "lambda", "s3")
        if trusts(
            {"Statement": statement}, "Service", f"{name}.amazonaws.com", "sns:Publish", context={}
        )
    }
    assert publishers == {"cloudwatch", "events"}


def json_blocks(example: Render) -> list[dict[str, Any]]:
    return [json.loads(block) for block in blocks(example.text("README.md"), "json")]


def test_the_first_screen_says_how_to_run_test_and_deploy(example: Render) -> None:
    first = "\n".join(example.text("README.md").splitlines()[:20])
    for word in "run it", "test it", "deploy it":
        assert word in first


def test_every_exit_code_of_a_deploy_is_documented(example: Render) -> None:
    usage = inspect.getdoc(deploy) or ""
    documented = re.findall(r"^  (\d+) ", usage.partition("Exit codes:\n")[2], re.MULTILINE)
    assert len(documented) >= 5
    assert re.findall(r"^\| (\d+) \|", example.text("README.md"), re.MULTILINE) == documented


def test_no_description_changes_the_structure_of_the_readme(
    varying: Path, example: Render, tmp_path: Path
) -> None:
    """The description is free text, and may contain Markdown."""
    for number, text in enumerate(("<!-- a service", "~~~ text", "<<<<<<< HEAD", "# Title", "---")):
        answers = {**example.answers, "description": text}
        readme = render(varying, tmp_path / str(number), answers).text("README.md")
        assert f"\n\n> {text}\n\n" in readme, "quoted, it ends where the quotation ends"
        rest = readme.replace(f"> {text}\n", "")
        assert rest == example.text("README.md").replace(
            f"> {example.answers['description']}\n", ""
        )


def ownership(text: str, item: str) -> list[str]:
    """The files and folders of an item of the section "File ownership"."""
    section = text.partition("\n## File ownership\n")[2].partition("\n## ")[0]
    [found] = re.findall(rf"^- {item}.*?: (.*?)\.$", section, re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`]+)`", found)


def test_the_readme_says_which_files_an_update_changes(example: Render) -> None:
    """All but those that copier.yml excludes."""
    excluded = re.findall(r"== 'update' %\}([\w./]+)\{%", (ROOT / "copier.yml").read_text())
    text = example.text("README.md")
    assert sorted(ownership(text, "Made once")) == sorted(excluded)
    merged = ownership(text, "The template's")
    for name in example.files().keys() - {*excluded, ANSWERS_FILE}:
        assert any(
            name == path or (path[-1] == "/" and name.startswith(path)) for path in merged
        ), f'README.md, "File ownership": an update changes {name} too'
    unknown = [path for path in merged if not (example.path / path).exists()]
    assert unknown == [], 'README.md, "File ownership": files that a service lacks'
    assert not {*merged} & {*excluded}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_line_is_too_long(example: Render, name: str) -> None:
    lines = text_of(example, name).splitlines()
    long = [line for line in lines if len(line) > 120 and not line.startswith("|")]
    assert not long


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nothing_is_left_to_fill_in(example: Render, name: str) -> None:
    left = r"<(?!br>)[a-z-]+>|\byour-|\bYOUR|TODO|coming soon"
    assert not re.search(left, text_of(example, name))
