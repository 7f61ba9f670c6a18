"""Answers drawn from the language of the validators: every one that is legal renders well."""

import json
import re
import sys
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simulator.ecs.fargate import FARGATE
from tests.support.legal_answers import language, pattern
from tests.support.rendering import ANSWERS_FILE, EXAMPLE, questions, render


@st.composite
def answer_sets(draw: st.DrawFn) -> dict[str, Any]:
    cpu = draw(st.sampled_from(list(FARGATE)))
    low = draw(st.integers(1, 5000))
    return {
        "app_name": draw(language("app_name")),
        "description": draw(language("description")),
        "aws_account_id": draw(language("aws_account_id")),
        "aws_region": draw(language("aws_region")),
        "github_repository": draw(st.just("") | language("github_repository")),
        "cpu": cpu,
        "memory": draw(st.sampled_from(FARGATE[cpu])),
        "cpu_architecture": draw(st.sampled_from(["X86_64", "ARM64"])),
        "min_tasks": low,
        "max_tasks": draw(st.integers(low, 5000)),
    }


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(answer_sets())
@example({**EXAMPLE, "description": "{{ 7 * 7 }}"})
def test_every_legal_answer_renders_well(varying: Path, answers: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        service = render(varying, Path(folder) / "service", answers)

        kept = yaml.safe_load(service.text(ANSWERS_FILE))
        assert {key: kept[key] for key in answers} == answers

        task = service.json("infra/task-definition.json")
        environment = {
            e["name"]: e["value"] for e in task["containerDefinitions"][0]["environment"]
        }
        assert environment["APP_DESCRIPTION"] == answers["description"]
        assert (task["cpu"], task["memory"]) == (str(answers["cpu"]), str(answers["memory"]))

        chosen = service.settings()
        assert chosen.service.name == answers["app_name"]
        assert chosen.github.repository == answers["github_repository"]
        assert task["family"] == chosen.names.family

        policy = json.dumps(service.json("ops/iam-policy-github-actions.json"))
        accounts = set(re.findall(r"(?<![0-9A-Za-z])\d{12}(?![0-9A-Za-z])", policy))
        assert accounts == {answers["aws_account_id"]}


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.text(max_size=140))
@example("two\nlines")
@example("ends\n")
def test_a_legal_description_survives_json_yaml_and_one_line_of_text(text: str) -> None:
    if re.search(pattern(questions()["description"]), text):
        assert json.loads(f'"{text}"') == text
        assert text.splitlines() == [text]
        assert yaml.safe_load(yaml.safe_dump({"d": text}, allow_unicode=True)) == {"d": text}


def test_a_description_has_no_invisible_character() -> None:
    """None with which it could hide text from a reader or change the order of what is read."""
    invisible = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format, surrogate, separators of lines
    legal = re.compile(pattern(questions()["description"]))
    allowed = [
        f"U+{code:04X}"
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in invisible or 0xE0000 <= code <= 0xE0FFF
        if legal.search(f"a{chr(code)}b")
    ]
    assert allowed == [], "add them to the validator of description in copier.yml"


@pytest.mark.parametrize(
    "text",
    [
        "Größe, façade, \N{LATIN CAPITAL LETTER I WITH DOT ABOVE}",
        "\N{CJK UNIFIED IDEOGRAPH-8CA9}\N{IDEOGRAPHIC SPACE}\N{HIRAGANA LETTER A}",
        "\N{DEVANAGARI LETTER KA}\N{DEVANAGARI SIGN VIRAMA}\N{DEVANAGARI LETTER SSA}",
        "\N{ARABIC LETTER BEH}\N{ARABIC FATHA} \N{HEBREW LETTER ALEF}",
        "\N{HANGUL SYLLABLE GA} \N{THAI CHARACTER KO KAI}\N{THAI CHARACTER SARA II}",
        "\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16} \N{ROCKET}",
    ],
)
def test_a_description_may_be_in_any_script(text: str) -> None:
    assert re.search(pattern(questions()["description"]), text)
