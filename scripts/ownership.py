"""Which files of a service an update of the template changes: docs/reference/files.md, and the last
section of the service's README.

The owner of a file follows from copier.yml, its purpose is in scripts/reference.toml.
"""

import re
import textwrap
from pathlib import Path

import yaml

from scripts.markdown_text import TOLD, code, table

ROOT = Path(__file__).resolve().parents[1]
ANSWERS_FILE = ".copier-answers.yml"
MERGED, ONCE, COPIERS = "template", "you", "Copier"

PAGE = """# Files and their owners

Made by `scripts/reference.py` from the files of `template/` and from `copier.yml`.

- Owner template: an update merges the template's changes with your edits. You may edit every one of
  these files: keep the order and the layout, add at the end of a list or a file, and rename none
  (see [Room for both](../decisions/room-for-both.md)).
- Owner you: made by the first render; no update touches it. The same is true of `uv.lock`, which
  the first `uv sync` creates, and of every file that you add.
- Owner Copier: written by `copier copy` and `copier update`.

{table}
"""
HEADING = "## File ownership\n"
SECTION = """{heading}
{merged}
{once}
- Yours: `uv.lock`, and every file that you add.

Edit any of them. In the template's files keep the order and the layout, add at the end of a list or
a file, and rename none.
"""


def files() -> list[str]:
    """The files of a render by name."""
    template = ROOT / "template"
    found = (each.relative_to(template) for each in template.rglob("*") if each.is_file())
    names = {each.as_posix().removesuffix(".jinja") for each in found if not is_cache(each)}
    return sorted(ANSWERS_FILE if name.startswith("{{") else name for name in names)


def is_cache(path: Path) -> bool:
    return any(re.fullmatch(r"__pycache__|\..*_cache|\.venv|uv\.lock", part) for part in path.parts)


def owner(name: str) -> str:
    """By `_exclude` of copier.yml, which keeps an update from files that are made once."""
    excluded = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))["_exclude"]
    if name == ANSWERS_FILE:
        return COPIERS
    only_copied = any(f"'update' %}}{name}{{%" in pattern for pattern in excluded)
    return ONCE if only_copied else MERGED


def purpose(name: str) -> str:
    """The key of TOLD["purposes"] that a file belongs to."""
    found = [
        key
        for key in TOLD["purposes"]
        if key == name or (key.endswith("/") and name.startswith(key))
    ]
    assert len(found) == 1, (
        f"[purposes] in scripts/reference.toml: one entry for {name}, not {found}"
    )
    return found[0]


def page(_service: Path) -> str:
    keys = list(dict.fromkeys(purpose(name) for name in files()))
    assert keys == sorted(TOLD["purposes"]), (
        "[purposes] in scripts/reference.toml: delete what is gone"
    )
    rows = []
    for key in keys:
        [whose] = {owner(name) for name in files() if purpose(name) == key}
        rows.append([code(key), TOLD["purposes"][key], whose])
    return PAGE.format(table=table(["file", "purpose", "owner"], rows))


def whole_folders(names: list[str]) -> list[str]:
    """Names, with a folder for all that is in it if it has no other file."""
    others = [name for name in files() if name not in names]
    found = []
    for name in names:
        folder = f"{name.partition('/')[0]}/" if "/" in name else name
        found.append(name if any(each.startswith(folder) for each in others) else folder)
    return list(dict.fromkeys(found))


def item(text: str, names: list[str]) -> str:
    """An item of a list, wrapped as the README is."""
    listed = ", ".join(map(code, names))
    return textwrap.fill(
        f"- {text}: {listed}.", 120, subsequent_indent="  ", break_on_hyphens=False
    )


def readme(text: str) -> str:
    """The README of the template, with its last section made anew."""
    before, found, _ = text.partition(HEADING)
    assert found, f"template/README.md.jinja has no {HEADING!r}"
    merged = whole_folders([name for name in files() if owner(name) == MERGED])
    once = [name for name in files() if owner(name) == ONCE]
    return before + SECTION.format(
        heading=HEADING,
        merged=item("The template's; an update merges its changes with your edits", merged),
        once=item("Made once, then yours; an update leaves them alone", once),
    )
