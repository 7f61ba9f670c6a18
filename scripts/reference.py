"""Write the pages of docs/reference/ that follow from the sources, or name those that are old.

make reference
"""

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import copier
import yaml

from scripts import ownership, questions
from scripts.aws_pages import alarms_page, costs_page, permissions_page
from scripts.settings_page import settings_page
from scripts.tool_pages import commands_page, errors_page

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "template" / "README.md.jinja"

# By the name of the file in docs/reference/. Each is made of a render of the example.
PAGES: Mapping[str, Callable[[Path], str]] = {
    "alarms.md": alarms_page,
    "commands.md": commands_page,
    "costs.md": costs_page,
    "errors.md": errors_page,
    "files.md": ownership.page,
    "permissions.md": permissions_page,
    "settings.md": settings_page,
}


def rendered(service: Path) -> dict[Path, str]:
    """Every file that this script writes, with its text; `service` is a render of the example."""
    pages = {ROOT / "docs" / "reference" / name: page(service) for name, page in PAGES.items()}
    return pages | {README: ownership.readme(README.read_text(encoding="utf-8"))}


def old(texts: Mapping[Path, str]) -> list[Path]:
    """The files whose text is another one."""
    return [
        path
        for path, text in texts.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        answers = yaml.safe_load((ROOT / "example-answers.yml").read_text(encoding="utf-8"))
        template = questions.copy_of_the_template(Path(name) / "template")
        service = Path(name) / "service"
        copier.run_copy(str(template), service, data=answers, defaults=True, quiet=True)
        texts = rendered(service) | {questions.PAGE: questions.page(template)}
    found = old(texts)
    names = ", ".join(path.relative_to(ROOT).as_posix() for path in found) or "nothing"
    if "--write" in sys.argv[1:]:
        for path in found:
            path.write_text(texts[path], encoding="utf-8")
        print(f"Wrote {names}.")
    elif found:
        sys.exit(f"Not up to date: {names}. Run: make reference")


if __name__ == "__main__":
    main()
