"""A plan shows what it would change in the policy of the deploy role, statement by statement."""

import json
from io import StringIO
from typing import Any

import pytest
from infra.tool.provision.statements import changes

from tests.support.checkout import Checkout

Json = dict[str, Any]
DOCUMENT = "ops/iam-policy-github-actions.json"
ALLOW: Json = {"Sid": "Push", "Effect": "Allow", "Action": ["a:b", "a:c"], "Resource": "*"}
CONDITION = {"StringEquals": {"k": ["v", "w"]}}


def policy(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": [*statements]}


def lines(before: Json, after: Json) -> list[str]:
    found = []
    for change in changes(before, after):
        found.append(f"{change.sign} {change.sid}")
        found += [f"- {member} {value}" for member, value in change.removed]
        found += [f"+ {member} {value}" for member, value in change.added]
    return found


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (ALLOW, ALLOW, []),
        (ALLOW, ALLOW | {"Action": ["a:c", "a:b"]}, []),
        (ALLOW, ALLOW | {"Resource": ["*"]}, []),
        (ALLOW | {"Action": "a:b"}, ALLOW, ["~ Push", "+ Action a:c"]),
        (ALLOW, ALLOW | {"Action": "a:b"}, ["~ Push", "- Action a:c"]),
        (ALLOW, ALLOW | {"Effect": "Deny"}, ["~ Push", "- Effect Allow", "+ Effect Deny"]),
        (
            ALLOW | {"Condition": CONDITION},
            ALLOW,
            ["~ Push", "- Condition StringEquals k v", "- Condition StringEquals k w"],
        ),
        (
            ALLOW,
            ALLOW | {"Condition": {"Bool": {"k": True}}},
            ["~ Push", "+ Condition Bool k true"],
        ),
        (
            ALLOW,
            {**ALLOW, "Sid": "Pull", "Action": "a:d"},
            [
                *["+ Pull", "+ Action a:d", "+ Effect Allow", "+ Resource *"],
                *["- Push", "- Action a:b", "- Action a:c", "- Effect Allow", "- Resource *"],
            ],
        ),
    ],
)
def test_each_difference_is_listed(before: Json, after: Json, expected: list[str]) -> None:
    assert lines(policy(before), policy(after)) == expected


def test_a_statement_without_a_name_changes_as_a_whole() -> None:
    before = {"Effect": "Allow", "Action": "a:b", "Resource": "*"}
    after = before | {"Action": "a:c"}
    assert lines({"Statement": before}, policy(before)) == []
    assert [change.sign for change in changes(policy(before), policy(after))] == ["+", "-"]


def test_a_plan_shows_what_was_changed_by_hand(provisioned: Checkout) -> None:
    provisioned.set("github.subject", "repo:a/b:ref:refs/heads/main")
    run = provisioned.administer("provision", "--plan").expect(0)
    assert "policy  " not in run.out
    live = provisioned.document(DOCUMENT)
    live["Statement"][0]["Action"].append("cloudformation:*")
    live["Statement"].append({"Effect": "Allow", "Action": "iam:*", "Resource": "*"})
    provisioned.aws.client("iam").put_role_policy(
        RoleName=provisioned.settings.names.deploy_role,
        PolicyName="deploy",
        PolicyDocument=json.dumps(live),
    )
    terminal = StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    provisioned.terminal = terminal
    provisioned.administer("provision", "--plan", COLUMNS="80", NO_COLOR="1").expect(0)
    said = terminal.getvalue()
    assert "to change: 2 statements of the deploy role" in said
    assert "  ~ ReadTheStack\n    - Action     cloudformation:*" in said
    assert "  - (no Sid)\n    - Action     iam:*" in said
    diff = said.partition("policy ")[2].partition("costs")[0].splitlines()
    assert max(map(len, map(str.rstrip, diff))) <= 80
