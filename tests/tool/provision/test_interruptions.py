"""After an interruption at any call, a second run of provision completes it."""

import pytest
from infra.tool.provision.roles import SERVICE_ROLES

from simulator.faults import THROTTLED
from tests.support.checkout import Checkout, Run
from tests.support.slow import numbers

# The calls of one run that AWS carries out. The first two tests fail if a command makes others.
NEW, UPDATE, PLAN = 28, 33, 10
# Of each run, one call of each phase: checks, change set, roles, execution, watch, documents.
QUICK_NEW = 0, 5, 8, 9, 16, 17, 24, 27
QUICK_UPDATE = 2, 18, 22, 23, 29, 31
QUICK_PLAN = 4, 5, 9
EXECUTES = "cloudformation:ExecuteChangeSet"
CREATES = "cloudformation:CreateChangeSet"


def change(checkout: Checkout) -> None:
    """Change a setting, so that provision updates the stack."""
    checkout.set("logs.retention_days", 7)
    checkout.set("permissions.tracing", "xray")


def expect_calls(run: Run, name: str, number: int) -> None:
    found = carried_out(run)
    assert len(found) == number, f"set {name} to {len(found)}: {found}"


def carried_out(run: Run) -> list[str]:
    return [call.name for call in run.calls if not call.error]


def test_the_numbers_of_calls_of_a_first_provision_and_its_plan_are_up_to_date(
    new: Checkout,
) -> None:
    expect_calls(new.administer("provision", "--plan").expect(0), "PLAN", PLAN)
    expect_calls(new.administer("provision").expect(0), "NEW", NEW)


def test_the_number_of_calls_of_an_update_is_up_to_date(existing: Checkout) -> None:
    change(existing)
    expect_calls(existing.administer("provision").expect(0), "UPDATE", UPDATE)


# --- at every call: AWS has carried it out, and the tool has no answer yet ---


@pytest.mark.parametrize("call", numbers(NEW, quick=QUICK_NEW))
def test_a_first_provision_that_is_stopped_completes_when_it_is_run_again(
    new: Checkout, call: int
) -> None:
    expect_truth(stop_at(new, call))
    expect_completed_by_another_run(new)


@pytest.mark.parametrize("call", numbers(UPDATE, quick=QUICK_UPDATE))
def test_an_update_that_is_stopped_completes_when_it_is_run_again(
    existing: Checkout, call: int
) -> None:
    change(existing)
    expect_truth(stop_at(existing, call))
    expect_completed_by_another_run(existing)


@pytest.mark.parametrize("call", numbers(PLAN, quick=QUICK_PLAN))
def test_a_plan_that_is_stopped_does_not_block_the_next_provision(new: Checkout, call: int) -> None:
    expect_truth(stop_at(new, call, "--plan"))
    expect_completed_by_another_run(new)


def stop_at(checkout: Checkout, call: int, *words: str) -> Run:
    checkout.aws.faults.interrupt(after=call, late=True)
    run = checkout.administer("provision", *words).expect(130)
    assert len(carried_out(run)) == call
    checkout.aws.faults.clear()
    return run


def expect_truth(run: Run) -> None:
    """The output must name what continues or is left in AWS, and be empty if nothing is."""
    asked = run.operations
    if EXECUTES in asked and set(asked[asked.index(EXECUTES) :]) <= {
        EXECUTES,
        "cloudformation:DescribeStackEvents",
    }:
        assert "CloudFormation continues to change the stack ai-assistant. To find out" in run.err
    elif CREATES in asked and EXECUTES not in asked:
        assert "may be left in the stack ai-assistant. It changes nothing" in run.err
    else:
        assert run.err.strip() == "", "nothing continues in AWS"


def expect_completed_by_another_run(checkout: Checkout) -> None:
    checkout.wait_for_stack()
    checkout.administer("provision").expect(0)
    assert checkout.stack_status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    iam, names, settings = checkout.aws.client("iam"), checkout.settings.names, checkout.settings
    assert len(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1
    roles = {role["RoleName"] for role in iam.list_roles()["Roles"]}
    assert {role.name for role in SERVICE_ROLES} <= roles
    policies = iam.list_role_policies(RoleName=names.deploy_role)["PolicyNames"]
    assert sorted(policies) == ["deploy", "deploy-limits"]
    traces = iam.list_role_policies(RoleName=names.task_role)["PolicyNames"]
    assert bool(traces) == bool(settings.permissions.tracing)
    [group] = checkout.aws.client("logs").describe_log_groups()["logGroups"]
    assert group["retentionInDays"] == settings.logs.retention_days


def test_throttling_that_lasts_leaves_the_outcome_unknown(new: Checkout) -> None:
    new.aws.faults.refuse("cloudformation:DescribeStackEvents", THROTTLED, times=99, after=2)
    run = new.administer("provision").expect(3, "stack-unanswered")
    run.expect_text("CloudFormation continues to change the stack ai-assistant.")
    new.aws.faults.clear()
    assert new.wait_for_stack() == "CREATE_COMPLETE"
    new.administer("provision").expect(0).expect_text("nothing to change")
