"""A rendered service for the invariants: its files, and its stack with each setting turned on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from infra.tool.settings import Settings

from simulator.cloudformation.resource import Place
from simulator.cloudformation.template import Stack
from simulator.cloudformation.template_text import load, references
from tests.stack.switches import ALL, FOUND, SETTING, SWITCHES
from tests.support.rendering import Render
from tests.support.settings import Value, value_of


def as_parameter(value: Value) -> str:
    """A setting as a parameter of the stack."""
    if isinstance(value, bool):
        return "ENABLED" if value else "DISABLED"
    return ",".join(value) if isinstance(value, list) else str(value)


@dataclass(frozen=True)
class RenderedService:
    render: Render

    @cached_property
    def settings(self) -> Settings:
        return self.render.settings()

    @cached_property
    def template(self) -> dict[str, Any]:
        return load(self.render.text("infra/stack.yml"))

    @cached_property
    def task(self) -> Any:
        return self.render.json("infra/task-definition.json")

    @cached_property
    def container(self) -> Any:
        name = self.settings.names.container
        return next(c for c in self.task["containerDefinitions"] if c["name"] == name)

    @cached_property
    def port(self) -> int:
        [mapping] = self.container["portMappings"]
        return int(mapping["containerPort"])

    def gunicorn(self, name: str) -> int:
        """A number that gunicorn.conf.py sets. It is read, not run: it would import the app."""
        [number] = re.findall(rf"^{name} = (\d+)$", self.render.text("gunicorn.conf.py"), re.M)
        return int(number)

    @cached_property
    def place(self) -> Place:
        service = self.settings.service
        return Place(service.partition, service.region, service.account)

    def stack(self, **changed: str) -> Stack:
        """The stack of these settings, with some parameters changed."""
        given = {
            parameter: as_parameter(value_of(self.settings, setting)) or FOUND.get(setting, "")
            for parameter, setting in SETTING.items()
        }
        given["LoadBalancerScheme"] = self.settings.network.scheme
        return Stack(self.template, given | changed, self.place)

    def without_conditions(self, **changed: str) -> dict[str, Any]:
        """The stack as these parameters make it: conditions decided, references left."""
        stack = self.stack(**changed)

        def decided(value: Any) -> Any:
            if isinstance(value, list):
                return [item for item in map(decided, value) if item != {"Ref": "AWS::NoValue"}]
            if not isinstance(value, dict):
                return value
            if value.keys() == {"Fn::If"}:
                condition, then, otherwise = value["Fn::If"]
                return decided(then if stack.holds(condition) else otherwise)
            members = {key: decided(member) for key, member in value.items()}
            return {key: item for key, item in members.items() if item != {"Ref": "AWS::NoValue"}}

        made = {
            section: {
                name: {key: decided(item) for key, item in body.items() if key != "Condition"}
                for name, body in self.template[section].items()
                if stack.there(name)
            }
            for section in ("Resources", "Outputs")
        }
        used = set(references(made))
        parameters = {
            name: rule | {"Default": stack.given.get(name, "")}
            for name, rule in self.template["Parameters"].items()
            if name in used
        }
        parameters["LogRetentionDays"]["Default"] = stack.parameters["LogRetentionDays"]
        return {"AWSTemplateFormatVersion": "2010-09-09", "Parameters": parameters, **made}

    @cached_property
    def variants(self) -> dict[str, Stack]:
        """The stack with no switch on, with each switch alone, and with all of them."""
        alone = {name: self.stack(**switch) for name, switch in SWITCHES.items()}
        return {"nothing": self.stack(), **alone, "all": self.stack(**ALL)}

    @property
    def stacks(self) -> Iterator[Stack]:
        return iter(self.variants.values())

    def load_balancer(self, key: str) -> str:
        """An attribute of the load balancer or of its target group."""
        resources = self.stack().resources
        attributes = [
            *resources["LoadBalancer"].properties["LoadBalancerAttributes"],
            *resources["TargetGroup"].properties["TargetGroupAttributes"],
        ]
        found = [str(each["Value"]) for each in attributes if each["Key"] == key]
        assert len(found) == 1, f"infra/stack.yml sets {key} once"
        return found[0]


def grants(stack: Stack, role: str) -> dict[str, list[str]]:
    """The permissions of a role of the stack: the resources of each action, without conditions."""
    name = stack.resources[role].properties["RoleName"]
    allowed: dict[str, list[str]] = {}
    for policy in stack.of_type("AWS::IAM::RolePolicy"):
        if policy.properties["RoleName"] != name:
            continue
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            keys = statement.keys() - {"Condition"}
            assert keys == {"Sid", "Effect", "Action", "Resource"}, statement
            assert statement["Effect"] == "Allow"
            for action in as_list(statement["Action"]):
                assert action not in allowed or "*" not in allowed[action], f"{action}: twice"
                allowed.setdefault(action, []).extend(as_list(statement["Resource"]))
    return allowed


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def strings(value: Any) -> Iterator[str]:
    """Every string in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)


def arns(stack: Stack) -> set[str]:
    """Every ARN in the resources and outputs of a stack."""
    resources = [resource.properties for resource in stack.resources.values()]
    found = strings([*resources, stack.outputs])
    return {text for text in found if re.match(r"arn:", text)}


def has_certificate(stack: Stack) -> bool:
    """Whether the stack has a certificate of the account, or requests one."""
    return any(stack.parameters[name] for name in ("CertificateArn", "CertificateZoneId"))
