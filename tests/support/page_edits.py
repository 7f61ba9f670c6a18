"""The edits that a page of docs/ shows: a line "Change `FILE`:", then a diff without hunk headers
whose lines to keep and to remove are in the file once, one after the other."""

import re
from dataclasses import dataclass
from pathlib import Path

EDIT = re.compile(r"^Change `([^`]+)`:\n\n```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class PageEdit:
    page: str
    file: str
    old: str
    new: str

    def apply(self, service: Path) -> None:
        path = service / self.file
        text = path.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, (
            f"{self.page}: {self.file} has these lines {text.count(self.old)} times: {self.old}"
        )
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def edits(page: Path, heading: str) -> list[PageEdit]:
    """Those below a heading of the second level, in their order."""
    parts = re.split(r"^## (.+)\n", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    section = dict(zip(parts[1::2], parts[2::2], strict=True))[heading]
    found = [
        PageEdit(page.name, file, lines(diff, " -"), lines(diff, " +"))
        for file, diff in EDIT.findall(section)
    ]
    assert len(found) == section.count("```diff"), f"{page.name}: a diff has no line Change `FILE`:"
    return found


def lines(diff: str, signs: str) -> str:
    """The lines of a diff that begin with one of these signs, without it."""
    return "".join(line[1:] for line in diff.splitlines(keepends=True) if line[0] in signs)
