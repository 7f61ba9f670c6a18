"""The change set of a provision: its request, its changes, and that none is left behind."""

from typing import Any

import pytest
from infra.tool.errors import ToolError
from infra.tool.provision import change
from infra.tool.provision.change import Change, Status
from infra.tool.provision.stack_state import StackState

from tests.support.checkout import Checkout, Run
from tests.support.rendering import ROOT
from tests.support.targets import settings

NAMES = settings().names
TEMPLATE = (ROOT / "template" / "infra" / "stack.yml").read_text(encoding="utf-8")
CREATES, EXECUTES = "cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"
THROTTLED = "ThrottlingException"
Json = dict[str, Any]


def stacks(checkout: Checkout) -> list[str]:
    """The states of the stacks that exist."""
    found = checkout.aws.client("cloudformation").describe_stacks()["Stacks"]
    return [stack["StackStatus"] for stack in found]


def change_sets(checkout: Checkout) -> int:
    """How many of a provision exist."""
    found = checkout.aws.cloudformation.change_sets.values()
    return len([each for each in found if each.name.startswith("provision-")])


# --- decisions ---


def stack(status: str) -> StackState:
    return StackState("arn", "ai-assistant", status)


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (None, "CREATE"),
        (stack("REVIEW_IN_PROGRESS"), "CREATE"),
        (stack("CREATE_COMPLETE"), "UPDATE"),
        (stack("UPDATE_ROLLBACK_COMPLETE"), "UPDATE"),
    ],
)
def test_a_stack_that_does_not_exist_or_is_only_planned_is_created(
    found: StackState | None, kind: str
) -> None:
    request = change.request("one", NAMES, TEMPLATE, {"AppName": "x"}, found)
    assert request["ChangeSetType"] == kind
    assert request["ImportExistingResources"] is True
    assert request["Parameters"] == [{"ParameterKey": "AppName", "ParameterValue": "x"}]


def test_both_names_are_written_into_the_template_and_nothing_else_is_changed() -> None:
    """CloudFormation imports an existing resource only if its name is not a reference."""
    before, after = TEMPLATE.splitlines(), change.with_names(TEMPLATE, NAMES).splitlines()
    assert len(before) == len(after)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        ("      RepositoryName: !Ref RepositoryName", f"      RepositoryName: {NAMES.repository}"),
        ("      LogGroupName: !Ref LogGroupName", f"      LogGroupName: {NAMES.log_group}"),
    ]


@pytest.mark.parametrize("key", ["RepositoryName", "LogGroupName"])
def test_a_template_that_cannot_be_given_a_name_is_refused(key: str) -> None:
    line = f"      {key}: !Ref {key}\n"
    for other in ("", line.replace("!Ref", "!Sub"), line * 2):
        with pytest.raises(ToolError, match="template-names"):
            change.with_names(TEMPLATE.replace(line, other), NAMES)


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        ("CREATE_PENDING", "", Status.WAITING),
        ("CREATE_IN_PROGRESS", "", Status.WAITING),
        ("CREATE_COMPLETE", "", Status.READY),
        ("FAILED", "The submitted information didn't contain changes.", Status.EMPTY),
        ("FAILED", "No updates are to be performed.", Status.EMPTY),
        ("FAILED", "Parameter validation failed", Status.FAILED),
        ("FAILED", "", Status.FAILED),
    ],
)
def test_the_status_of_a_change_set(status: str, reason: str, expected: Status) -> None:
    answer: Any = {"Status": status, "StatusReason": reason}
    assert change.status(answer) is expected


def answer(action: str, id: str = "Cluster", replacement: str = "") -> Json:
    found = {"Action": action, "LogicalResourceId": id, "ResourceType": "AWS::X::Y"}
    return {"ResourceChange": found | ({"Replacement": replacement} if replacement else {})}


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (answer("Add"), "add"),
        (answer("Modify", replacement="False"), "change"),
        (answer("Modify"), "change"),
        (answer("Modify", replacement="True"), "replace"),
        (answer("Modify", replacement="Conditional"), "change or replace"),
        (answer("Remove"), "remove"),
        (answer("Import"), "take over"),
        (answer("Dynamic"), "Dynamic"),
    ],
)
def test_each_kind_of_change_has_its_word(found: Any, word: str) -> None:
    assert change.changes([found]) == [Change(word, "Cluster", "AWS::X::Y")]
    assert change.summary(change.changes([found])) == f"1 to {word}"


def test_a_summary_counts_them() -> None:
    found: Any = [answer("Remove"), answer("Add"), answer("Add")]
    assert change.summary(change.changes(found)) == "2 to add, 1 to remove"
    assert change.summary([]) == "nothing to change"


# --- in the simulated AWS ---


def test_a_name_that_is_taken_is_reported_before_anything_is_created(new: Checkout) -> None:
    role = new.settings.names.task_role
    new.aws.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    run = new.administer("provision").expect(2, "change-set-failed")
    assert f"TaskRole: Resource of type 'AWS::IAM::Role' with identifier '{role}'" in run.err
    assert "choose another name in infra/settings.toml" in run.err
    expect_nothing_left(new, run)


def test_a_change_set_that_fails_leaves_nothing_behind(new: Checkout) -> None:
    """Not even the empty stack that CloudFormation creates for it."""
    new.aws.faults.refuse("cloudformation:DescribeChangeSet", THROTTLED, times=99)
    run = new.administer("provision", AWS_MAX_ATTEMPTS="1").expect(2, "aws-refused")
    assert "(2 of 3)" in run.err
    expect_nothing_left(new, run)


def expect_nothing_left(checkout: Checkout, run: Run) -> None:
    assert stacks(checkout) == []
    assert change_sets(checkout) == 0
    assert run.changes == [CREATES, "cloudformation:DeleteStack"]


def test_each_run_has_a_change_set_of_its_own(existing: Checkout) -> None:
    """Two runs in the same second, for example of two administrators."""
    names = set()
    for _ in range(2):
        run = existing.administer("provision", "--plan").expect(0)
        names.add(run.request(CREATES)["ChangeSetName"].rpartition("-")[2])
    assert len(names) == 2, "the time in the name is not enough"


def test_a_refused_change_set_changes_nothing(existing: Checkout) -> None:
    existing.aws.faults.refuse(CREATES, "ValidationError", "AssignPublicIp must be")
    run = existing.administer("provision").expect(2, "aws-refused").expect_no_change()
    assert "AssignPublicIp must be" in run.err


def test_a_lost_response_to_create_change_set_leaves_the_outcome_unknown(
    existing: Checkout,
) -> None:
    existing.aws.faults.lose_answer(CREATES, times=9)
    run = existing.administer("provision").expect(3, "change-unknown")
    assert "may be left in the stack ai-assistant. It changes nothing" in run.err
    existing.aws.faults.clear()
    existing.administer("provision").expect(0)


def test_a_change_set_that_is_never_ready_leaves_the_outcome_unknown(
    existing: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(existing.aws.cloudformation, "work_on", lambda _: None)
    existing.set("deploy.timeout_seconds", 60)
    run = existing.administer("provision").expect(3, "change-set-timeout")
    assert "30 s: waiting for the change set" in run.out
    assert "may be left in the stack ai-assistant" in run.err
    assert run.changes == [CREATES]


def test_a_refusal_between_change_set_and_execution_leaves_no_change_set(
    new: Checkout,
) -> None:
    for operation in ("iam:CreateOpenIDConnectProvider", "iam:CreateServiceLinkedRole"):
        new.aws.faults.refuse(operation, "AccessDenied", "not allowed")
        code = 2 if "OpenID" in operation else 1  # the provider exists by then
        run = new.administer("provision").expect(code, "aws-denied")
        assert "sign in as an administrator" in run.err
        assert stacks(new) == []
        assert EXECUTES not in run.operations


def test_a_refused_execution_leaves_no_change_set(existing: Checkout) -> None:
    existing.set("permissions.tracing", "xray")
    existing.aws.faults.refuse(EXECUTES, "AccessDenied", "not allowed")
    existing.administer("provision").expect(1, "aws-denied")
    assert change_sets(existing) == 0
    assert stacks(existing) == ["CREATE_COMPLETE"]


def test_a_lost_response_to_the_execution_leaves_the_outcome_unknown(existing: Checkout) -> None:
    existing.set("permissions.tracing", "xray")
    existing.aws.faults.lose_answer(EXECUTES, times=9)
    run = existing.administer("provision").expect(3, "change-unknown")
    assert "CloudFormation continues to change the stack ai-assistant." in run.err
    assert "cloudformation:DeleteChangeSet" not in run.operations


@pytest.mark.parametrize("operation", [CREATES, EXECUTES])
def test_a_request_that_botocore_repeats_is_recognised_by_its_token(
    existing: Checkout, operation: str
) -> None:
    existing.set("permissions.tracing", "xray")
    existing.aws.faults.lose_answer(operation)
    run = existing.administer("provision").expect(0)
    assert run.operations.count(operation) == 2
    assert change_sets(existing) == 1, "the one that was executed"


def test_a_plan_does_not_delete_a_stack_that_was_created_meanwhile(new: Checkout) -> None:
    def another_person_creates_it() -> None:
        [found] = new.aws.cloudformation.stacks.values()
        found.status = "CREATE_COMPLETE"

    new.aws.moments.when("cloudformation:DescribeChangeSet", another_person_creates_it)
    run = new.administer("provision", "--plan").expect(0)
    assert run.changes == [CREATES, "cloudformation:DeleteChangeSet"]
    assert stacks(new) == ["CREATE_COMPLETE"]


def test_a_plan_that_cannot_clean_up_says_what_is_left(new: Checkout) -> None:
    new.aws.faults.refuse("cloudformation:DeleteStack", "AccessDenied", "not allowed")
    run = new.administer("provision", "--plan").expect(0)
    assert "is left in the stack ai-assistant" in run.err


def test_a_change_of_outputs_alone_is_executed(existing: Checkout) -> None:
    existing.write(
        "infra/stack.yml",
        (existing.folder / "infra" / "stack.yml").read_text(encoding="utf-8")
        + "  Another:\n    Value: one\n",
    )
    run = existing.administer("provision").expect(0)
    assert "nothing to change" in run.out
    assert EXECUTES in run.operations
