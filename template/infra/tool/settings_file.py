"""The one place that reads infra/settings.toml, the settings of the service."""

import json
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from infra.tool.errors import Problem
from infra.tool.service_names import Service
from infra.tool.settings import Settings
from infra.tool.shapes import Identity, quoted

FILE = "infra/settings.toml"

MISSING = Problem(
    "settings-missing",
    f"{FILE} does not exist",
    f"restore it from git: git restore {FILE}",
    file=FILE,
)
BROKEN = Problem(
    "settings-broken",
    f"{FILE} is not TOML: {{why}}",
    'correct that line; a value is text in quotes, true, false, a number or a list such as ["a"]',
    file=FILE,
)
WRONG = Problem(
    "settings-wrong",
    f"{FILE}: {{complaints}}",
    f"correct each value; git log --patch {FILE} shows earlier ones",
    file=FILE,
)


def read(root: Path) -> Settings:
    """The settings of the service in a folder.

    Raises ToolError `settings-missing`, `settings-broken`, or `settings-wrong` with every
    complaint at once.
    """
    try:
        sections = tomllib.loads((root / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MISSING() from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BROKEN(why=error) from None
    try:
        return Settings.model_validate(sections, context=identity(sections.get("service", {})))
    except ValidationError as wrong:
        raise WRONG(complaints="; ".join(map(complaint, wrong.errors()))) from None


def identity(section: Any) -> Identity | None:
    """The identity that every ARN repeats; None if the section `service` itself is wrong."""
    with suppress(ValidationError):
        service = Service.model_validate(section)
        return Identity(service.partition, service.region, service.account)
    return None


def assignment(section: str, key: str, value: str) -> str:
    """A setting and a value for it, as messages show it."""
    return f"[{section}] {key} = {quoted(value)}"


def complaint(error: ErrorDetails) -> str:
    """One error of pydantic: the setting, its value, and what is expected instead."""
    section, *keys = (str(part) for part in error["loc"])
    name = f"[{section}] {keys[0]}" if keys else f"[{section}]"
    value = error["input"]
    match error["type"]:
        case "missing":
            return f"{name} is missing"
        case "extra_forbidden" if keys or isinstance(value, dict):
            return f"{name} is unknown: did you mean {nearest(section, *keys[:1])}?"
        case "extra_forbidden":
            return f"{section} is in no section: did you mean {nearest('', section)}?"
        case "model_type":
            return f"{section} is a section: write {name} on a line, and its keys below that"
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return f"{name} = {shown}: {error['msg'].removeprefix('Value error, ')}"


def nearest(section: str, key: str = "") -> str:
    """The setting, or without a key the section, that resembles an unknown one most."""
    if not key:
        return f"[{max(Settings.model_fields, key=lambda known: likeness(known, section))}]"
    of_section, of_key = max(
        known_settings(), key=lambda known: (likeness(known[1], key), known[0] == section)
    )
    return f"[{of_section}] {of_key}"


def likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def known_settings() -> Iterator[tuple[str, str]]:
    """Section and key of every setting, such as ("tasks", "min")."""
    for section, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((section, key) for key in field.annotation.model_fields)
