"""Settings of a service as an owner edits them, by names such as "tasks.min"."""

import json
import re
from pathlib import Path

from infra.tool.settings import Settings

Value = str | int | bool | list[str] | dict[str, str]


def change(service: Path, name: str, value: Value) -> None:
    """Write a value into infra/settings.toml, on the line of its key or in a new one; a table
    without a section, such as "tags", as the whole section."""
    file = service / "infra" / "settings.toml"
    section, _, key = name.rpartition(".")
    section = section or name
    text = file.read_text(encoding="utf-8")
    head, header, rest = text.partition(f"\n[{section}]\n")
    assert header, f"infra/settings.toml has no section [{section}]"
    line = f"{key} = {in_toml(value)}\n"
    own, next_section, others = re.split(r"(^\[|\Z)", rest, maxsplit=1, flags=re.MULTILINE)
    if section == name:
        assert isinstance(value, dict), f"[{name}] is a section"
        own = "".join(f"{json.dumps(key)} = {in_toml(each)}\n" for key, each in value.items())
        file.write_text(head + header + own + next_section + others, encoding="utf-8")
        return
    own, found = re.subn(rf"^{key} = .*\n", lambda _: line, own, count=1, flags=re.MULTILINE)
    own = own if found else line + own
    file.write_text(head + header + own + next_section + others, encoding="utf-8")


def in_toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {in_toml(each)}" for key, each in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def sections(settings: Settings) -> dict[str, object]:
    """The sections by name, to format a text such as "{names.cluster}" with."""
    return dict(settings)


def value_of(settings: Settings, name: str) -> Value:
    """The value of a setting."""
    found: Value | Settings = settings
    for part in name.split("."):
        found = getattr(found, part)
    assert not isinstance(found, Settings)
    return found
