"""docs/reference/settings.md: every key of infra/settings.toml."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from infra.tool import settings_file
from infra.tool.settings import Settings
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from scripts.markdown_text import code, plain, table

SETTINGS = """# Settings

Made by `scripts/reference.py` from the models in `infra/tool/settings.py` and the comments of
`infra/settings.toml`, as the answers of the example render it. A key that is absent has its
default. An unknown key is an error that names the nearest known one, and all errors are reported at
once.

The last column says what makes a change take effect on an existing stack: `provision`, the next
deploy (the next push), or at once, with the next command; or that the value cannot change, and the
error that says so. Commit the file before you deploy.
"""
PROVISION, DEPLOY, NEXT = "by `provision`", "by a deploy", "at once"
BOTH = "by `provision`, then a deploy"
NAMES = "no: [stack-renamed](errors.md#stack-renamed)"
FIXED = "no: [setting-fixed](errors.md#setting-fixed)"
ROLES = "only after the role was deleted by hand: [roles-deleted](errors.md#roles-deleted)"
# How a change takes effect, by section and key; "*" is every other key of the section.
CHANGES = {
    "service": {"*": "no: it is another service"},
    "names": {
        "*": NAMES,
        "stack": "no",
        "family": "no",
        "container": "no",
        "execution_role": ROLES,
        "task_role": ROLES,
        "deploy_role": ROLES,
    },
    "tasks": {"*": DEPLOY, "subnets": BOTH, "public_ip": BOTH},
    "deploy": {"*": NEXT},
    "github": {"*": PROVISION},
    "network": {
        "*": PROVISION,
        "vpc": "no: [network-moved](errors.md#network-moved)",
        "internal": "no: [network-scheme](errors.md#network-scheme)",
    },
    "https": {
        "*": PROVISION,
        "hosted_zone": "by `provision`; removed only with its domain: "
        "[record-in-use](errors.md#record-in-use)",
    },
    "logs": {"*": PROVISION},
    "alarms": {"*": PROVISION, "roll_back": DEPLOY},
    "observe": {"*": PROVISION},
    "permissions": {"*": PROVISION},
    "security": {"*": PROVISION, "role_path": FIXED, "repository_key": FIXED},
    "tags": {"*": BOTH},
}
TYPES: dict[object, str] = {
    str: "text",
    int: "number",
    bool: "true or false",
    list: "list of text",
    dict: "table of text",
}


def settings_page(service: Path) -> str:
    text = (service / settings_file.FILE).read_text(encoding="utf-8")
    sections = tomllib.loads(text)
    assert CHANGES.keys() == Settings.model_fields.keys(), "CHANGES: one entry for each section"
    comments = read_comments(text)
    parts = [SETTINGS]
    for section, field in Settings.model_fields.items():
        model, about = field.annotation, plain(comments.get((section, ""), ""))
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            facts = "A table of text with your own keys, by default empty. A later change: "
            parts.append(f"## [{section}]\n\n{about}\n\n{facts}{CHANGES[section]['*']}.\n")
            continue
        rows = [
            [
                code(key),
                value(section, key, each, sections, comments),
                CHANGES[section].get(key, CHANGES[section]["*"]),
            ]
            for key, each in model.model_fields.items()
        ]
        keys = table(["key", "value", "a later change"], rows)
        parts.append("\n\n".join(filter(None, [f"## [{section}]", about, f"{keys}\n"])))
    return "\n".join(parts)


def value(
    section: str, key: str, field: FieldInfo, sections: Any, comments: Mapping[tuple[str, str], str]
) -> str:
    """The comment of the file about a key, its type, its default, and an example."""
    told = plain(comments.get((section, key), ""))
    usual, other = default(field, section, key, sections), example(sections, section, key)
    shown = f"; for example {code(other)}" if code(other) not in usual + told else ""
    facts = f"{type_of(field.annotation)}; {usual}{shown}"
    return f"{told} ({facts})" if told else facts


def type_of(annotation: Any) -> str:
    """In words. `bool | None` is a bool that may be absent."""
    kinds = [get_origin(annotation), annotation, *get_args(annotation)]
    return next(TYPES[kind] for kind in kinds if kind in TYPES)


def default(field: FieldInfo, section: str, key: str, sections: Any) -> str:
    """In words."""
    if section == "names":
        name = getattr(Settings.model_validate(sections).names, key)
        return f"default {code(json.dumps(name))}"
    if field.is_required():
        return f"written by the render: {code(json.dumps(sections[section][key]))}"
    return (
        f"default {code(json.dumps(field.default))}"
        if field.default is not None
        else "default: absent"
    )


def example(sections: Any, section: str, key: str) -> str:
    """The example in the message for a wrong value."""
    wrong = sections | {section: sections.get(section, {}) | {key: "\n"}}
    context = settings_file.identity(sections["service"])
    try:
        Settings.model_validate(wrong, context=context)
    except ValidationError as error:
        [message] = [each["msg"] for each in error.errors() if each["loc"][:2] == (section, key)]
        return message.rpartition("for example ")[2]
    raise AssertionError(f"[{section}] {key} takes a line break")


def read_comments(text: str) -> dict[tuple[str, str], str]:
    """The comment above each key, or above each section by the key "". For a key right below
    another one, "Likewise."."""
    found: dict[tuple[str, str], str] = {}
    known = set(settings_file.known_settings())
    section, words = "", list[str]()
    for line in text.splitlines():
        given = re.match(r"(?:#   )?(\w+) = ", line)
        if named := re.fullmatch(r"\[([a-z]+)(?:\.([a-z_]+))?\]", line):
            section = named[1]
            found[section, named[2] or ""] = " ".join(words)
            words = []
        elif given and (section, given[1]) in known:
            found[section, given[1]] = " ".join(words)
            words = ["Likewise."] if words else []
        elif re.match("# [^ ]", line):
            words = [] if words == ["Likewise."] else words
            words.append(line.removeprefix("# "))
        elif not line:
            words = []
    return found
