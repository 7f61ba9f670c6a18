"""The template is itself valid source: what is read in `template/` is what a render holds."""

import json
import os
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from jinja2 import meta

from tests.support.rendering import (
    EXAMPLE,
    ROOT,
    TEMPLATED,
    Render,
    asked,
    questions,
    render,
    rendered_name,
)

RESERVED_ON_WINDOWS = re.compile(
    r'[<>:"\\|?*\x00-\x1f]|[ .]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.I
)


@pytest.fixture(scope="module")
def sources(template: Path) -> dict[str, bytes]:
    return Render(template / "template", EXAMPLE).files()


def test_answers_are_in_five_files(sources: dict[str, bytes]) -> None:
    assert {name for name in sources if name.endswith(".jinja")} == TEMPLATED


def test_every_other_file_is_its_own_render(sources: dict[str, bytes], example: Render) -> None:
    rendered = example.files()
    plain = {name: content for name, content in sources.items() if name not in TEMPLATED}
    assert plain == {name: rendered[name] for name in plain if name in rendered}
    assert rendered.keys() == {rendered_name(name) for name in sources}


def test_a_render_keeps_what_is_executable(template: Path, example: Render) -> None:
    for name in example.files():
        source = template / "template" / name
        if source.exists():
            executable = os.access(source, os.X_OK)
            assert os.access(example.path / name, os.X_OK) == executable, name
            assert executable == (source.read_bytes().startswith(b"#!")), (
                f"{name}: a file with a #! line is executable, any other is not"
            )


def variables(source: bytes) -> set[str]:
    """The names that a Jinja source expects from the answers."""
    environment = jinja2.Environment()
    environment.filters["to_nice_yaml"] = str  # Copier's own; only its name matters here
    return meta.find_undeclared_variables(environment.parse(source.decode()))


@pytest.mark.parametrize("name", sorted(TEMPLATED))
def test_every_variable_is_a_question(sources: dict[str, bytes], name: str) -> None:
    assert variables(sources[name]) <= questions().keys() | {
        "_copier_answers",
        "_copier_conf",
    }


def test_every_question_changes_something(sources: dict[str, bytes]) -> None:
    used = set().union(*(variables(sources[name]) for name in TEMPLATED))
    assert set(asked()) <= used, "delete the question, or use it"


@pytest.mark.parametrize("name", sorted(n for n in TEMPLATED if n.endswith(".json.jinja")))
def test_a_templated_document_is_json_before_it_is_rendered(
    sources: dict[str, bytes], name: str
) -> None:
    text = sources[name].decode()
    json.loads(text)
    assert "{%" not in text, f"{name}: a document takes values, not branches"


def test_documents_are_written_one_item_per_line(template: Path) -> None:
    for path in sorted((template / "template").rglob("*.json*")):
        text = path.read_text()
        canonical = json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
        assert text == canonical, f"{path.name}: format it with `jq .`"


def test_the_template_needs_no_trust(template: Path) -> None:
    config = yaml.safe_load((template / "copier.yml").read_text())
    assert not config.keys() & {"_tasks", "_migrations", "_jinja_extensions", "_external_data"}


def test_names_are_legal_on_windows(sources: dict[str, bytes]) -> None:
    parts = {part for name in sources for part in name.split("/")}
    assert not {part for part in parts if RESERVED_ON_WINDOWS.search(part)}
    assert len({name.lower() for name in sources}) == len(sources)


def test_a_render_without_trust_is_the_one_that_pytest_copie_makes(
    template: Path, example: Render, tmp_path: Path
) -> None:
    """`example` is its own: it trusts the template, and takes answers as defaults."""
    assert render(template, tmp_path / "again", EXAMPLE).files() == example.files()


def test_no_seven_lines_occur_twice_in_a_file(example: Render) -> None:
    """Or `copier update` may carry an edit to the wrong one of the two."""
    for name, content in example.files().items():
        lines = content.decode().splitlines()
        windows = ["\n".join(lines[i : i + 7]) for i in range(len(lines) - 6)]
        twice = {w for w in windows if windows.count(w) > 1 and w.strip()}
        assert not twice, f"{name} repeats:\n{next(iter(twice))}"


# The settings of Copier itself in copier.yml, each with the reason.
COPIER: dict[str, tuple[object, str]] = {
    "_min_copier_version": ("9.19.0", "the first with every known fix of path traversal"),
    "_subdirectory": ("template", "the rest of this repository is no part of a service"),
    "_envops": ({"undefined": "jinja2.StrictUndefined"}, "a misspelt variable is an error"),
    "_exclude": (
        [
            f"{{% if _copier_operation == 'update' %}}{name}{{% endif %}}"
            for name in ("app/main.py", "tests/test_main.py")
        ],
        "these are made once and then the user's: an update leaves them alone",
    ),
}


def copier_yml() -> Any:
    return yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("key", COPIER)
def test_the_settings_of_copier_have_not_changed(key: str) -> None:
    found = copier_yml()[key]
    value, reason = COPIER[key]
    assert found == value, (
        f"copier.yml: {key} is {found!r} and was {value!r}: {reason}. If the change is meant, "
        "change COPIER in this test too"
    )


def test_the_closing_message_creates_the_infrastructure_before_it_pushes() -> None:
    message = copier_yml()["_message_after_copy"]
    commands = re.sub(r" +#.*", "", message).replace("\\\n    ", "")
    found = re.findall(r"^  (\S.*)$", commands, re.MULTILINE)
    assert found == [
        "cd '{{ _copier_conf.dst_path }}'",
        "git init --initial-branch main",
        "uv sync",
        "uv run pytest",
        'git add . && git commit --message "Start from the template"',
        "gh repo create {{ github_repository or app_name }} --private --source . --remote origin",
        "uv run --frozen -m infra provision",
        "git push --set-upstream origin main",
    ], "copier.yml: _message_after_copy: a person pastes these commands, in this order"
