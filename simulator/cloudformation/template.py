"""A CloudFormation template, with the features that infra/stack.yml uses. Others are errors.

It computes the requests of a stack: parameters checked, conditions decided, references resolved. It
is our reading of CloudFormation's documentation; cfn-lint checks the template independently.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from simulator.cloudformation.invented_ids import IDENTITIES
from simulator.cloudformation.resource import Place, Resource
from simulator.cloudformation.template_text import BadTemplate

LONGEST_PARAMETER = 4096  # bytes of a value ("Understand CloudFormation quotas")

NO_VALUE = object()

# The values of Ref (as an attribute) and GetAtt of a resource.
Identify = Callable[["Stack", str, str], Any]


def invented(stack: "Stack", name: str, attribute: str) -> Any:
    """Where nothing is made."""
    body = stack.template["Resources"][name]
    identity = IDENTITIES.get((body["Type"], attribute))
    if identity is None:
        raise BadTemplate(f"unknown attribute {name}.{attribute}")
    # Only the names in it are asked for: two security groups may refer to each other.
    names = {key: value for key, value in body["Properties"].items() if "Name" in key}
    return identity(Resource(name, body["Type"], stack.value(names)), stack.place)


@dataclass(frozen=True)
class Stack:
    """A template with the values of its parameters, in an account."""

    template: Mapping[str, Any]
    given: Mapping[str, str]
    place: Place
    identify: Identify = invented

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The values of Ref. Raises BadTemplate if CloudFormation would refuse a parameter."""
        declared = self.template["Parameters"]
        if unknown := sorted(self.given.keys() - declared.keys()):
            names = ", ".join(unknown)
            raise BadTemplate(f"Parameters: [{names}] do not exist in the template")
        asked = {name for name, rule in declared.items() if "Default" not in rule}
        if missing := sorted(asked - self.given.keys()):
            raise BadTemplate(f"Parameters: [{', '.join(missing)}] must have values")
        return {name: self._parameter(name, **rule) for name, rule in declared.items()}

    def _parameter(
        self,
        name: str,
        *,
        Type: str,
        Default: str | None = None,
        AllowedValues: list[Any] | None = None,
        AllowedPattern: str | None = None,
        ConstraintDescription: str = "",
        Description: str = "",
    ) -> Any:
        del Description
        text = self.given.get(name, Default)
        assert text is not None
        if len(str(text).encode()) > LONGEST_PARAMETER:
            # No thread quotes the refusal of a given value. That of a default ends so.
            raise BadTemplate(f"Parameter '{name}' value length is greater than 4096.")
        allowed = AllowedValues is None or text in map(str, AllowedValues)
        fits = AllowedPattern is None or re.fullmatch(AllowedPattern, text)
        if not (allowed and fits):
            # The text is from aws-ia/taskcat#627.
            reason = f"Parameter {name} failed to satisfy constraint: {ConstraintDescription}"
            raise BadTemplate(reason)
        if Type == "String":
            return text
        if Type == "Number":
            return int(text)
        if Type == "CommaDelimitedList":
            return text.split(",") if text else []
        if not text:
            raise BadTemplate(f"{name}: {Type} is not empty")
        return text.split(",") if Type.startswith("List<") else text

    @cached_property
    def broken_rules(self) -> list[str]:
        """The messages of the template's assertions that the parameters break."""
        return [
            assertion["AssertDescription"]
            for rule in self.template.get("Rules", {}).values()
            if self.value(rule["RuleCondition"])
            for assertion in rule["Assertions"]
            if not self.value(assertion["Assert"])
        ]

    @cached_property
    def _decided(self) -> dict[str, bool]:
        return {}

    def holds(self, condition: str) -> bool:
        """One condition may refer to another."""
        if condition not in self.template["Conditions"]:
            raise BadTemplate(f"there is no condition {condition}")
        if condition not in self._decided:
            value = self.template["Conditions"][condition]
            self._decided[condition] = bool(self.value(value))
        return self._decided[condition]

    def there(self, name: str) -> bool:
        """Whether these parameters make the resource or output of that name."""
        section = "Resources" if name in self.template["Resources"] else "Outputs"
        condition = self.template[section][name].get("Condition")
        return condition is None or self.holds(condition)

    @cached_property
    def resources(self) -> dict[str, Resource]:
        return {name: self.resource(name) for name in self.order}

    def resource(self, name: str) -> Resource:
        if name not in self.template["Resources"] or not self.there(name):
            raise BadTemplate(f"there is no resource {name}")
        body = dict(self.template["Resources"][name])
        kind, properties = body.pop("Type"), body.pop("Properties")
        if "Metadata" in body:
            body["Metadata"] = self.value(body["Metadata"])
        return Resource(name, kind, self.value(properties), body)

    @cached_property
    def needs(self) -> dict[str, set[str]]:
        """The names of the resources, each with those that must exist before it."""
        needs: dict[str, set[str]] = {}
        before = replace(self, identify=invented)  # the order does not depend on ids
        for name, body in self.template["Resources"].items():
            if self.there(name):
                needs[name] = set()
                before._value(body.get("Properties"), needs[name])
                before._value(body.get("Metadata"), needs[name])
        return needs

    @cached_property
    def order(self) -> list[str]:
        """The names of the resources, each after those that it needs."""
        try:
            return list(TopologicalSorter(self.needs).static_order())
        except CycleError as error:
            raise BadTemplate(f"they wait for each other: {error.args[1]}") from error

    @cached_property
    def outputs(self) -> dict[str, Any]:
        return {
            name: self.value(output["Value"])
            for name, output in self.template["Outputs"].items()
            if self.there(name)
        }

    def of_type(self, kind: str) -> Iterator[Resource]:
        return (resource for resource in self.resources.values() if resource.type == kind)

    def value(self, value: Any) -> Any:
        """Any part of the template with its functions carried out."""
        return self._value(value, set())

    def _value(self, value: Any, needs: set[str]) -> Any:
        """The value with its functions carried out; `needs` gets the resources it refers to."""
        if isinstance(value, list):
            items = [self._value(item, needs) for item in value]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(key, argument)] = value.items()
            if key in {"Ref", "Condition"} or key.startswith("Fn::"):
                return self._function(key, argument, needs)
        members = {key: self._value(member, needs) for key, member in value.items()}
        return {key: member for key, member in members.items() if member is not NO_VALUE}

    def _function(self, key: str, argument: Any, needs: set[str]) -> Any:
        if key == "Ref":
            return self._reference(argument, needs)
        if key == "Fn::GetAtt":
            name, attribute = argument
            return self._attribute(name, attribute, needs)
        if key == "Condition":
            return self.holds(argument)
        if key == "Fn::Sub":
            return self._substitute(argument, needs)
        if key == "Fn::If":
            condition, then, otherwise = argument
            return self._value(then if self.holds(condition) else otherwise, needs)
        arguments = [self._value(item, needs) for item in argument]
        if key == "Fn::Select":
            return self._select(*arguments)
        if key == "Fn::And":
            return all(arguments)
        if key == "Fn::Or":
            return any(arguments)
        if key == "Fn::Join":
            return arguments[0].join(arguments[1])
        if key == "Fn::Split":
            return arguments[1].split(arguments[0])
        if key == "Fn::Equals":
            return str(arguments[0]) == str(arguments[1])
        if key == "Fn::Not":
            return not arguments[0]
        raise BadTemplate(f"unknown function {key}")

    def _select(self, index: str | int, items: list[Any]) -> Any:
        """F5Networks/f5-aws-cloudformation#80."""
        if int(index) >= len(items):
            raise BadTemplate(
                f"Template error: Fn::Select cannot select nonexistent value at index {index}"
            )
        return items[int(index)]

    def _reference(self, name: str, needs: set[str]) -> Any:
        pseudo = {
            "AWS::AccountId": self.place.account,
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": self.place.partition,
            "AWS::Region": self.place.region,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.template["Parameters"]:
            return self.parameters[name]
        return self._attribute(name, "Ref", needs)

    def _attribute(self, name: str, attribute: str, needs: set[str]) -> Any:
        needs.add(name)
        if name not in self.template["Resources"] or not self.there(name):
            raise BadTemplate(f"a reference to {name}, which is not there")
        return self.identify(self, name, attribute)

    def _substitute(self, argument: Any, needs: set[str]) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def replacement(match: re.Match[str]) -> str:
            name, dot, attribute = match[1].partition(".")
            if match[1] in own:
                return str(self._value(own[match[1]], needs))
            if dot:
                return str(self._attribute(name, attribute, needs))
            return str(self._reference(name, needs))

        return re.sub(r"\$\{([^}]*)\}", replacement, text)
