"""The template as a whole: references, parameters, and resources that are kept."""

import re
import tomllib

from simulator.cloudformation.template_text import references
from tests.stack.invariants.invariant import invariant
from tests.stack.rendered_service import RenderedService
from tests.stack.switches import (
    OF_THE_DOCUMENT,
    SETTING,
    SETTING_OF_ADDRESSES,
    SETTING_OF_ARNS,
    SETTING_OF_SWITCHES,
)
from tests.support.settings import value_of


@invariant
def every_reference_has_a_target_and_none_is_circular(service: RenderedService) -> None:
    for stack in service.stacks:
        assert stack.resources
        assert stack.outputs
        assert stack.broken_rules == []
    there = {"AWS::AccountId", "AWS::NoValue", "AWS::Partition", "AWS::Region"}
    for section in "Parameters", "Conditions", "Resources":
        there |= service.template[section].keys()
    # Variables that a !Sub defines itself.
    own = {"Scheme", "Host", "Objects", "Line", "Balancer", "Targets", "Service", "Deployments"}
    assert set(references(service.template)) <= there | own


@invariant
def every_parameter_and_condition_is_used(service: RenderedService) -> None:
    used = set(references(service.template))
    for section in "Parameters", "Conditions":
        unused = service.template[section].keys() - used
        assert not unused, f"infra/stack.yml: delete {sorted(unused)}, or use them"


@invariant
def every_parameter_has_a_source(service: RenderedService) -> None:
    fed = SETTING.keys() | SETTING_OF_ARNS.keys() | SETTING_OF_ADDRESSES.keys() | OF_THE_DOCUMENT
    fed |= SETTING_OF_SWITCHES.keys()
    assert service.template["Parameters"].keys() == fed, (
        "tests/stack/rendered_service.py says what feeds it"
    )
    written = tomllib.loads(service.render.text("infra/settings.toml"))
    settings = *SETTING.values(), *SETTING_OF_ARNS.values(), *SETTING_OF_ADDRESSES.values()
    for setting in {*settings, *SETTING_OF_SWITCHES.values()}:
        section, _, key = setting.partition(".")
        assert section == "names" or key in written[section], (
            f"infra/settings.toml: add {key} to [{section}]"
        )


@invariant
def only_parameters_that_may_be_empty_have_a_default(service: RenderedService) -> None:
    """A default would repeat a value of infra/settings.toml."""
    parameters = service.template["Parameters"]
    defaults = {name: rule["Default"] for name, rule in parameters.items() if "Default" in rule}
    assert set(defaults.values()) == {""}, "write the value into infra/settings.toml"
    empty = {name for name, setting in SETTING.items() if not value_of(service.settings, setting)}
    found_out = {"GitHubSubject", "VpcId", "SubnetIds"}
    lists = SETTING_OF_ARNS.keys() | OF_THE_DOCUMENT | {"AllowedIpv4Cidrs", "AllowedIpv6Cidrs"}
    assert defaults.keys() == (empty - found_out) | lists | SETTING_OF_SWITCHES.keys()


@invariant
def nothing_of_the_service_is_in_the_stack(service: RenderedService) -> None:
    """A deploy creates and moves the service: a stack update must not be able to."""
    for resource in service.template["Resources"].values():
        assert not re.match(
            r"AWS::(ECS::(?!Cluster$)|ApplicationAutoScaling::|CodeDeploy::)", resource["Type"]
        ), f"{resource['Type']} is created by a deploy, not by the stack"


@invariant
def the_template_is_small_enough_to_be_sent_inline(service: RenderedService) -> None:
    size = len(service.render.text("infra/stack.yml").encode())
    assert size <= 51_200, f"infra/stack.yml has {size} bytes; more would need a bucket"


@invariant
def only_images_and_logs_are_kept(service: RenderedService) -> None:
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    for name, body in service.template["Resources"].items():
        policies = {key: value for key, value in body.items() if key.endswith("Policy")}
        holds_data = body["Type"] in {"AWS::ECR::Repository", "AWS::Logs::LogGroup"}
        assert policies == (kept if holds_data else {}), f"{name}: {policies}"
