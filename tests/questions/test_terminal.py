"""The questions, as a person sees them in a terminal of 80 columns and 24 rows."""

import re
import sys
from pathlib import Path

import jinja2
import pytest
import yaml

from tests.support.program_terminal import COLUMNS, ROWS, terminal
from tests.support.rendering import EXAMPLE, ROOT, asked, questions

COPIER = Path(sys.executable).parent / "copier"
REFUSED = {
    "app_name": "My Service",
    "description": "costs $5",
    "aws_account_id": "1234-5678-9012",
    "aws_region": "us-east",
    "github_repository": "my-api",
    "min_tasks": "0",
    "max_tasks": "0",
}
CLEAR = "\x15"  # Ctrl-U: delete what is on the line, the default answer included
ENTER = "\r"


def message(name: str, **answers: str) -> list[str]:
    """The lines of a closing message that are not empty."""
    text = yaml.safe_load((ROOT / "copier.yml").read_text())[name]
    rendered = jinja2.Template(text, undefined=jinja2.StrictUndefined).render(
        {**EXAMPLE, **answers},
        _copier_conf={"dst_path": "my-service"},
        _copier_answers={"_commit": "v1.0.0"},
    )
    return [line for line in rendered.splitlines() if line]


def test_every_question_that_takes_text_is_refused_once_below() -> None:
    validated = {name for name in asked() if "validator" in questions()[name]}
    assert REFUSED.keys() == validated, "name one wrong answer to each of these in REFUSED"


def test_questions_examples_and_the_next_steps_can_be_read(template: Path, tmp_path: Path) -> None:
    answers = {}
    with terminal([COPIER, "copy", template, "my-service"], cwd=tmp_path) as screen:
        for name in asked():
            question = questions()[name]["help"]
            rows = screen.wait_for(question).splitlines()
            assert any(row.endswith(question) for row in rows), f"{name} is longer than a row"
            if name in REFUSED:
                screen.type(CLEAR + REFUSED[name] + ENTER)
                refusal = f"Validation error for question '{name}': "
                [shown] = re.findall(f"{refusal}(.*)", screen.wait_for(refusal))
                example = re.match("for example ([^:]+):", shown)
                assert example, f"{name}: the example does not fit on the screen: {shown}"
                answers[name] = example[1]
                screen.type(CLEAR + example[1])
            screen.type(ENTER)
        last = message("_message_after_copy", **answers)[-1]
        rows = screen.wait_for(last).splitlines()
    for line in message("_message_after_copy", **answers):
        assert line in rows, f"not on the screen, or longer than a row: {line}"
    assert (tmp_path / "my-service" / "README.md").exists()


@pytest.mark.parametrize("name", ["_message_after_copy", "_message_after_update"])
def test_a_closing_message_fits_the_screen(name: str) -> None:
    lines = message(name, app_name="x" * 24)
    assert [line for line in lines if len(line) > COLUMNS] == []
    assert len(lines) < ROWS


def test_the_next_steps_fit_a_folder_of_a_larger_repository() -> None:
    """Copier cannot know whether it is in one, so the message says what to do if it is."""
    lines = " ".join(message("_message_after_copy"))
    before, _, _ = lines.partition("git init")
    assert "must be a git repository of its own" in before
    assert "inside a larger repository, move it out" in before
