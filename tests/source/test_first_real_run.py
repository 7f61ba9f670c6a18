"""docs/reference/first-real-run.md says where each assumption is used, so that it can be found."""

import re
from pathlib import Path

from tests.support.rendering import ROOT, Render

PAGE = ROOT / "docs" / "reference" / "first-real-run.md"
POLICY = "ops/iam-policy-github-actions.json"


def test_the_files_that_rely_on_an_assumption_exist(example: Render) -> None:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|") or line.startswith(("| ---", "| assumption")):
            continue
        assumption, used_in, _ = line.strip("| ").split(" | ")
        words = re.findall(r"`([^`]+)`", used_in)
        files = [word for word in words if re.search(r"[./]|^Dockerfile$", word)]
        names = [word for word in words if word not in files]
        assert words, f"in which file is this used? {assumption}"
        texts = [text_of(file, example) for file in [*files, POLICY]]
        for name in names:
            assert any(name in text for text in texts), f"{name} is not in {files}: {assumption}"


def text_of(name: str, example: Render) -> str:
    """A file of a service, one of its workflows, or one of this repository."""
    for folder in (example.path, example.path / ".github" / "workflows", ROOT):
        path: Path = folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
        if path.is_dir() and name.endswith("/"):
            return ""
    raise AssertionError(f"{PAGE.name}: there is no {name}")
