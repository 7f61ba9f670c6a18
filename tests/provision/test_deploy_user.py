"""DEPLOY_USER gets what the deploy role may do, and whoever is no longer named loses it."""

from pathlib import Path

import pytest
from account import Account, changed
from rendering import Render
from stage import refusal

MAKES = ["iam create-group", "iam put-group-policy", "iam add-user-to-group"]
REMOVES = "iam remove-user-from-group"
DELETES = [REMOVES, "iam delete-group-policy", "iam delete-group"]


@pytest.fixture
def account(example: Render, tmp_path: Path) -> Account:
    account = Account(example, tmp_path)
    account.is_up_to_date()
    return account


def names(account: Account, user: str) -> None:
    account.edit("infra/settings.env", 'DEPLOY_USER=""', f'DEPLOY_USER="{user}"')
    account.has_user(user)


def of_the_group(asked: list[str]) -> list[str]:
    return [name for name in asked if "group" in name and name.startswith("iam")]


def test_a_user_gets_the_document_as_it_stands_through_a_group(account: Account) -> None:
    names(account, "github")
    run = account.provision()
    run.ends(0, "granted access: github")
    group = {"GroupName": account.settings["DEPLOY_ROLE"]}
    assert of_the_group(changed(run)) == MAKES
    assert run.request(MAKES[0]) == group
    assert run.request(MAKES[1]) == group | {
        "PolicyName": "deploy",
        "PolicyDocument": account.render.text("ops/iam-policy-github-actions.json"),
    }
    assert run.request(MAKES[2]) == group | {"UserName": "github"}
    assert not [name for name in run.asked if "access-key" in name], "keys are made by people"


def test_a_second_run_finds_the_group_there(account: Account) -> None:
    names(account, "github")
    account.has_group(["github"])
    assert of_the_group(changed(account.provision())) == MAKES[1:]


def test_only_the_user_that_is_named_keeps_the_permissions(account: Account) -> None:
    names(account, "github")
    account.has_group(["former", "github", "guest"])
    run = account.provision()
    run.ends(0, "revoked access: former", "revoked access: guest")
    removed = [call.parameters()["UserName"] for call in run.calls if call.name == REMOVES]
    assert removed == ["former", "guest"]


def test_without_a_name_the_group_goes_and_the_user_stays(account: Account) -> None:
    account.has_group(["former"])
    run = account.provision()
    run.ends(0, "revoked access: former", "Kept: the user and its keys")
    assert of_the_group(changed(run)) == DELETES


def test_without_a_name_and_without_a_group_nothing_is_asked_for(account: Account) -> None:
    run = account.provision()
    assert of_the_group(run.asked) == ["iam get-group"]
    assert "iam get-user" not in run.asked


@pytest.mark.parametrize("arguments", [[], ["--plan"]])
def test_a_user_that_is_not_there_is_said_before_anything_changes(
    account: Account, arguments: list[str]
) -> None:
    names(account, "github")
    account.answers("iam get-user", refusal("NoSuchEntity"))
    run = account.provision(*arguments)
    run.ends(2, "aws iam create-user --user-name github", 'DEPLOY_USER=""')
    assert changed(run) == []


@pytest.mark.parametrize("command", ["iam get-user", "iam get-group"])
def test_what_may_not_be_asked_is_refused_before_anything_changes(
    account: Account, command: str
) -> None:
    names(account, "github")
    account.answers(command, refusal("AccessDenied"))
    run = account.provision()
    run.ends(2, f'AWS refused "{command}"')
    assert changed(run) == []


def test_a_plan_tells_who_would_be_let_in_and_who_shut_out(account: Account) -> None:
    names(account, "github")
    account.has_group(["former"])
    run = account.provision("--plan")
    run.ends(0, "to revoke access: former", "to grant access: github, by the group")
    assert of_the_group(changed(run)) == []


def test_taking_it_down_takes_the_permissions_off_the_user(account: Account) -> None:
    names(account, "github")
    account.has_that_stack()
    account.is_deleted()
    account.has_group(["github"])
    run = account.destroy()
    run.ends(0, "revoked access: github", "Kept: the user and its keys")
    assert of_the_group(changed(run)) == DELETES
    assert not [name for name in run.asked if "delete-user" in name or "access-key" in name]
