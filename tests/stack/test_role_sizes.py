"""The sizes that the tool expects of the policies in infra/stack.yml are their sizes."""

import json

import pytest
from infra.tool.provision import role_sizes

from simulator.cloudformation.template import Stack
from tests.stack.rendered_service import RenderedService
from tests.stack.switches import SWITCHES

ISSUER = "token.actions.githubusercontent.com"
SLACK = 60  # characters: lengths of regions and partitions differ
MANY = {
    name: {
        parameter: ",".join(f"arn:aws:x:::{number:040}" for number in range(40))
        for parameter in given
        if parameter.endswith("Arns")
    }
    for name, given in SWITCHES.items()
}


def size(document: object) -> int:
    return len("".join(json.dumps(document, separators=(",", ":")).split()))


def inline(stack: Stack, role: str) -> int:
    name = stack.resources[role].properties["RoleName"]
    found = (policy.properties for policy in stack.of_type("AWS::IAM::RolePolicy"))
    return sum(size(each["PolicyDocument"]) for each in found if each["RoleName"] == name)


@pytest.mark.parametrize("switches", [SWITCHES, MANY], ids=["few", "many"])
@pytest.mark.parametrize("name", ["nothing", *SWITCHES])
def test_the_sizes_of_the_roles_are_as_expected(
    service: RenderedService, name: str, switches: dict[str, dict[str, str]]
) -> None:
    given = switches.get(name, {})
    stack = service.stack(**given)
    parameters = dict.fromkeys(service.template["Parameters"], "") | dict(stack.given)
    for role, expected in (
        ("ExecutionRole", role_sizes.execution_role(parameters)),
        ("TaskRole", role_sizes.task_role(parameters)),
    ):
        actual = inline(stack, role)
        assert actual <= expected <= actual + SLACK, f"{role}: correct {role_sizes.__name__}"


def test_the_size_of_the_trust_is_as_expected(service: RenderedService) -> None:
    stack = service.stack()
    trust = stack.resources["DeployRole"].properties["AssumeRolePolicyDocument"]
    subject = str(stack.given["GitHubSubject"])
    expected = role_sizes.TRUST + len(subject) + 3 * len(ISSUER)
    actual = size(trust)
    assert actual <= expected <= actual + SLACK, f"correct {role_sizes.__name__}"
