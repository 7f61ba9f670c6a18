"""Linters on the stack of every pair of settings, with the conditions decided.

docs/security.md has the findings of checkov, and the settings that end each. cfn-lint has none.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path

import pytest

from tests.stack.rendered_service import RenderedService
from tests.stack.switches import ALL, GRANTS, SWITCHES
from tests.support import checkov

pytestmark = pytest.mark.slow

# The grants of the app are left out: each is a resource of its own.
NAMES = sorted(SWITCHES.keys() - GRANTS)
# The switches of a setting that the page names.
SWITCHED_BY = {
    "[https] certificate": {"certificate", "record"},
    "[https] hosted_zone": {"zone"},
    "[network] allowed_cidrs": {"allowed", "allowed IPv6"},
    "[observe] container_insights": {"insights"},
    "[security] access_logs_bucket": {"access logs"},
    "[security] log_key": {"log key"},
    "[security] repository_key": {"repository key"},
}


@pytest.fixture(scope="module")
def stacks(
    service: RenderedService, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[Path, frozenset[str]]:
    """The file of each stack, and the switches that are on in it: none, one, two, or all."""
    folder = tmp_path_factory.mktemp("stacks")
    every = [(), *((name,) for name in NAMES), *combinations(NAMES, 2)]
    given = {frozenset(names): join(names) for names in every} | {frozenset(SWITCHES): ALL}
    found = {}
    for number, (names, parameters) in enumerate(given.items()):
        file = folder / f"{number}.json"
        file.write_text(json.dumps(service.without_conditions(**parameters)), encoding="utf-8")
        found[file] = names
    return found


def join(names: Iterable[str]) -> dict[str, str]:
    """The parameters of some switches."""
    return {key: value for name in names for key, value in SWITCHES[name].items()}


def test_cfn_lint_finds_nothing(stacks: Mapping[Path, frozenset[str]]) -> None:
    tool = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([tool, "--format", "json", "--", *stacks], capture_output=True, text=True)
    found = {
        (*sorted(stacks[Path(each["Filename"])]), each["Message"])
        for each in json.loads(done.stdout)
    }
    assert found == set(), "infra/stack.yml is wrong for these settings"


def test_checkov_finds_what_the_page_says_until_a_setting_ends_it(
    stacks: Mapping[Path, frozenset[str]],
) -> None:
    [folder] = {file.parent for file in stacks}
    found = {(each.file, each.check, each.resource) for each in checkov.run(folder).findings}
    rows = checkov.rows("On the stack as AWS gets it")
    assert rows
    expected = {
        (file.name, row.check, row.place)
        for file, names in stacks.items()
        for row in rows
        if not any(SWITCHED_BY[setting] & names for setting in re.findall("`([^`]+)`", row.text))
    }
    names_of = {file.name: sorted(names) for file, names in stacks.items()}
    new, gone = (
        {(*rest, *names_of[file]) for file, *rest in each}
        for each in (found - expected, expected - found)
    )
    assert new == set(), "fix these in infra/stack.yml, or answer them in docs/security.md"
    assert gone == set(), "checkov does not find these: correct their rows in docs/security.md"
