"""The language of the validators of copier.yml, to draw legal answers from."""

import re
from collections.abc import Mapping
from typing import Any

import jinja2
from hypothesis import strategies as st
from jinja2 import nodes

from tests.support.rendering import questions


def pattern(question: Mapping[str, Any]) -> str:
    """The regular expression of a question's validator, as Jinja hands it to Python."""
    validator = jinja2.Environment().parse(question["validator"])
    [found] = [each for each in validator.find_all(nodes.Filter) if each.name == "regex_search"]
    return str(found.args[0].as_const())


# A little wider than the validators, which decide: Hypothesis cannot draw from a look-ahead.
WIDER = {
    "app_name": st.from_regex(r"[a-z][a-z0-9]{1,11}(-[a-z0-9]{1,6}){0,2}", fullmatch=True),
    "description": st.text(min_size=1, max_size=120),
    "aws_account_id": st.from_regex(r"[0-9]{12}", fullmatch=True),
    "aws_region": st.from_regex(
        r"([a-z]{2}|us-gov)-(central|(north|south)?(east|west)?)-[1-9]", fullmatch=True
    ),
    "github_repository": st.from_regex(
        r"[A-Za-z0-9]{1,9}(-[A-Za-z0-9]{1,9}){0,2}/[A-Za-z0-9._-]{1,20}", fullmatch=True
    ),
}


def language(question: str) -> st.SearchStrategy[str]:
    legal = re.compile(pattern(questions()[question]))
    return WIDER[question].filter(lambda text: legal.search(text) is not None)
