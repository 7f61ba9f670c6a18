"""docs/questions.md says which files an answer changes, and is made by asking a render."""

from pathlib import Path

from scripts.questions import FIRST, OTHER, PAGE, page
from tests.support.rendering import asked


def test_the_table_is_what_renders_say(template: Path) -> None:
    assert page(template) == PAGE.read_text(), "uv run python scripts/questions.py, then commit"


def test_the_table_has_every_question_with_another_answer() -> None:
    assert list(OTHER) == asked(), "scripts/questions.py: give the question another answer"
    assert all(OTHER[question] != FIRST[question] for question in OTHER)
