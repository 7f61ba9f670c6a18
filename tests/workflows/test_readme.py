"""Every command that a person or an agent is told to type can be typed."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.session import get_session
from rendering import ROOT, Render, render

DOCUMENTS = ["README.md", "AGENTS.md"]
MADE_BY_THE_USER = {"uv.lock"}
ONLY_IN_THE_COMMAND_LINE = {("logs", "tail"): {"follow"}}
OF_EVERY_COMMAND = {"query", "output", "region"}


def blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[str]:
    """The commands of every block, one to a string, without their comments."""
    for block in blocks(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.partition("  #")[0].strip()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_block_is_a_shell_script(example: Render, name: str) -> None:
    text = example.text(name)
    assert blocks(text)
    assert text.count("```") == 2 * (len(blocks(text)) + text.count("```mermaid")), (
        "mark each block of commands as sh: that is what is tested"
    )
    for block in blocks(text):
        read = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        assert read.returncode == 0, f"{block}\n{read.stderr}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_exists(example: Render, name: str) -> None:
    text = example.text(name)
    quoted = re.findall(r"`([\w.][\w./-]*)`", text)
    typed = [word for command in commands(text) for word in command.split()]
    named = {
        word.rstrip("/")
        for word in (*quoted, *typed)
        if re.fullmatch(r"[\w.][\w./-]*(/|\.(env|json|lock|md|py|sh|toml|yml)|file)", word)
    }
    assert len(named - MADE_BY_THE_USER) >= 5
    missing = {word for word in named - MADE_BY_THE_USER if not (example.path / word).exists()}
    assert not missing, f"{name} names what is not there: {sorted(missing)}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_script_can_be_started(example: Render, name: str) -> None:
    for command in commands(example.text(name)):
        script = example.path / command.split()[0]
        if "/" in command.split()[0]:
            assert script.stat().st_mode & 0o111, f"{command}: not executable"


def test_every_variable_is_a_setting(example: Render) -> None:
    used = set(re.findall(r"\$\{?([A-Z_]+)", "\n".join(commands(example.text("README.md")))))
    assert used
    assert used <= example.settings().keys()


def test_every_aws_command_exists(example: Render) -> None:
    models = get_session()
    told = [c.split() for c in commands(example.text("README.md")) if c.startswith("aws ")]
    assert told
    for _, service, verb, *rest in told:
        command = f"aws {service} {verb}"
        options = {word.removeprefix("--") for word in rest if word.startswith("--")}
        if (service, verb) in ONLY_IN_THE_COMMAND_LINE:
            assert options <= ONLY_IN_THE_COMMAND_LINE[service, verb] | OF_EVERY_COMMAND, command
            continue
        model = models.get_service_model(service)
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        if verb == "wait":
            waiters = models.get_waiter_model(service)
            names = {xform_name(name, "-"): name for name in waiters.waiter_names}
            assert rest[0] in names, f"{command} {rest[0]}"
            verb = xform_name(waiters.get_waiter(names[rest[0]]).operation, "-")
        assert verb in operations, command
        shape = model.operation_model(operations[verb]).input_shape
        known = {xform_name(member, "-") for member in shape.members}
        assert options <= known | OF_EVERY_COMMAND, f"{command}: {options - known}"


def test_the_first_screen_says_how_to_run_test_and_deploy(example: Render) -> None:
    first = "\n".join(example.text("README.md").splitlines()[:20])
    for word in "run it", "test it", "deploy it":
        assert word in first


def test_every_exit_code_of_a_deploy_is_told(example: Render) -> None:
    usage = example.text("infra/deploy.sh").partition("Exit codes:\n")[2].partition("\n\n")[0]
    documented = re.findall(r"^  (\d+) ", usage, re.MULTILINE)
    assert len(documented) >= 5
    assert re.findall(r"^\| (\d+) \|", example.text("README.md"), re.MULTILINE) == documented


def test_no_description_changes_what_the_readme_is_made_of(
    template: Path, example: Render, tmp_path: Path
) -> None:
    """It is somebody's own words, and some of them are Markdown."""
    for number, text in enumerate(("<!-- a service", "~~~ text", "<<<<<<< HEAD", "# Title", "---")):
        answers = {**example.answers, "description": text}
        readme = render(template, tmp_path / str(number), answers).text("README.md")
        assert f"\n\n> {text}\n\n" in readme, "quoted, it ends where the quotation ends"
        rest = readme.replace(f"> {text}\n", "")
        assert rest == example.text("README.md").replace(
            f"> {example.answers['description']}\n", ""
        )


def test_the_readme_tells_whose_files_are_made_once(example: Render) -> None:
    """What copier.yml excludes from an update, and nothing else."""
    excluded = re.findall(r"== 'update' %\}([\w./]+)\{%", (ROOT / "copier.yml").read_text())
    told = re.findall(r"^- Made once.*?: (.*)\.$", example.text("README.md"), re.MULTILINE)
    assert sorted(re.findall(r"`([^`]+)`", told[0])) == sorted(excluded)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_line_is_too_long(example: Render, name: str) -> None:
    long = [line for line in example.text(name).splitlines() if len(line) > 120]
    assert not long


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nothing_is_left_to_fill_in(example: Render, name: str) -> None:
    left = r"<(?!br>)[a-z-]+>|\byour-|\bYOUR|TODO|coming soon"
    assert not re.search(left, example.text(name))
