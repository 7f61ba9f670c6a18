"""The commands that people type, typed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.rendering import ANSWERS_FILE, EXAMPLE, ROOT, Render

COPIER = Path(sys.executable).parent / "copier"
ANSWERS = ROOT / "example-answers.yml"


def copier(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Copier's command line without a terminal, as CI does."""
    return subprocess.run(
        [COPIER, *words], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def sh(script: str, cwd: Path) -> str:
    """Run lines of a shell as a person would paste them; the first that fails ends it."""
    uv = Path(os.environ.get("UV") or shutil.which("uv") or "uv").parent
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=cwd,
        env={**os.environ, "PATH": f"{uv}:{COPIER.parent}:{os.environ['PATH']}"}
        | {"VIRTUAL_ENV": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def commands(message: str) -> str:
    """The first indented lines of a message: what it tells its reader to type next."""
    block = re.search(r"Next:\n\n((?:  .*\n)+)", message)
    assert block, message
    return "\n".join(line.strip() for line in block[1].splitlines())


@pytest.fixture
def published(template: Path, tmp_path: Path) -> Path:
    """The template as a repository with two releases, the second with one more line."""
    repository = tmp_path / "published"
    shutil.copytree(template, repository)
    release = "git add --all && git commit --quiet --message release && git tag"
    sh(f"git init --quiet --initial-branch main && {release} v1.0.0", repository)
    with (repository / "template" / "AGENTS.md").open("a") as file:
        file.write("\nA line of the second release.\n")
    sh(f"{release} v1.1.0", repository)
    return repository


@pytest.mark.slow
def test_a_service_is_created_edited_and_updated_without_trust(
    published: Path, tmp_path: Path
) -> None:
    service = tmp_path / EXAMPLE["app_name"]
    where = "--defaults", "--data-file", ANSWERS
    made = copier("copy", *where, "--vcs-ref", "v1.0.0", published, service, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    after_copy = commands(made.stderr)
    assert after_copy.startswith(f"cd '{service}'\n"), "the message after a copy says where to go"
    first = [
        made.stderr.rindex(word) for word in ("gh repo create", "infra provision  ", "git push")
    ]
    assert first == sorted(first), "a push before there is anything to deploy to is a red deploy"
    sh(after_copy, tmp_path)
    assert sh("git status --porcelain", service) == ""
    assert "uv.lock" in sh("git ls-files", service).split()

    main = service / "app" / "main.py"
    main.write_text(main.read_text() + "\n# A line of the user.\n")
    sh("git commit --quiet --all --message 'Work on it'", service)
    updated = copier("update", "--defaults", cwd=service)
    assert updated.returncode == 0, updated.stderr
    assert "now follows v1.1.0 of the template" in updated.stderr
    sh(commands(updated.stderr), service)
    after = Render(service, EXAMPLE)
    assert after.text("AGENTS.md").endswith("A line of the second release.\n")
    assert after.text("app/main.py").endswith("# A line of the user.\n")
    assert "_commit: v1.1.0" in after.text(".copier-answers.yml")


def test_the_answers_file_has_the_name_that_copier_is_given(
    published: Path, tmp_path: Path
) -> None:
    """So a repository can follow this template and another one."""
    service = tmp_path / "service"
    another = service / ANSWERS_FILE
    another.parent.mkdir()
    another.write_text(
        "# Changes here will be overwritten by Copier\n_src_path: gh:a/b\nteam: web\n"
    )
    theirs = another.read_bytes()
    ours = "-a", ".copier-answers.ecs.yml"
    account = "--data", "aws_account_id=012345670123"  # Copier puts it in quotation marks
    where = "--defaults", "--overwrite", "--data-file", ANSWERS, *account
    made = copier("copy", *ours, *where, "--vcs-ref", "v1.0.0", published, service, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert another.read_bytes() == theirs, "the answers of another template were replaced"
    sh("git init --quiet && git add --all && git commit --quiet --message start", service)

    updated = copier("update", *ours, "--defaults", cwd=service)
    assert updated.returncode == 0, updated.stderr
    after = Render(service, EXAMPLE)
    assert after.text("AGENTS.md").endswith("A line of the second release.\n")
    stored = yaml.safe_load(after.text(ours[1]))
    assert stored["_commit"] == "v1.1.0"
    assert {key: stored[key] for key in EXAMPLE} == {**EXAMPLE, "aws_account_id": "012345670123"}
    assert another.read_bytes() == theirs, "the answers of another template were replaced"

    assert "\nuvx copier update -a .copier-answers.ecs.yml --skip-answered " in after.text(
        "README.md"
    )
    assert "`_src_path` in `.copier-answers.ecs.yml`" in after.text("README.md")
    sh(f"yamllint --strict {ours[1]}", service)


def test_the_command_of_the_message_shows_conflicts(published: Path, tmp_path: Path) -> None:
    service = tmp_path / "service"
    where = "--defaults", "--data-file", ANSWERS
    copier("copy", *where, "--vcs-ref", "v1.0.0", published, service, cwd=tmp_path)
    with (service / "AGENTS.md").open("a") as file:
        file.write("\nA line of the user in the same place.\n")
    sh("git init --quiet && git add --all && git commit --quiet --message mine", service)
    updated = copier("update", "--defaults", cwd=service)
    assert updated.returncode == 0, (
        "Copier's exit code does not tell, which is why the message does"
    )
    assert "git diff --check" in commands(updated.stderr)
    check = subprocess.run(["git", "diff", "--check"], cwd=service, capture_output=True, text=True)
    assert check.returncode != 0
    assert "AGENTS.md" in check.stdout
    assert "leftover conflict marker" in check.stdout


def test_a_bad_answer_ends_with_a_line_that_says_what_to_do(template: Path, tmp_path: Path) -> None:
    words = "--defaults", "--data-file", ANSWERS, "--data", "app_name=My Service"
    refused = copier("copy", *words, template, tmp_path / "service", cwd=tmp_path)
    assert refused.returncode == 1
    assert "for example ai-assistant" in refused.stderr.splitlines()[-1]
    assert not (tmp_path / "service").exists()


def test_without_a_terminal_copier_names_the_option_for_data(
    template: Path, tmp_path: Path
) -> None:
    refused = copier("copy", template, tmp_path / "service", cwd=tmp_path)
    assert refused.returncode == 1
    assert "--data" in refused.stderr
    assert not (tmp_path / "service").exists()


def test_the_readme_names_commands_that_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL))
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", readme, re.MULTILINE))
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    assert {"demo", "rehearse", "test"} <= targets <= set(re.findall(r"make ([a-z-]+)", listed))
    assert "uvx copier copy https://" in blocks
    assert "--trust" not in blocks
    run = (ROOT / ".ci" / "run").read_text()
    assert {"make demo", "make rehearse", "make test", "make test-containers"} <= set(
        re.findall(r"make [a-z-]+", run)
    )
