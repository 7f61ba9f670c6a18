"""In any state of a service, Copier updates it, or refuses and changes nothing.

The refusals are Copier's own; docs/guides/update.md explains each of them and says what to do.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.release import AUTHOR, git
from tests.support.rendering import ROOT, Render
from tests.update.history import HERE, NEXT, History, Owned
from tests.workflows.runner import served

COPIER = Path(sys.executable).parent / "copier"
ANSWERS = ".copier-answers.yml"

State = Callable[[Owned, History], object]


def dirty(service: Owned, _: History) -> None:
    (service.path / "README.md").write_text("Not committed.\n")


def untracked(service: Owned, _: History) -> None:
    (service.path / "notes.md").write_text("Not added.\n")


def no_repository(service: Owned, _: History) -> None:
    shutil.rmtree(service.path / ".git")


def no_commit(service: Owned, _: History) -> None:
    shutil.rmtree(service.path / ".git")
    service.git("init", "--quiet")


def merging(service: Owned, _: History) -> None:
    service.git("switch", "--quiet", "--create", "other")
    for branch in "other", "main":
        service.git("switch", "--quiet", branch)
        (service.path / "AGENTS.md").write_text(f"{branch}\n")
        service.commit(branch)
    subprocess.run(["git", "merge", "other"], cwd=service.path, capture_output=True)


def rebasing(service: Owned, template: History) -> None:
    merging(service, template)
    service.git("merge", "--abort")
    subprocess.run(["git", "rebase", "other"], cwd=service.path, capture_output=True)


def locked(service: Owned, _: History) -> None:
    (service.path / ".git" / "index.lock").touch()


def answers(pattern: str, text: str) -> State:
    """A state in which the answers file was changed by hand, and committed."""

    def state(service: Owned, _: History) -> None:
        path = service.path / ANSWERS
        changed, count = re.subn(pattern, text, path.read_text(), flags=re.MULTILINE)
        assert count, f"nothing in {ANSWERS} is like {pattern}"
        path.write_text(changed)
        service.commit("By hand")

    return state


def no_answers(service: Owned, _: History) -> None:
    service.git("rm", "--quiet", ANSWERS)
    service.commit("Without")


def another_template(service: Owned, template: History) -> None:
    other = template.path.parent / "another"
    if not other.exists():
        (other / "template").mkdir(parents=True)
        (other / "copier.yml").write_text("_subdirectory: template\nteam:\n  type: str\n")
        git(other, "init", "--quiet")
        for version in HERE, NEXT:
            git(other, *AUTHOR, "commit", "--quiet", "--allow-empty", "--message", version)
            git(other, "add", ".")
            git(other, *AUTHOR, "commit", "--quiet", "--allow-empty", "--message", version)
            git(other, "tag", version)
    answers(r"^_src_path: .*", f"_src_path: {other}")(service, template)


REFUSED: dict[str, tuple[State, str]] = {
    "a change is not committed": (dirty, "Destination repository is dirty"),
    "a file is not added": (untracked, "Destination repository is dirty"),
    "it is no repository": (no_repository, "only supported in git-tracked subprojects"),
    "there is no commit": (no_commit, "Destination repository is dirty"),
    "a merge is under way": (merging, "Destination repository is dirty"),
    "a rebase is under way": (rebasing, "Destination repository is dirty"),
    "the index is locked": (locked, "index.lock"),
    "the template has moved": (
        answers(r"^_src_path: .*", "_src_path: /nowhere/template"),
        "Local template must be a directory",
    ),
    "the template is named by a relative path": (
        answers(r"^_src_path: .*", "_src_path: ../template"),
        "Local template must be a directory",
    ),
    "the template cannot be reached": (
        answers(r"^_src_path: .*", "_src_path: https://127.0.0.1:1/template.git"),
        "fatal: unable to access",
    ),
    "the template is another one": (another_template, 'Question "team" is required'),
    "its version was never released": (
        answers(r"^_commit: .*", "_commit: v0.0.9"),
        "Unknown revision",
    ),
    "it does not know its version": (
        answers(r"^_commit: .*\n", ""),
        "cannot obtain old template references",
    ),
    "it does not know its template": (answers(r"^_src_path: .*\n", ""), "Template not found"),
    "it has no answers file": (no_answers, "Template not found"),
    "the answers file is empty": (
        answers(r"(?s)\A.*\Z", ""),
        "'NoneType' object has no attribute",
    ),
    "the answers file has markers of a merge": (
        answers(r"^(cpu: .*)", r"<<<<<<< main\n\1\n=======\ncpu: 512\n>>>>>>> other"),
        "could not find expected",
    ),
    "the answers file is cut off": (
        answers(r"(?s)^aws_region:.*", ""),
        'Question "aws_region" is required',
    ),
    "a region was edited by hand": (
        answers(r"^aws_region: .*", "aws_region: eu-west"),
        "Validation error for question 'aws_region'",
    ),
    "an account lost its quotation marks": (
        answers(r"^aws_account_id: .*", "aws_account_id: 012345670123"),
        "Validation error for question 'aws_account_id'",
    ),
    "a size was edited by hand": (answers(r"^cpu: .*", "cpu: 300"), "Invalid choice for 'cpu'"),
    "a number is none": (answers(r"^memory: .*", "memory: lots"), "invalid literal for int"),
}

# Errors of git for a template that it cannot read: HTTP status, user in the URL, words.
CLOSED = [
    (401, "", "could not read Username"),
    (401, "somebody:wrong@", "Authentication failed"),
    (404, "", "repository 'https://github.com/OWNER/REPOSITORY' not found"),
]
ELSEWHERE = [
    "Template not found",
    "Downgrades are not supported",
    "requires Copier version",
    "Execution stopped by user",
    "Interactive session required",
    *(says for _, _, says in CLOSED),
]
OURS = {name for name in REFUSED if "by hand" in name or "cut off" in name}


def copier(service: Owned, *words: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
    """Run the documented command without a terminal, so that it cannot ask."""
    return subprocess.run(
        [COPIER, "update", "--skip-answered", *words],
        cwd=service.path / folder,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def files(service: Owned) -> dict[str, bytes]:
    """Every file outside of .git."""
    names = [name for name in service.path.rglob("*") if ".git" not in name.parts]
    return {str(n.relative_to(service.path)): n.read_bytes() for n in names if n.is_file()}


def everything(service: Owned) -> tuple[dict[str, bytes], list[str]]:
    """Every file, and git's state: commit, branch, index, refs, stashes, an unfinished merge."""

    def ask(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=service.path, capture_output=True, text=True)
        return done.stdout

    of_git = service.path / ".git"
    return files(service), [
        ask("rev-parse", "HEAD"),
        ask("symbolic-ref", "HEAD"),
        ask("ls-files", "--stage"),
        ask("for-each-ref"),
        ask("stash", "list"),
        *sorted(path.name for path in (of_git.iterdir() if of_git.exists() else ())),
    ]


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in OURS else pytest.mark.slow) for n in REFUSED],
)
def test_a_refusal_says_why_and_changes_nothing(
    published: History, tmp_path: Path, name: str
) -> None:
    state, says = REFUSED[name]
    service = published.service(HERE, tmp_path / "service")
    state(service, published)
    before = everything(service)
    for words in [], ["--defaults"]:
        refused = copier(service, "--vcs-ref", NEXT, *words)
        assert refused.returncode != 0
        assert says in refused.stderr
        assert everything(service) == before


@pytest.mark.slow
@pytest.mark.parametrize(("status", "user", "says"), CLOSED)
def test_a_template_without_access_changes_nothing(
    published: History, tmp_path: Path, status: int, user: str, says: str
) -> None:
    service = published.service(HERE, tmp_path / "service")
    with served(lambda _path, _headers: status) as url:
        address = f"{url.replace('//', f'//{user}')}/my-company/template.git"
        answers(r"^_src_path: .*", f"_src_path: {address}")(service, published)
        before = everything(service)
        refused = copier(service)
    assert refused.returncode != 0
    assert all(part in refused.stderr for part in re.split(r"'.*'", says))
    assert everything(service) == before


def test_the_documentation_has_a_remedy_for_each_refusal() -> None:
    """And lists no other refusal. The text in quotation marks varies."""
    table = (ROOT / "docs" / "guides" / "update.md").read_text().partition("## Troubleshooting")[2]
    cells = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    told = {varying(says) for cell in cells for says in re.findall("`(.+?)`", cell)}
    assert told == {varying(says) for says in (*(says for _, says in REFUSED.values()), *ELSEWHERE)}


def varying(says: str) -> str:
    return re.sub(r"""(["']).*?\1""", "…", says).removesuffix(" …")


@pytest.mark.slow
def test_an_update_from_a_subfolder_is_refused(published: History, tmp_path: Path) -> None:
    service = published.service(HERE, tmp_path / "service")
    before = everything(service)
    refused = copier(service, "--vcs-ref", NEXT, folder="infra")
    assert (refused.returncode, everything(service)) == (1, before)
    assert "Template not found" in refused.stderr


@pytest.mark.slow
def test_a_version_older_than_its_own_is_refused(published: History, tmp_path: Path) -> None:
    service = published.service(NEXT, tmp_path / "service")
    before = everything(service)
    refused = copier(service, "--vcs-ref", HERE)
    assert (refused.returncode, everything(service)) == (1, before)
    assert "Downgrades are not supported" in refused.stderr


@pytest.mark.slow
def test_a_copier_that_is_too_old_is_refused(published: History, tmp_path: Path) -> None:
    service = published.service(HERE, tmp_path / "service")
    future = tmp_path / "future"
    git(tmp_path, "clone", "--quiet", str(published.path), str(future))
    config = future / "copier.yml"
    config.write_text(re.sub(r'(?<=version: ")[\d.]+', "99.0.0", config.read_text()))
    git(future, *AUTHOR, "commit", "--quiet", "--all", "--message", "Need what is not out yet")
    git(future, "tag", "v2000.0.0")
    answers(r"^_src_path: .*", f"_src_path: {future}")(service, published)
    before = everything(service)
    refused = copier(service)
    assert (refused.returncode, everything(service)) == (1, before)
    assert "requires Copier version >= 99.0.0" in refused.stderr


def detached(service: Owned) -> Owned:
    service.git("switch", "--quiet", "--detach")
    return service


def shallow(service: Owned) -> Owned:
    service.commit("One more")
    clone = service.path.parent / "shallow"
    service.git("clone", "--quiet", "--depth", "1", f"file://{service.path}", str(clone))
    return Owned(clone, service.answers)


def with_secrets(service: Owned) -> Owned:
    (service.path / ".env").write_text("STRIPE_KEY=secret\n")
    return service


def in_a_larger_repository(service: Owned) -> Owned:
    whole = Owned(service.path.parent, service.answers)
    shutil.rmtree(service.path / ".git")
    whole.git("init", "--quiet")
    whole.commit("Everything we have")
    return service


def updated_already(service: Owned) -> Owned:
    service.update(NEXT)
    service.commit("Update")
    return service


def older_answers(service: Owned) -> Owned:
    """Its answers file is restored from before an update."""
    updated_already(service).git("checkout", "HEAD~1", "--", ANSWERS)
    service.commit("Restore")
    return service


@pytest.mark.slow
@pytest.mark.parametrize(
    "state",
    [detached, shallow, with_secrets, in_a_larger_repository, updated_already, older_answers],
)
def test_an_unusual_state_that_can_be_updated(
    published: History, tmp_path: Path, state: Callable[[Owned], Owned]
) -> None:
    service = state(published.service(HERE, tmp_path / "apart" / "service"))
    done = copier(service, "--defaults", "--vcs-ref", NEXT)
    assert done.returncode == 0, done.stderr
    new = published.service(NEXT, tmp_path / "new")
    after = files(service)
    assert after.pop(".env", b"STRIPE_KEY=secret\n") == b"STRIPE_KEY=secret\n"
    assert after == files(new)


@pytest.mark.slow
def test_a_service_from_before_the_first_release_is_updated_too(
    published: History, tmp_path: Path
) -> None:
    """A file removed in between is removed there too, and git shows it: CHANGELOG.md says so."""
    early = tmp_path / "early"
    git(tmp_path, "clone", "--quiet", str(published.path), str(early))
    git(early, "tag", "--delete", *git(early, "tag").decode().split())
    git(early, "reset", "--quiet", "--hard", "HEAD~1")
    service = History(early).service("HEAD", tmp_path / "service")
    (service.path / "AGENTS.md").write_text("Ours.\n")
    service.commit("Work")
    git(early, "pull", "--quiet", "--ff-only", "origin", "main")
    git(early, "rm", "--quiet", "template/AGENTS.md")
    git(early, *AUTHOR, "commit", "--quiet", "--message", "Remove a file before 1.0.0")
    git(early, "tag", "v1.0.0")
    done = copier(service, "--defaults")
    assert done.returncode == 0, done.stderr
    assert "_commit: v1.0.0\n" in service.text(ANSWERS)
    assert service.text("docs/team.md")
    assert service.git("diff", "--name-only", "--diff-filter=D").split() == ["AGENTS.md"]


@pytest.mark.slow
def test_an_update_that_is_interrupted_is_undone_and_done_again(
    published: History, tmp_path: Path
) -> None:
    """Stopped when it begins to write; the two commands are from docs/guides/update.md."""
    service = published.service(HERE, tmp_path / "service")
    before = files(service)
    with subprocess.Popen(
        [COPIER, "update", "--defaults", "--vcs-ref", NEXT],
        cwd=service.path,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as update:
        while update.poll() is None and files(service) == before:
            time.sleep(0.01)
        update.send_signal(signal.SIGINT)
        _, said = update.communicate()
    assert "Execution stopped by user" in said
    assert files(service) != before
    service.git("reset", "--quiet", "--hard")
    service.git("clean", "--quiet", "--force", "-d")
    assert files(service) == before
    assert copier(service, "--defaults", "--vcs-ref", NEXT).returncode == 0
    assert Render(service.path, service.answers).text("docs/team.md")
