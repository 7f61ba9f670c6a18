"""After any edit of its owner, an update of a service asks nothing and loses nothing.

Tested from each recorded release to the present tree, and from the present tree to a synthetic next
release (SPANS in history.py).

Edits and update have the same result in either order. So a service that was edited and then updated
is compared with a new service of the later version in which the same edits are made.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import copier
import pytest
import yaml

from tests.support.installed_service import InstalledService
from tests.support.rendering import EXAMPLE, Answers
from tests.update.history import HERE, MADE_ONCE, NEXT, SPANS, History, Owned
from tests.update.next_release import RENAMED
from tests.update.owner_edits import OWNER_EDITS, OwnerEdit

# Expected conflicts: both sides changed the same lines or neighbouring lines. By the version that
# the update starts from ("" is any), the edit and the file; with the reason why it cannot be
# avoided. Those from HERE are due to the changes of next_release.py.
CONFLICTS = {
    (
        HERE,
        "sorts dependencies in",
        "pyproject.toml",
    ): "next to a line that the next release raises",
    (HERE, "raises pins", "pyproject.toml"): "both raised it",
    (HERE, "raises pins", "Dockerfile"): "both raised it",
    (HERE, "raises pins", ".github/workflows/ci.yml"): "both raised it",
    (HERE, "raises pins", ".github/workflows/deploy-ecs.yml"): "both raised it",
    (HERE, "raises pins", ".github/workflows/rollback-ecs.yml"): "both raised it",
    (HERE, "raises pins", ".github/workflows/template-update.yml"): "both raised it",
    ("", "rewrites the readme", "README.md"): "no line of the template is left",
}

# All edits together, except the one that leaves no README for the others.
TEAM = [edit for edit in OWNER_EDITS if str(edit) != "rewrites the readme"]


def listed(start: str, end: str, edits: Sequence[OwnerEdit]) -> set[str]:
    """The files in which a conflict is expected, if the template changed them."""
    return {
        file
        for version, who, file in CONFLICTS
        if who in map(str, edits) and (not version or (version == start and end != start))
    }


def work(service: Owned, edits: Sequence[OwnerEdit]) -> None:
    for edit in edits:
        edit.apply(service)
    service.commit("Work")


def update(
    published: History,
    folder: Path,
    edits: Sequence[OwnerEdit],
    start: str,
    end: str,
    again: Answers = MappingProxyType({}),
) -> Owned:
    """Make edits in a service of version `start`, update it to `end`, and check the result.

    The answers `again` are given together with the update. An expected conflict is resolved by
    taking the owner's side.
    """
    answers = {key: value for edit in edits for key, value in edit.answers.items()}
    mine = published.service(start, folder / "mine")
    if answers:
        mine.update(copier.VcsRef.CURRENT, **answers)
        mine.commit("Answer again")
    untouched = mine.tree()
    work(mine, edits)
    worked = mine.tree()

    answers |= again
    new = published.service(end, folder / "new", {**EXAMPLE, **answers})
    offered = new.tree()
    work(new, edits)

    mine.update(copier.VcsRef.CURRENT if start == end else end, **again)
    changed = {name for name in worked if offered.get(name, "") != untouched.get(name, "")}
    conflicts = mine.conflicts()
    assert conflicts == listed(start, end, edits) & changed, (
        f"from {start} to {end}: let the two stand apart (docs/decisions/room-for-both.md), or "
        f"list the conflict above, and why:\n{mine.git('diff', '--', *conflicts)}"
    )
    for line in mine.git("ls-files", "--unmerged").splitlines():
        mode, blob, stage, name = line.split()
        if stage in "23":
            side = worked if stage == "2" else offered
            assert side[name] == f"{mode} blob {blob}", f"git has not kept both sides of {name}"
    if conflicts:
        mine.git("checkout", "--ours", "--", *conflicts)
    mine.commit("Update")

    after = mine.tree()
    expected = new.tree() | {name: worked[name] for name in MADE_ONCE}
    for name in (after.keys() | expected.keys()) - conflicts:
        assert after.get(name) == expected.get(name), difference(mine, new, name)
    stored = yaml.safe_load(mine.text(".copier-answers.yml"))
    renamed = RENAMED if end == NEXT else {}
    kept = {key: stored[renamed.get(key, key)] for key in EXAMPLE}
    assert kept == {**EXAMPLE, **answers}
    for edit in edits:
        assert edit.is_present(mine), f"the edit '{edit}' is lost, or in another place"
    return mine


def difference(mine: Owned, new: Owned, name: str) -> str:
    words = "git", "diff", "--no-index", new.path / name, mine.path / name
    done = subprocess.run(words, capture_output=True, text=True)
    return f"{name} differs from that of a new service with the same edits:\n{done.stdout}"


@pytest.mark.parametrize(("start", "end"), dict.fromkeys([SPANS[0], SPANS[-1]]))
def test_an_update_keeps_many_edits_together(
    published: History, tmp_path: Path, start: str, end: str
) -> None:
    update(published, tmp_path, TEAM, start, end)


@pytest.mark.slow
@pytest.mark.parametrize("edit", OWNER_EDITS, ids=str)
@pytest.mark.parametrize(("start", "end"), SPANS)
def test_an_update_keeps_each_edit(
    published: History, tmp_path: Path, start: str, end: str, edit: OwnerEdit
) -> None:
    update(published, tmp_path, [edit], start, end)


def test_no_edit_is_found_in_a_service_without_edits(published: History, tmp_path: Path) -> None:
    """Otherwise the checks above could not fail."""
    untouched = published.service(HERE, tmp_path / "service")
    assert [str(edit) for edit in OWNER_EDITS if edit.is_present(untouched)] == []


@pytest.mark.slow
@pytest.mark.parametrize("end", [HERE, NEXT])
def test_answering_again_after_edits_loses_none(
    published: History, tmp_path: Path, end: str
) -> None:
    """At the version that the service follows, and together with an update."""
    again = {"cpu": 2048, "memory": 8192, "cpu_architecture": "ARM64", "min_tasks": 2}
    edits = [edit for edit in TEAM if not edit.answers]
    update(published, tmp_path, edits, HERE, end, again)


@pytest.mark.slow
@pytest.mark.parametrize("start", dict.fromkeys([SPANS[0][0], SPANS[-1][0]]))
def test_after_an_update_linters_and_tests_pass_and_a_conflict_marker_fails(
    published: History, tmp_path: Path, start: str
) -> None:
    """As CI runs them: on a fresh clone, with many edits.

    Never from HERE to NEXT, because NEXT names packages and images that do not exist. From HERE,
    the update changes the description at the same version.
    """
    again = {"description": "Says how an order stands"}
    updated = update(published, tmp_path, TEAM, start, HERE, again)
    updated.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    service = InstalledService(tmp_path / "clone")
    service.uv("sync", "--python", "3.11")
    subprocess.run(["git", "add", "uv.lock"], cwd=service.path, check=True)
    service.uv("run", "--locked", "pre-commit", "run", "--all-files")
    last = service.uv("run", "--locked", "pytest").splitlines()[-1]
    assert re.fullmatch(r"=+ \d+ passed in .*", last), last

    for side in "<<<<<<< before updating", ">>>>>>> after updating":
        for name in "README.md", "infra/task-definition.json", "infra/stack.yml", "app/orders.py":
            text = (service.path / name).read_text()
            (service.path / name).write_text(f"{side}\n{text}")
            with pytest.raises(AssertionError, match=r"conflict markers\.+Failed"):
                service.uv(
                    "run", "--locked", "pre-commit", "run", "--all-files", "conflict-markers"
                )
            (service.path / name).write_text(text)
