"""The part of GitHub's `gh` that workflows use, on issues and releases in a file.

Usage: fake_gh.py FILE COMMAND...
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any


def arguments() -> argparse.Namespace:
    """Strict, as gh is: what it does not know is an error."""
    parser = argparse.ArgumentParser(exit_on_error=True, allow_abbrev=False)
    parser.add_argument("file", type=Path)
    things = parser.add_subparsers(dest="thing", required=True)

    label = things.add_parser("label").add_subparsers(dest="verb", required=True)
    create = label.add_parser("create")
    create.add_argument("name")
    create.add_argument("--force", action="store_true")
    create.add_argument("--description")

    issue = things.add_parser("issue").add_subparsers(dest="verb", required=True)
    listed = issue.add_parser("list")
    listed.add_argument("--state", choices=["open", "closed", "all"], default="open")
    listed.add_argument("--label")
    listed.add_argument("--json", required=True)
    made = issue.add_parser("create")
    for option in "--label", "--title", "--body":
        made.add_argument(option, required=True)
    edited = issue.add_parser("edit")
    edited.add_argument("number", type=int)
    edited.add_argument("--title")
    edited.add_argument("--body")
    closed = issue.add_parser("close")
    closed.add_argument("number", type=int)
    closed.add_argument("--comment")

    release = things.add_parser("release").add_subparsers(dest="verb", required=True)
    published = release.add_parser("create")
    published.add_argument("tag")
    published.add_argument("--target", required=True)
    published.add_argument("--title", required=True)
    published.add_argument("--notes-file", type=argparse.FileType(), required=True)
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    if not (os.environ.get("GH_TOKEN") and os.environ.get("GH_REPO")):
        sys.exit("gh: set GH_TOKEN and GH_REPO")
    state: dict[str, Any] = {"labels": [], "issues": [], "changes": 0}
    if asked.file.exists():
        state = json.loads(asked.file.read_text())
    if asked.thing == "issue" and state.get("disabled"):
        sys.exit(f"the '{os.environ['GH_REPO']}' repository has disabled issues")
    issues: list[dict[str, Any]] = state["issues"]

    match asked.thing, asked.verb:
        case "issue", "list":
            wanted = [
                {key: issue[key] for key in asked.json.split(",")}
                for issue in reversed(issues)
                if asked.state in ("all", issue["state"]) and asked.label in (None, issue["label"])
            ]
            print(json.dumps(wanted))
            return
        case "label", "create":
            if asked.name in state["labels"] and not asked.force:
                sys.exit(
                    f"label with name {asked.name!r} already exists; use `--force` to update it"
                )
            state["labels"].append(asked.name)
        case "issue", "create":
            if asked.label not in state["labels"]:
                sys.exit(f"could not add label: {asked.label!r} not found")
            issues.append(
                {
                    "number": len(issues) + 1,
                    "state": "open",
                    "label": asked.label,
                    "title": asked.title,
                    "body": asked.body,
                }
            )
        case "issue", "edit":
            issues[asked.number - 1].update(title=asked.title, body=asked.body)
        case "release", "create":
            state["releases"] = [[asked.tag, asked.target, asked.title, asked.notes_file.read()]]
        case "issue", "close":
            issues[asked.number - 1].update(state="closed")
    state["changes"] += 1
    asked.file.write_text(json.dumps(state))


if __name__ == "__main__":
    main()
