"""Resources that an account has once for all its services are created only if missing."""

import math

import pytest

from tests.support.checkout import SUBJECT, Checkout, Run
from tests.support.stack_by_calls import SERVICE_LINKED_ROLES

URL = "https://token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
CREATE_PROVIDER = "iam:CreateOpenIDConnectProvider"
ADD_AUDIENCE = "iam:AddClientIDToOpenIDConnectProvider"
CREATE_ROLE = "iam:CreateServiceLinkedRole"


def provision(checkout: Checkout, *options: str) -> Run:
    checkout.set("github.subject", SUBJECT)
    return checkout.run("provision", *options, principal="root")


def create_provider(checkout: Checkout, *audiences: str) -> None:
    checkout.aws.client("iam").create_open_id_connect_provider(
        Url=URL, ClientIDList=list(audiences)
    )


def create_roles(checkout: Checkout) -> None:
    for service in SERVICE_LINKED_ROLES:
        checkout.aws.client("iam").create_service_linked_role(AWSServiceName=service)


def audiences(checkout: Checkout) -> list[list[str]]:
    """Of each identity provider."""
    iam = checkout.aws.client("iam")
    return [
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=each["Arn"])["ClientIDList"]
        for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    ]


def service_roles(checkout: Checkout) -> int:
    roles = checkout.aws.client("iam").list_roles()["Roles"]
    return len([role for role in roles if role["RoleName"].startswith("AWSServiceRoleFor")])


def stacks(checkout: Checkout) -> list[str]:
    found = checkout.aws.client("cloudformation").describe_stacks()["Stacks"]
    return [stack["StackStatus"] for stack in found]


def test_a_new_account_gets_roles_and_provider_after_the_change_set_is_valid(
    rendered: Checkout,
) -> None:
    changes = provision(rendered).expect(0).changes
    assert audiences(rendered) == [[AUDIENCE]]
    assert service_roles(rendered) == 3
    created = [changes.index(name) for name in (CREATE_PROVIDER, CREATE_ROLE)]
    assert changes.index("cloudformation:CreateChangeSet") < min(created)
    assert max(created) < changes.index("cloudformation:ExecuteChangeSet")


def test_a_plan_names_missing_roles_and_creates_none(rendered: Checkout) -> None:
    run = provision(rendered, "--plan").expect(0)
    assert "to create: token.actions.githubusercontent.com" in run.out
    assert run.out.count("to create, for AWS itself: AWSServiceRoleFor") == 3
    assert (audiences(rendered), service_roles(rendered)) == ([], 0)


def test_existing_roles_and_providers_are_used(rendered: Checkout) -> None:
    create_provider(rendered, AUDIENCE)
    create_roles(rendered)
    run = provision(rendered).expect(0)
    asked = set(run.operations)
    assert not {CREATE_PROVIDER, CREATE_ROLE, ADD_AUDIENCE} & asked


def test_a_provider_without_the_audience_of_aws_gets_it_and_keeps_its_own(
    rendered: Checkout,
) -> None:
    create_provider(rendered, "another")
    plan = provision(rendered, "--plan").expect(0)
    assert "to add: the audience sts.amazonaws.com" in plan.out
    assert audiences(rendered) == [["another"]]
    provision(rendered).expect(0)
    assert audiences(rendered) == [["another", AUDIENCE]]


def test_a_role_that_another_run_creates_meanwhile_is_not_an_error(rendered: Checkout) -> None:
    moments, read = rendered.aws.moments, "iam:GetOpenIDConnectProvider"  # the last of the reads
    moments.when(read, lambda: create_provider(rendered, AUDIENCE))
    moments.when(read, lambda: create_roles(rendered))
    run = provision(rendered).expect(0)
    errors = {call.name: call.error for call in run.calls if call.error}
    assert errors[CREATE_PROVIDER] == "EntityAlreadyExists"
    assert errors[CREATE_ROLE] == "InvalidInput"
    assert (audiences(rendered), service_roles(rendered)) == ([[AUDIENCE]], 3)


@pytest.mark.parametrize("operation", [CREATE_PROVIDER, CREATE_ROLE])
@pytest.mark.parametrize("code", ["AccessDenied", "InvalidInput"])
def test_a_refusal_leaves_neither_change_set_nor_stack(
    rendered: Checkout, operation: str, code: str
) -> None:
    rendered.aws.faults.refuse(operation, code)
    run = provision(rendered)
    assert run.exit_code in (1, 2)
    assert operation in run.err
    assert stacks(rendered) == []
    provision(rendered).expect(0)


def test_a_role_that_iam_does_not_show_at_once_is_awaited(rendered: Checkout) -> None:
    rendered.aws.faults.refuse("iam:GetRole", "NoSuchEntity", times=14)  # 4 reads, 10 looks
    before = rendered.aws.clock.now()
    provision(rendered).expect(0)
    assert (rendered.aws.clock.now() - before).total_seconds() >= 10 * 5


def test_a_role_that_iam_never_shows_ends_provision_before_the_stack(rendered: Checkout) -> None:
    rendered.aws.faults.refuse("iam:GetRole", "NoSuchEntity", times=math.inf)
    run = provision(rendered).expect(1, "role-not-shown")
    assert run.operations.count("iam:GetRole") == 4 + 12
    assert stacks(rendered) == []
    rendered.aws.faults.clear()
    provision(rendered).expect(0)


def test_a_role_that_cannot_be_looked_up_is_not_reported_as_missing(rendered: Checkout) -> None:
    rendered.aws.faults.refuse("iam:GetRole", "AccessDenied")
    provision(rendered).expect(2, "aws-denied").expect_no_change()
