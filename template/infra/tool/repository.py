"""The git repository of the service: its commit, and whether the files are that commit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.tool import programs
from infra.tool.errors import Problem
from infra.tool.text import counted

NO_GIT = Problem(
    "git-missing",
    "git is not installed, or not on the PATH",
    "install git",
)
NOT_A_REPOSITORY = Problem(
    "no-repository",
    "this folder is not a git repository: {why}",
    "git init --initial-branch main, then commit",
)
INSIDE_ANOTHER = Problem(
    "repository-of-another",
    "this service is a folder of another git repository: {folder}",
    "move it out of that repository and give it one of its own: git init --initial-branch main",
)
NO_COMMIT = Problem(
    "no-commit",
    "nothing is committed yet",
    "git add . && git commit --message 'Start from the template'",
)
LOCK_NOT_COMMITTED = Problem(
    "lock-not-committed",
    "uv.lock is not in git, or does not exist",
    "uv lock && git add --force uv.lock && git commit --message 'Lock the dependencies'",
)
NOT_COMMITTED = Problem(
    "not-committed",
    "{files} not as committed: {names}",
    "commit, stash or ignore them: git status shows all",
)
NOT_CHECKED_OUT = Problem(
    "git-checkout",
    "git cannot write the files of commit {commit} into a folder: {why}",
    "free some disk space, or repair the repository: git fsck",
)
UNREADABLE = Problem(
    "git-failed",
    "the command git status failed: {why}",
    "repair the repository: git status",
)


@dataclass(frozen=True)
class Repository:
    """The service as git sees it. Every method raises ToolError if git is not installed."""

    root: Path
    environment: Mapping[str, str]

    def git(self, *words: str, **variables: str) -> programs.Done:
        environment = dict(self.environment) | variables
        try:
            return programs.run(["git", *words], environment=environment, folder=self.root)
        except programs.NotInstalledError:
            raise NO_GIT() from None

    def head(self) -> str:
        """The full hash of the commit.

        Raises ToolError if the folder is not the root of a repository, or has no commit.
        """
        prefix = self.git("rev-parse", "--show-prefix")
        if prefix.returncode:
            raise NOT_A_REPOSITORY(why=prefix.stderr)
        if folder := prefix.stdout.strip():
            raise INSIDE_ANOTHER(folder=folder.rstrip("/"))
        commit = self.git("rev-parse", "--quiet", "--verify", "HEAD")
        if commit.returncode:
            raise NO_COMMIT()
        return commit.stdout.strip()

    def require_lock(self) -> None:
        """Raises ToolError unless uv.lock exists and is in git."""
        listed = self.git("ls-files", "--error-unmatch", "uv.lock")
        if listed.returncode or not (self.root / "uv.lock").is_file():
            raise LOCK_NOT_COMMITTED()

    def require_clean(self) -> None:
        """Raises ToolError if a file differs from the commit, or is neither in git nor ignored."""
        status = self.git("status", "--porcelain", "-z", "--untracked-files=normal", "--no-renames")
        if status.returncode:
            raise UNREADABLE(why=status.stderr)
        if names := [entry[3:] for entry in status.stdout.split("\0") if entry]:
            shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            raise NOT_COMMITTED(files=counted(len(names), "file"), names=shown)

    def check_out(self, commit: str, folder: Path) -> None:
        """Write the files of a commit into a folder, as a fresh clone would have them.

        `git archive` would leave out or change files by the attributes export-ignore and
        export-subst, and `git worktree` would run hooks. A temporary index leaves the user's as it
        is.
        """
        with TemporaryDirectory(prefix="infra-index-") as private:
            index = str(Path(private) / "index")
            for words in (
                ["read-tree", commit],
                ["checkout-index", "--all", f"--prefix={folder}/"],
            ):
                done = self.git(*words, GIT_INDEX_FILE=index)
                if done.returncode:
                    raise NOT_CHECKED_OUT(commit=commit[:7], why=done.stderr)
