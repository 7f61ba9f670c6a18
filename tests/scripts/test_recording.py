"""scripts/recording.py draws the pictures of README.md, and they show nothing of a machine."""

import re
from xml.etree import ElementTree

import pytest

from scripts import recording
from tests.support.rendering import ROOT

SESSION = recording.SESSION.read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
themes = pytest.mark.parametrize("theme", recording.THEMES, ids=lambda theme: theme.name)


def test_the_session_is_a_whole_rehearsal() -> None:
    titles = re.findall(r"^(\d)\. ", SESSION, re.MULTILINE)
    assert titles == [str(number) for number in range(1, 10)]
    assert re.search(r"^All steps ended as expected, in \d+ s:$", SESSION, re.MULTILINE)


@themes
def test_a_picture_is_that_of_the_stored_session(theme: recording.Theme) -> None:
    stored = recording.PICTURES / f"rehearsal-{theme.name}.svg"
    assert stored.read_text(encoding="utf-8") == recording.picture(SESSION, theme), (
        f"{stored.name} is out of date: uv run --no-sync python scripts/recording.py"
    )
    assert f"docs/pictures/{stored.name}" in README


@themes
def test_a_picture_shows_each_line_of_its_steps(theme: recording.Theme) -> None:
    drawn = ElementTree.fromstring(recording.picture(SESSION, theme))
    texts = [e.text or "" for e in drawn.iter("{http://www.w3.org/2000/svg}text")]
    text = " ".join(" ".join(texts).replace("\xa0", " ").split())
    for line in (line for part in recording.shown(SESSION) for line in part):
        assert " ".join(line.split()) in text


@pytest.mark.parametrize(
    "private",
    [
        r"(?<![\w.])/(home|root|tmp|work|Users|var|mnt|opt|private)\b|[A-Z]:\\",
        r"\b20\d\d-\d\d-\d\d\b",  # a date
        r"@(?!sha256:)[\w-]+\.\w+",  # an address
        r"url\(|@import|<script|href=",  # what a viewer would fetch or run
    ],
    ids=["path", "date", "address", "fetched"],
)
def test_nothing_of_a_machine_or_a_person_is_shown(private: str) -> None:
    for path in sorted(recording.PICTURES.glob("rehearsal*")):
        found = re.search(private, path.read_text(encoding="utf-8"))
        assert not found, f"{path.name} shows {found and found[0]!r}: record it again without it"


def test_a_line_that_the_tool_no_longer_prints_is_an_error() -> None:
    changed = SESSION.replace("is in steady state as", "is up as")
    with pytest.raises(ValueError, match="step 5"):
        recording.picture(changed, recording.LIGHT)


def test_a_session_without_a_step_is_an_error() -> None:
    with pytest.raises(ValueError, match="no step 2"):
        recording.picture("1. Render\n  $ copier copy\n", recording.LIGHT)
