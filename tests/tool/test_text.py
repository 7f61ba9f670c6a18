"""Untrusted text is made harmless, and ages and counts are printed in words."""

from datetime import UTC, datetime, timedelta

import pytest
from infra.tool.text import age, counted, last_part, one_line

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("  two\n lines\r\n", "two lines"),
        ("\x1b[2Jcleared", "[2Jcleared"),
        ("bell\x07 and\x00 null", "bell and null"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("txt.\u202eexe", "txt. exe"),  # bidirectional override
        ("zero\u200bwidth", "zero width"),
        ("tag\U000e0041", "tag"),
        ("half \ud800 a pair", "half a pair"),
        ("##[error]no", "# #[error]no"),
        ("a ##[group] in the middle", "a # #[group] in the middle"),
        ("##\u200b[error]", "## [error]"),
        ("Grüße, 日本", "Grüße, 日本"),
        (None, "None"),
        ("", ""),
    ],
)
def test_untrusted_text_becomes_one_harmless_line(text: object, expected: str) -> None:
    assert one_line(text) == expected


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (timedelta(seconds=0), "0 s ago"),
        (timedelta(seconds=119.9), "119 s ago"),
        (timedelta(minutes=2), "2 min ago"),
        (timedelta(minutes=119, seconds=59), "119 min ago"),
        (timedelta(hours=2), "2 h ago"),
        (timedelta(hours=47, minutes=59), "47 h ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(days=400), "400 days ago"),
        (timedelta(seconds=-30), "0 s ago"),
    ],
)
def test_an_age_has_the_unit_that_fits_and_is_never_negative(ago: timedelta, expected: str) -> None:
    assert age(NOW - ago, NOW) == expected


def test_an_age_does_not_depend_on_the_time_zone() -> None:
    there = NOW.astimezone(tz=datetime.strptime("+0530", "%z").tzinfo)
    assert age(there - timedelta(minutes=11), NOW) == "11 min ago"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("arn:aws:ecs:us-east-1:1:task-definition/api-task:7", "api-task:7"), ("plain", "plain")],
)
def test_the_last_part_of_an_arn(name: str, expected: str) -> None:
    assert last_part(name) == expected


@pytest.mark.parametrize(("number", "expected"), [(0, "0 tasks"), (1, "1 task"), (2, "2 tasks")])
def test_a_count_in_words(number: int, expected: str) -> None:
    assert counted(number, "task") == expected
