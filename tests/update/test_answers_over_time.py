"""An answer that is valid in one version is valid in every later one, with the same meaning."""

import re
import shutil
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scripts.release import git
from tests.support.answer_matrix import pair_sets, size_sets
from tests.support.legal_answers import WIDER, pattern
from tests.support.rendering import EXAMPLE, Render, render
from tests.update.history import HERE, NEXT, SPANS, History
from tests.update.next_release import RENAMED as RENAMED_NEXT
from tests.update.next_release import a_question

ANSWERS = ".copier-answers.yml"

# Renamed questions: new name by old name.
RENAMED: dict[str, dict[str, str]] = {HERE: {}, NEXT: RENAMED_NEXT}


@cache
def asked_in(published: History, version: str) -> dict[str, dict[str, Any]]:
    """The questions that a version asks, by name."""
    config = yaml.safe_load(git(published.path, "show", f"{version}:copier.yml"))
    return {k: v for k, v in config.items() if not k.startswith("_") and v.get("when", True)}


def choices(question: Mapping[str, Any], answers: Mapping[str, Any]) -> set[Any]:
    """The choices that these other answers allow."""
    offered = question["choices"]
    if isinstance(offered, str):
        offered = yaml.safe_load(jinja2.Template(offered).render(answers))
    return set(offered.values() if isinstance(offered, dict) else offered)


@pytest.mark.parametrize(("start", "end"), SPANS)
def test_a_question_is_never_removed_and_keeps_its_type(
    published: History, start: str, end: str
) -> None:
    here = asked_in(published, end)
    for name, question in asked_in(published, start).items():
        new = RENAMED[end].get(name, name)
        assert new in here, f"{name}: list the name that it has now in RENAMED"
        assert here[new]["type"] == question["type"], f"{name}: the type never changes"
        if new != name:
            assert name not in here, f"{name}: the old name leaves copier.yml"
            assert here[new]["default"].startswith(f"{{{{ {name} | default("), (
                f"{new}: the default takes the old answer over"
            )


@pytest.mark.parametrize(("start", "end"), SPANS)
def test_a_choice_is_never_removed(published: History, start: str, end: str) -> None:
    here = asked_in(published, end)
    for name, question in asked_in(published, start).items():
        if "choices" in question:
            for answers in [{"cpu": cpu} for cpu in choices(here["cpu"], {})]:
                new = here[RENAMED[end].get(name, name)]
                lost = choices(question, answers) - choices(new, answers)
                assert not lost, f"{name} with {answers}: {lost}"


@pytest.mark.parametrize(("start", "end"), SPANS)
@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # one counterexample is enough
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_validator_never_becomes_stricter(
    published: History, start: str, end: str, data: st.DataObject
) -> None:
    here = asked_in(published, end)
    for name, question in asked_in(published, start).items():
        if name in WIDER:
            text = data.draw(WIDER[name], label=name)
            if re.search(pattern(question), text):
                new = here[RENAMED[end].get(name, name)]
                assert re.search(pattern(new), text), f"{name}: {text!r} was legal in {start}"


@pytest.mark.parametrize(("start", "end"), SPANS)
def test_a_new_question_has_a_default(published: History, start: str, end: str) -> None:
    here = asked_in(published, end)
    for name in here.keys() - asked_in(published, start).keys():
        assert "default" in here[name], f"{name}: an update without a terminal cannot ask"


def test_the_default_of_a_new_question_adds_only_its_own_setting(
    template: Path, example: Render, tmp_path: Path
) -> None:
    shutil.copytree(template, tmp_path / "template")
    a_question(tmp_path / "template")
    with_it = render(tmp_path / "template", tmp_path / "service", EXAMPLE)
    before, after = example.files(), with_it.files()
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {ANSWERS, "infra/settings.toml"}
    before, after = (tomllib.loads(it.text("infra/settings.toml")) for it in (example, with_it))
    assert after == before | {"team": {"name": ""}}


@pytest.mark.parametrize(("start", "end"), SPANS)
def test_a_path_is_never_moved_or_removed(published: History, start: str, end: str) -> None:
    """An update would silently delete what the owner wrote there."""

    def paths(of: str) -> set[str]:
        listed = git(published.path, "ls-tree", "-r", "--name-only", of, "template").decode()
        return {path.removesuffix(".jinja") for path in listed.splitlines()}

    gone = paths(start) - paths(end)
    assert not gone, f"released in {start}, and a path never moves: put back {sorted(gone)}"


@pytest.mark.slow
@pytest.mark.parametrize(("start", "end"), SPANS)
def test_an_answers_file_has_the_same_meaning_in_a_later_version(
    published: History, tmp_path: Path, start: str, end: str
) -> None:
    """An answers file written by `start`, for sizes, names and texts of every kind."""
    for name, answers in (pair_sets() | size_sets()).items():
        before = published.service(start, tmp_path / "before" / name, answers)
        stored = yaml.safe_load(before.text(ANSWERS))
        kept = {
            RENAMED[end].get(key, key): value
            for key, value in stored.items()
            if not key.startswith("_")
        }
        later = published.service(end, tmp_path / "after" / name, kept)
        after = yaml.safe_load(later.text(ANSWERS))
        assert {key: after[key] for key in kept} == kept
