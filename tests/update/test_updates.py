"""Whatever its owner did: an update asks nothing, loses and moves nothing.

Tested from each recorded release to the present tree, and from the present tree to a synthetic next
release (SPANS in history.py).

Work and update can be done in either order, and the same comes of it. So a service that somebody
worked in and then updated is compared with a new one in which the same work is done.
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
from tests.update.people import PEOPLE, POLICY, Person

# Where both sides changed the same lines or lines that touch: from which version ("" is any), who,
# in which file, and why it cannot be helped. From HERE: because of what next_release.py changes.
CONFLICTS = {
    (HERE, "widens the policy", POLICY): "a list of one item has no inside apart from its end",
    (HERE, "sorts dependencies in", "pyproject.toml"): "beside the line that the next one raises",
    (HERE, "raises pins", "pyproject.toml"): "both raised it",
    (HERE, "raises pins", "Dockerfile"): "both raised it",
    (HERE, "raises pins", ".github/workflows/ci.yml"): "both raised it",
    (HERE, "raises pins", ".github/workflows/deploy-ecs.yml"): "both raised it",
    (HERE, "raises pins", ".github/workflows/rollback-ecs.yml"): "both raised it",
    (HERE, "raises pins", ".github/workflows/template-update.yml"): "both raised it",
    ("", "rewrites the readme", "README.md"): "nothing is left for a change to go into",
}

# All at once, except the one who leaves no README for the others to work in.
TEAM = [person for person in PEOPLE if str(person) != "rewrites the readme"]


def listed(start: str, end: str, people: Sequence[Person]) -> set[str]:
    """The files in which a conflict is to be expected, where the template changed them."""
    return {
        file
        for version, who, file in CONFLICTS
        if who in map(str, people) and (not version or (version == start and end != start))
    }


def work(service: Owned, people: Sequence[Person]) -> None:
    for person in people:
        person.work(service)
    service.commit("Work")


def update(
    published: History,
    folder: Path,
    people: Sequence[Person],
    start: str,
    end: str,
    again: Answers = MappingProxyType({}),
) -> Owned:
    """Let people work in a service made from `start`, update it to `end`, check what came of it.

    What is answered `again` is answered together with the update. Where a conflict was to be
    expected, the owner's side is taken.
    """
    answers = {key: value for person in people for key, value in person.answers.items()}
    mine = published.service(start, folder / "mine")
    if answers:
        mine.update(copier.VcsRef.CURRENT, **answers)
        mine.commit("Answer again")
    untouched = mine.tree()
    work(mine, people)
    worked = mine.tree()

    answers |= again
    new = published.service(end, folder / "new", {**EXAMPLE, **answers})
    offered = new.tree()
    work(new, people)

    mine.update(copier.VcsRef.CURRENT if start == end else end, **again)
    changed = {name for name in worked if offered.get(name, "") != untouched.get(name, "")}
    conflicts = mine.conflicts()
    assert conflicts == listed(start, end, people) & changed, (
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
    for person in people:
        assert person.finds(mine), f"what {person} is lost, or elsewhere"
    return mine


def difference(mine: Owned, new: Owned, name: str) -> str:
    words = "git", "diff", "--no-index", new.path / name, mine.path / name
    done = subprocess.run(words, capture_output=True, text=True)
    return f"{name} is not what the same work in a new service makes of it:\n{done.stdout}"


@pytest.mark.parametrize(("start", "end"), dict.fromkeys([SPANS[0], SPANS[-1]]))
def test_what_a_whole_team_did_is_where_it_belongs(
    published: History, tmp_path: Path, start: str, end: str
) -> None:
    update(published, tmp_path, TEAM, start, end)


@pytest.mark.slow
@pytest.mark.parametrize("person", PEOPLE, ids=str)
@pytest.mark.parametrize(("start", "end"), SPANS)
def test_an_update_keeps_the_work_of_each_owner(
    published: History, tmp_path: Path, start: str, end: str, person: Person
) -> None:
    update(published, tmp_path, [person], start, end)


def test_work_that_was_not_done_is_not_found(published: History, tmp_path: Path) -> None:
    """Or the checks above say nothing."""
    untouched = published.service(HERE, tmp_path / "service")
    assert [str(person) for person in PEOPLE if person.finds(untouched)] == []


@pytest.mark.slow
@pytest.mark.parametrize("end", [HERE, NEXT])
def test_who_answers_again_after_work_loses_nothing(
    published: History, tmp_path: Path, end: str
) -> None:
    """At the version that the service follows, and together with an update."""
    again = {"cpu": 2048, "memory": 8192, "cpu_architecture": "ARM64", "min_tasks": 2}
    people = [person for person in TEAM if not person.answers]
    update(published, tmp_path, people, HERE, end, again)


@pytest.mark.slow
@pytest.mark.parametrize("start", dict.fromkeys([SPANS[0][0], SPANS[-1][0]]))
def test_after_it_the_linters_and_tests_of_the_service_are_green_and_a_conflict_is_red(
    published: History, tmp_path: Path, start: str
) -> None:
    """As CI runs them: on a fresh clone, with what the whole team did.

    Never from HERE to NEXT: NEXT names packages and images that do not exist yet. From HERE, the
    update is another description at the same version.
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
