"""Record, check and describe a release of the template: docs/releasing.md says when.

    python scripts/release.py record 1.2.0    # write what HEAD holds into tests/update/releases/
    python scripts/release.py check v1.2.0    # is HEAD this release, with all that belongs to it?
    python scripts/release.py notes v1.2.0    # print its part of CHANGELOG.md

A record is a patch on the release before (the first one: on an empty folder), so the whole history
can be rebuilt where git has neither tags nor depth. Records are only ever appended. It needs Python
and git alone.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "tests" / "update" / "releases"
CONTENTS = "copier.yml", "template"  # what a render is made from
AUTHOR = "-c", "user.name=Release", "-c", "user.email=release@example.com"


def git(folder: Path, *words: str, stdin: bytes | None = None) -> bytes:
    """The output of git. Raises CalledProcessError."""
    done = subprocess.run(["git", *words], cwd=folder, input=stdin, check=True, capture_output=True)
    return done.stdout


def parts(version: str) -> list[int]:
    """The three numbers of a version, by which versions are ordered. Exits for another form."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        sys.exit(f"{version} is no version: three numbers, for example 1.2.0.")
    return [int(part) for part in version.split(".")]


def recorded() -> list[str]:
    """The versions that are recorded, oldest first; empty before the first release."""
    return sorted((path.stem for path in RECORDS.glob("*.patch")), key=parts)


def checksum(version: str) -> str:
    """The line of a record, as `sha256sum --check` reads it."""
    patch = RECORDS / f"{version}.patch"
    return f"{hashlib.sha256(patch.read_bytes()).hexdigest()}  {patch.name}\n"


def edited() -> list[str]:
    """The records that were edited, deleted or added by hand."""
    sums = RECORDS / "SHA256SUMS"
    lines = sums.read_text().splitlines(keepends=True) if sums.exists() else []
    wrong = {checksum(version) for version in recorded()} ^ set(lines)
    return sorted({line.split()[1] for line in wrong})


def replay(folder: Path, versions: list[str]) -> None:
    """Make `folder` a repository in which each of the recorded `versions` is a commit and a tag."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    for version in versions:
        git(folder, "apply", "--index", "--whitespace=nowarn", str(RECORDS / f"{version}.patch"))
        git(folder, *AUTHOR, "commit", "--quiet", "--message", f"Release {version}")
        git(folder, *AUTHOR, "tag", f"v{version}")


def become(folder: Path, commit: str) -> None:
    """Stage in `folder` what `commit` of this repository holds of the template."""
    git(folder, "rm", "-r", "--quiet", "--force", "--ignore-unmatch", ".")
    archive = git(ROOT, "archive", "--format=tar", commit, *CONTENTS)
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        if hasattr(tarfile, "data_filter"):  # since Python 3.11.4; git made the archive
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)
    git(folder, "add", "--all", "--force")


def record(version: str, commit: str) -> None:
    where = RECORDS.relative_to(ROOT)
    earlier = recorded()
    if earlier and parts(version) <= parts(earlier[-1]):
        sys.exit(f"{version} does not come after {earlier[-1]}, the newest: take a higher version.")
    if wrong := edited():
        sys.exit(f"{', '.join(wrong)}: not as recorded. Take it back: git checkout {where}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        replay(folder, earlier)
        become(folder, commit)
        words = "diff", "--cached", "--full-index", "--no-renames", "--no-ext-diff", "--no-color"
        patch = git(folder, *words, "--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=myers")
    if not patch:
        sys.exit(f"Nothing of the template has changed since {earlier[-1]}: no release.")
    RECORDS.mkdir(parents=True, exist_ok=True)
    (RECORDS / f"{version}.patch").write_bytes(patch)
    with (RECORDS / "SHA256SUMS").open("a") as sums:
        sums.write(checksum(version))
    print(f"Recorded {version}: commit {version}.patch and SHA256SUMS in {where}.")


def notes(version: str) -> str:
    """The part of CHANGELOG.md under the heading of `version`; empty without that heading."""
    text = (ROOT / "CHANGELOG.md").read_text()
    sections = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    by_heading = dict(zip(sections[1::2], sections[2::2], strict=True))
    return by_heading.get(version, "").strip()


def findings(version: str) -> list[str]:
    """Reasons why HEAD is not the release `version`, each with a remedy."""
    found = []
    if git(ROOT, "tag", "--list", f"v{version}"):
        found.append(f"v{version} is released, and what is released never changes: take the next.")
    if not notes(version):
        found.append(
            f"CHANGELOG.md has nothing under '## {version}': rename '## Unreleased', and say there "
            "what changes in a service."
        )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if project["version"] != version:
        found.append(f"pyproject.toml says version {project['version']}: write {version}.")
    if version not in recorded():
        advice = f"run scripts/release.py record {version}, commit, and tag that commit."
        return [*found, f"tests/update/releases/ has no {version}: {advice}"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        replay(folder, recorded()[: recorded().index(version) + 1])
        become(folder, "HEAD")
        changed = git(folder, "diff", "--cached", "--name-only", f"v{version}").decode().split()
    if changed:
        found.append(
            f"{', '.join(changed)} changed after {version} was recorded: if its tag is not pushed, "
            f"delete {version}.patch and its line of SHA256SUMS, and record again; else take the "
            "next version."
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Record, check and describe a release.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="record|check|notes")
    for verb, help_text in (
        ("record", "write down what a release holds, before its tag is made"),
        ("check", "say what keeps HEAD from being this release"),
        ("notes", "print its part of CHANGELOG.md"),
    ):
        one = verbs.add_parser(verb, help=help_text)
        one.add_argument("version", help="for example 1.2.0; a tag's v is taken off")
        if verb == "record":
            one.add_argument("commit", nargs="?", default="HEAD", help="HEAD unless told")
    asked = parser.parse_args()
    version = asked.version.removeprefix("v")
    parts(version)

    match asked.verb:
        case "record":
            record(version, asked.commit)
        case "check":
            if found := findings(version):
                sys.exit("\n".join(f"Not ready: {finding}" for finding in found))
            print(f"Ready: HEAD is {version}, with its changelog and its record.")
        case "notes":
            if not (text := notes(version)):
                sys.exit(f"CHANGELOG.md says nothing under '## {version}'.")
            print(text)


if __name__ == "__main__":
    main()
