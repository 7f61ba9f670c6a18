"""docs/reference/questions.md says which files an answer changes, by asking renders."""

from pathlib import Path

from scripts.questions import FIRST, OTHER, PAGE, page
from tests.support.rendering import asked


def test_the_table_matches_the_renders(varying: Path) -> None:
    """The other files are the same whatever the answers: tests/questions/test_matrix.py."""
    assert page(varying) == PAGE.read_text(), "make reference, then commit"


def test_the_table_has_every_question_with_another_answer() -> None:
    assert list(OTHER) == asked(), "scripts/questions.py: give the question another answer"
    assert all(OTHER[question] != FIRST[question] for question in OTHER)
