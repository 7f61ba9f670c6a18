"""A bad answer is refused, with one right answer, before anything is written."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.rendering import ANSWERS_FILE, EXAMPLE, asked, questions, render

NAME = "'app_name': for example ai-assistant: 3 to 24 lowercase letters"
DESCRIPTION = "'description': for example Answers questions: one line"
ACCOUNT = "'aws_account_id': for example 123456789012: 12 digits"
REGION = "'aws_region': for example us-east-1: the name of a region"
REPOSITORY = "'github_repository': for example my-org/my-api: the owner and the name"

REFUSED: dict[str, tuple[str, list[Any]]] = {
    "app_name": (
        NAME,
        [
            "",
            " ",
            "ab",
            "a" * 25,
            "Ai-Assistant",
            "1-service",
            "-service",
            "service-",
            "my--service",
            "my_service",
            "my.service",
            "my service",
            "my/service",
            "../service",
            "my-service\n",
            "\nmy-service",
            "my-service\0",
            "sérvice",
            "my\N{NON-BREAKING HYPHEN}service",
            "service\N{ARABIC-INDIC DIGIT ONE}",
            "{{ 7 * 7 }}",
            "{% raw %}",
            "$(id)",
            "it's",
            'say"hi"',
            "aws-service",
            "internal-service",
            True,
        ],
    ),
    "description": (
        DESCRIPTION,
        [
            "",
            " ",
            " leading",
            "trailing ",
            'with "quotation marks"',
            "with a back\\slash",
            "with `backticks`",
            "costs $5",
            "two\nlines",
            "one line\n",
            "tab\tstop",
            "escape\x1b[31m",
            "next\x85line",
            "line\N{LINE SEPARATOR}separator",
            "lone \ud800 surrogate",
            "zero width\u200bspace",
            "right to left\u202eoverride",
            "byte order\ufeffmark",
            "soft\xadhyphen",
            "zero width\u200djoiner",
            "word\u2060joiner",
            "hangul\u3164filler",
            "tag \U000e0041 letter",
            "variation\U000e0100selector",
            "d" * 121,
        ],
    ),
    "aws_account_id": (
        ACCOUNT,
        [
            "",
            "12345678901",
            "1234567890123",
            "12345678901a",
            "1234-5678-9012",
            "123456789012\n",
            " 123456789012",
            "\N{FULLWIDTH DIGIT ONE}23456789012",
            "\N{ARABIC-INDIC DIGIT ONE}23456789012",
            "YOUR-ACCOUNT",
            0o12345670123,
            12345678901,
        ],
    ),
    "aws_region": (
        REGION,
        [
            "",
            "us-east",
            "us-east-1a",
            "us-east-0",
            "us-east-1\n",
            "US-EAST-1",
            "us_east_1",
            "us--1",
            "eastus",
            "global",
            "us-iso-east-1",
            "eusc-de-east-1",
            "us-east-\N{SUPERSCRIPT ONE}",
            "../us-east-1",
        ],
    ),
    "github_repository": (
        REPOSITORY,
        [
            "my-company",
            "my-company/",
            "/ai-assistant",
            "my-company/ai/assistant",
            "https://github.com/my-company/ai-assistant",
            "git@github.com:my-company/ai-assistant",
            "my-company/ai-assistant.git",
            "my-company/ai-assistant\n",
            "my-company/..",
            "my-company/ai assistant",
            "-company/ai-assistant",
            "my--company/ai-assistant",
            "my-company/*",
            "my-company@1/ai-assistant@2",
        ],
    ),
    "cpu": ("Invalid choice for 'cpu'", [0, 300, 32768, -256]),
    "memory": ("Invalid choice for 'memory'", [0, 256, 768, 3072, 4096]),
    "cpu_architecture": ("Invalid choice for 'cpu_architecture'", ["", "arm64", "amd64", "AMD64"]),
    "min_tasks": ("'min_tasks': for example 1: at least 1", [0, -1]),
    "max_tasks": ("'max_tasks': for example 1: at least the minimum", [0, -1]),
    "partition": ("Invalid choice for 'partition'", ["aws-cn", "", "aws-iso"]),
    "registry": ("Invalid choice for 'registry'", ["evil.example.com", ""]),
}
WRONG_TYPE: dict[str, list[tuple[str, Any]]] = {
    "Could not convert": [
        ("app_name", ["my-service"]),
        ("app_name", {"my": "service"}),
        ("aws_account_id", ["123456789012"]),
    ],
    "Invalid answer": [
        ("app_name", None),
        ("aws_account_id", None),
        ("aws_region", None),
        ("cpu_architecture", None),
    ],
    "invalid literal for int": [
        ("cpu", "many"),
        ("memory", "512 MB"),
        ("min_tasks", "1.5"),
        ("max_tasks", "four"),
    ],
}

CASES = [
    *((key, value, message) for key, (message, bad) in REFUSED.items() for value in bad),
    *((key, value, message) for message, bad in WRONG_TYPE.items() for key, value in bad),
]


@pytest.mark.parametrize(
    ("key", "value", "message"), CASES, ids=[f"{k}={v!a}"[:60] for k, v, _ in CASES]
)
def test_a_bad_answer_is_refused_and_nothing_is_written(
    varying: Path, tmp_path: Path, key: str, value: object, message: str
) -> None:
    destination = tmp_path / "service"
    refusal = "nothing"
    try:
        render(varying, destination, {**EXAMPLE, key: value})
    except Exception as error:
        refusal = str(error)
    assert re.search(message, refusal), (
        f"copier.yml: {key} has to refuse {value!r} with `{message}`, and said {refusal}"
    )
    assert not destination.exists(), f"{key}={value!r} was refused but left files behind"


def test_the_maximum_of_tasks_is_at_least_the_minimum(varying: Path, tmp_path: Path) -> None:
    refusal = "nothing"
    try:
        render(varying, tmp_path / "service", {**EXAMPLE, "min_tasks": 3, "max_tasks": 2})
    except ValueError as error:
        refusal = str(error)
    assert "'max_tasks': for example 3: at least the minimum, which is 3" in refusal, (
        f"copier.yml: max_tasks has to refuse 2 for a minimum of 3, and said {refusal}"
    )


# The answers of a service for which only name, account and region were given.
DEFAULTS = {
    "description": "ai-assistant on AWS ECS Fargate",
    "github_repository": "",
    "cpu": 256,
    "memory": 512,
    "cpu_architecture": "X86_64",
    "min_tasks": 1,
    "max_tasks": 4,
}


def test_a_default_is_the_smallest_service(varying: Path, tmp_path: Path) -> None:
    required = [key for key in asked() if "default" not in questions()[key]]
    assert sorted([*required, *DEFAULTS]) == sorted(asked()), "name each default in DEFAULTS"
    identity = {key: EXAMPLE[key] for key in required}
    service = render(varying, tmp_path / "service", identity)
    found = yaml.safe_load(service.text(ANSWERS_FILE))
    for key, value in DEFAULTS.items():
        assert found[key] == value, (
            f"copier.yml: the default of {key} is {found[key]!r} and was {value!r}: it changes the "
            "bill of every new service. If the change is meant, change DEFAULTS in this test too"
        )


def test_every_question_has_bad_answers_to_refuse() -> None:
    assert REFUSED.keys() == questions().keys(), "name wrong answers to each question in REFUSED"
    assert len(CASES) >= 40


def test_a_message_starts_with_an_answer_that_is_accepted(varying: Path, tmp_path: Path) -> None:
    for key, (_, bad) in REFUSED.items():
        if "validator" not in questions()[key]:
            continue
        starts = re.compile(f"Validation error for question '{key}': for example ([^:]+):")
        with pytest.raises(ValueError, match=starts) as refusal:
            render(varying, tmp_path / "refused", {**EXAMPLE, key: bad[0]})
        [advice] = starts.findall(str(refusal.value))
        render(varying, tmp_path / key, {**EXAMPLE, key: advice})


def test_an_unknown_answer_is_an_error_here_because_copier_ignores_it(
    varying: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no such question: app_nmae"):
        render(varying, tmp_path / "service", {**EXAMPLE, "app_nmae": "typo"})


@pytest.mark.parametrize("key", ["app_name", "aws_account_id", "aws_region"])
def test_identity_questions_have_no_default(varying: Path, tmp_path: Path, key: str) -> None:
    answers = {k: v for k, v in EXAMPLE.items() if k != key}
    with pytest.raises(ValueError, match=f'"{key}" is required'):
        render(varying, tmp_path / "service", answers)
    assert not (tmp_path / "service").exists()


def test_the_example_answers_every_question_and_no_other() -> None:
    assert list(EXAMPLE) == asked(), "example-answers.yml: each question once, in their order"
