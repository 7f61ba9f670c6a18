"""An answer that was legal in any release is legal here, and means the same."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from history import RELEASES, History
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from matrix import answer_sets
from release import git
from rendering import asked, questions, render
from test_any_answers import WIDER, pattern

ANSWERS = ".copier-answers.yml"


def released(published: History, version: str) -> dict[str, dict[str, Any]]:
    """The questions of a release that are asked, by name."""
    config = yaml.safe_load(git(published.path, "show", f"{version}:copier.yml"))
    return {k: v for k, v in config.items() if not k.startswith("_") and v.get("when", True)}


def choices(question: Mapping[str, Any], answers: Mapping[str, Any]) -> set[Any]:
    """What may be chosen when the other answers are these."""
    offered = question["choices"]
    if isinstance(offered, str):
        offered = yaml.safe_load(jinja2.Template(offered).render(answers))
    return set(offered.values() if isinstance(offered, dict) else offered)


@pytest.mark.parametrize("version", RELEASES)
def test_a_question_is_never_removed_and_keeps_its_type(published: History, version: str) -> None:
    for name, question in released(published, version).items():
        assert name in asked(), f"{name}: a new name takes over its answer as its default"
        assert questions()[name]["type"] == question["type"], f"{name}: the type never changes"


@pytest.mark.parametrize("version", RELEASES)
def test_a_choice_is_never_taken_away(published: History, version: str) -> None:
    for name, question in released(published, version).items():
        if "choices" in question:
            for answers in [{"cpu": cpu} for cpu in choices(questions()["cpu"], {})]:
                lost = choices(question, answers) - choices(questions()[name], answers)
                assert not lost, f"{name} with {answers}: {lost}"


@pytest.mark.parametrize("version", RELEASES)
@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # the first that is found says enough
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_what_a_validator_let_by_it_lets_by_for_ever(
    published: History, version: str, data: st.DataObject
) -> None:
    for name, question in released(published, version).items():
        if name in WIDER:
            text = data.draw(WIDER[name], label=name)
            before = re.search(r"regex_search\(\s*'(.*?)'\)", question["validator"])
            assert before, f"{name}: {version} had no pattern"
            if re.search(before[1].replace("\\\\", "\\"), text):
                assert re.search(pattern(name), text), f"{name}: {text!r} was legal in {version}"


@pytest.mark.parametrize("version", RELEASES)
def test_a_new_question_has_a_default(published: History, version: str) -> None:
    for name in set(asked()) - released(published, version).keys():
        assert "default" in questions()[name], f"{name}: an update has nobody to ask"


@pytest.mark.slow
@pytest.mark.parametrize("version", RELEASES)
def test_the_answers_file_of_every_release_still_says_the_same(
    published: History, template: Path, tmp_path: Path, version: str
) -> None:
    """As that release wrote it, for sizes, names and texts of every kind."""
    for name, answers in answer_sets().items():
        before = published.service(version, tmp_path / "before" / name, answers)
        stored = yaml.safe_load(before.text(ANSWERS))
        kept = {key: value for key, value in stored.items() if not key.startswith("_")}
        after = yaml.safe_load(render(template, tmp_path / "after" / name, kept).text(ANSWERS))
        assert {key: after[key] for key in kept} == kept
