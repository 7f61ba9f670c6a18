"""The base of the resource types: what a type does, and the calls of CloudFormation on it.

Sources: "Return values" and the update behaviour in CloudFormation's resource reference; cfn-lint's
schemas of the types say which properties replace a resource and which name it. A property without
an effect, or a type that is missing here, is an error.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

Json = dict[str, Any]
# The client of a service, with the credentials of the caller that creates the stack.
Aws = Callable[[str], Any]


class NotSimulated(NotImplementedError):
    """A feature of CloudFormation that the simulator lacks."""


class Failed(Exception):
    """The reason why a resource could not be created, changed or deleted."""


@dataclass
class Wanted:
    """The wanted and the present properties of a resource; each must be used."""

    properties: Mapping[str, Any]
    before: Mapping[str, Any] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    @property
    def changed(self) -> set[str]:
        """Names of the properties that differ. The defaults of properties are not known here."""
        names = self.properties.keys() | self.before.keys()
        return {name for name in names if self.properties.get(name) != self.before.get(name)}

    def take(self, *names: str) -> Json:
        """The wanted ones among these properties."""
        self.taken |= set(names)
        return {name: self.properties[name] for name in names if name in self.properties}

    def take_all(self) -> Json:
        return self.take(*(self.properties.keys() | self.before.keys()))

    def take_new(self, *names: str) -> Json:
        """The ones to change. A property cannot be removed by leaving it out."""
        new = {name for name in names if name in self.changed - self.taken}
        if gone := new - self.properties.keys():
            raise NotSimulated(f"the default of {', '.join(sorted(gone))}")
        return self.take(*new)

    def done(self, kind: str) -> None:
        if left := self.changed - self.taken:
            raise NotSimulated(f"{', '.join(sorted(left))} of {kind}")


def lower(value: Any) -> Any:
    """`ScanOnPush` in the spelling of most APIs: `scanOnPush`."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: lower(member) for key, member in value.items()}
    return [lower(item) for item in value] if isinstance(value, list) else value


class Kind:
    """A type of resource. Ref returns the id that `make` returns."""

    type: str
    gone: tuple[str, ...] = ()  # error codes for a missing one

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def make(self, name: str, wanted: Wanted) -> str:
        """Create it, under `name` if it has no other name. `adjust` sets the other properties."""
        raise NotImplementedError

    def adjust(self, id: str, wanted: Wanted) -> None:
        """Change the properties that differ and can be changed in place."""

    def waits_for(self, id: str) -> str:
        """The condition that a new resource still waits for, as an event names it; empty if it is
        ready. Raises Failed if it will not be."""
        del id
        return ""

    def attributes(self, id: str) -> Json:
        """The value of GetAtt."""
        del id
        return {}

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def look(self, id: str) -> bool:
        """Whether one with that name exists. Only for types with names."""
        raise NotImplementedError

    # --- for CloudFormation ---

    @property
    def schema(self) -> Json:
        return schema(self.type)

    @property
    def replacing(self) -> set[str]:
        """The properties that cannot be changed in place."""
        return {path.split("/")[2] for path in self.schema.get("createOnlyProperties", [])}

    @property
    def naming(self) -> list[str]:
        """The properties that name it; none if AWS chooses its id."""
        names = [path.split("/")[2] for path in self.schema["primaryIdentifier"]]
        made_up = {path.split("/")[2] for path in self.schema.get("readOnlyProperties", [])}
        return [] if set(names) & made_up else names

    def create(self, name: str, wanted: Wanted) -> str:
        with failing():
            if self.there(wanted.properties):
                raise Failed(handler(self.conflict(wanted.properties), "AlreadyExists"))
            id = self.make(name, wanted)
            self.adjust(id, wanted)
        wanted.done(self.type)
        return id

    def update(self, id: str, wanted: Wanted) -> None:
        with failing():
            self.adjust(id, wanted)
        wanted.done(self.type)

    def remove(self, id: str, properties: Mapping[str, Any]) -> None:
        """Delete it. A missing resource is not an error (the contract of delete handlers)."""
        with failing(self.gone):
            self.delete(id, properties)

    def there(self, properties: Mapping[str, Any]) -> str | None:
        """The id of one with the same name."""
        if not self.naming or any(key not in properties for key in self.naming):
            return None
        id = "|".join(properties[key] for key in self.naming)
        try:
            return id if self.look(id) else None
        except ClientError as error:
            if error.response["Error"]["Code"] in self.gone:
                return None
            raise

    def conflict(self, properties: Mapping[str, Any]) -> str:
        """Words: aws-cloudformation/rain#744."""
        id = "|".join(properties[key] for key in self.naming)
        return f"Resource of type '{self.type}' with identifier '{id}' already exists."


def handler(message: str, code: str) -> str:
    """The reason in an event of a resource."""
    return f'Resource handler returned message: "{message}" (HandlerErrorCode: {code})'


@contextmanager
def failing(gone: Sequence[str] = ()) -> Iterator[None]:
    """Turn a refusal of AWS into the reason of an event, except those with the given codes."""
    try:
        yield
    except ClientError as error:
        refusal = error.response["Error"]
        if refusal["Code"] not in gone:
            said = f"{refusal['Message']} (Error Code: {refusal['Code']})"
            is_denied = refusal["Code"].startswith("AccessDenied")
            code = "AccessDenied" if is_denied else "GeneralServiceException"
            raise Failed(handler(said, code)) from error
    except ParamValidationError as error:
        raise Failed(handler(" ".join(str(error).split()), "InvalidRequest")) from error


@cache
def schema(kind: str) -> Json:
    """A schema from cfn-lint's data, without the seconds that its import takes."""
    found = find_spec("cfnlint")
    assert found is not None
    assert found.origin is not None
    data = Path(found.origin).parent / "data" / "schemas"
    types = json.loads((data / "providers" / "us-east-1.json").read_text(encoding="utf-8"))
    name = types[kind]
    schema: Json = json.loads((data / "resources" / f"{name}.json").read_text(encoding="utf-8"))
    return schema
