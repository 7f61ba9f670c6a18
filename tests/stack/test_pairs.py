"""Linters on the stack of each setting alone, of every pair, of all and of none.

The conditions are decided. docs/security.md has the findings of checkov, and the settings that end
each. cfn-lint has none.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path

import pytest
from infra.tool.shapes import MOST_EGRESS_RANGES

from tests.stack.rendered_service import RenderedService
from tests.stack.switches import GRANTS, IPV4, IPV6, LISTS, SWITCHES
from tests.support import checkov
from tests.support.rendering import ROOT

# The grants of the app are left out of the pairs: each is a resource of its own.
NAMES = sorted(SWITCHES.keys() - GRANTS)
# Settings that were on and are off again: the stack then turns the property off explicitly.
OFF_AGAIN = {
    "protection off again": {"DeletionProtection": "false"},
    "access logs off again": {"AccessLogs": "false", "AccessLogsBucket": ""},
    "insights off again": {"ContainerInsights": "disabled"},
    "HSTS off again": {"HstsSeconds": "0"},
    "egress off again": SWITCHES["egress"] | {"LimitEgress": ""},
}
# As many ranges as the settings take.
MOST = {
    "most ranges": {"AllowedIpv4Cidrs": ",".join(IPV4), "AllowedIpv6Cidrs": ",".join(IPV6)},
    "most egress": {
        "EgressCidrs": ",".join(IPV4[:MOST_EGRESS_RANGES]),
        "EgressPrefixLists": ",".join(LISTS),
        "LimitEgress": "true",
    },
}
PARAMETERS = SWITCHES | OFF_AGAIN | MOST
IS_OFF = {name.removesuffix(" off again") for name in OFF_AGAIN}
EVERY = [
    (),
    *((name,) for name in PARAMETERS),
    *combinations(NAMES, 2),
    ("zone", "HSTS off again"),
    tuple(SWITCHES),
    (*(name for name in SWITCHES if name not in IS_OFF), *OFF_AGAIN),
]
# The switches of a setting that the page names.
SWITCHED_BY = {
    "[https] certificate": {"certificate", "record"},
    "[https] hosted_zone": {"zone"},
    "[network] allowed_cidrs": {"allowed", "allowed IPv6", "most ranges"},
    "[observe] container_insights": {"insights"},
    "[security] access_logs_bucket": {"access logs"},
    "[security] log_key": {"log key"},
    "[security] repository_key": {"repository key"},
}
# The rules that docs/guides/secure.md says a setting answers, and the check of checkov for each.
# None: checkov has no such check for CloudFormation. tests/tool/provision/test_security.py and
# tests/tool/test_tags.py ask AWS for these.
RULES = {
    "CloudFormation.2": None,
    "CloudFormation.3": None,
    "ECR.5": "CKV_AWS_136",
    "ECS.12": "CKV_AWS_65",
    "ECS.13": None,
    "ECS.14": None,
    "ECS.15": None,
    "ELB.1": "CKV_AWS_2",
    "ELB.16": None,
    "ELB.5": "CKV_AWS_91",
    "ELB.6": None,
    "cloudwatch-log-group-encrypted": "CKV_AWS_158",
}
ANSWER = re.compile(r"^\| (`.+`) \| (.*) \|$", re.MULTILINE)
RULE = re.compile(r"\b[A-Z]\w+\.\d+\b|`[a-z-]+`")


@pytest.fixture(scope="module")
def stacks(
    service: RenderedService, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[Path, frozenset[str]]:
    """The file of each stack, and the switches of it."""
    folder = tmp_path_factory.mktemp("stacks")
    found = {}
    for number, names in enumerate(EVERY):
        file = folder / f"{number}.json"
        made = service.without_conditions(**join(names))
        file.write_text(json.dumps(made), encoding="utf-8")
        found[file] = frozenset(names)
    return found


def join(names: Iterable[str]) -> dict[str, str]:
    """The parameters of some switches."""
    return {key: value for name in names for key, value in PARAMETERS[name].items()}


def names_in(text: str) -> set[str]:
    """The settings, without their sections."""
    return {each.rpartition(" ")[2].strip("[]") for each in re.findall("`([^`]+)`", text)}


def test_each_condition_is_decided_both_ways(service: RenderedService) -> None:
    every = [service.stack(**join(names)) for names in EVERY if len(names) != 2]
    undecided = {
        name
        for name in service.template["Conditions"]
        if len({stack.holds(name) for stack in every}) == 1
    }
    assert undecided == set(), "add a switch to tests/stack/switches.py that turns these"


def test_a_rule_is_answered_by_the_settings_that_end_its_finding() -> None:
    page = (ROOT / "docs" / "guides" / "secure.md").read_text(encoding="utf-8")
    section = page.partition("\n### Which rule a setting answers\n")[2].partition("\n#")[0]
    answered = {
        rule.strip("`"): names_in(settings)
        for settings, text in ANSWER.findall(section)
        for rule in RULE.findall(text)
    }
    assert answered.keys() == RULES.keys(), "add to RULES what checkov says of the rule"
    ends = {row.check: names_in(row.text) for row in checkov.rows("On the stack as AWS gets it")}
    claimed = {check: answered[rule] for rule, check in RULES.items() if check}
    assert claimed.items() <= ends.items(), "docs/guides/secure.md and docs/security.md differ"


@pytest.mark.slow
def test_cfn_lint_finds_nothing(stacks: Mapping[Path, frozenset[str]]) -> None:
    tool = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([tool, "--format", "json", "--", *stacks], capture_output=True, text=True)
    found = {
        (*sorted(stacks[Path(each["Filename"])]), each["Message"])
        for each in json.loads(done.stdout)
    }
    assert found == set(), "infra/stack.yml is wrong for these settings"


@pytest.mark.slow
def test_checkov_finds_what_the_page_says_until_a_setting_ends_it(
    stacks: Mapping[Path, frozenset[str]],
) -> None:
    [folder] = {file.parent for file in stacks}
    report = checkov.run(folder)
    assert report.files == {file.name for file in stacks}, "checkov skipped a stack"
    found = {(each.file, each.check, each.resource) for each in report.findings}
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
