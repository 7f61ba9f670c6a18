"""A single mistake in the product, and the tests that are to notice it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutation:
    file: str  # relative to the root
    old: str
    new: str  # instead of the first `old`
    tests: str  # "stack/invariants alarm or outage": tests/stack/test_invariants.py -k "alarm or …"

    @property
    def name(self) -> str:
        file = self.file.removeprefix("template/").removeprefix("infra/tool/")
        return f"{file}: {self.old.strip()!r} -> {self.new.strip()!r}"

    @property
    def test_file(self) -> str:
        folder, _, name = f"tests/{self.tests.partition(' ')[0]}".rpartition("/")
        return f"{folder}/test_{name}.py"

    @property
    def words(self) -> str:
        """An expression for pytest -k; empty for all tests of the file."""
        return self.tests.partition(" ")[2]

    def apply(self, root: Path) -> str:
        """Make the mistake below another root, and return the text before it."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        assert self.old in text, f"no longer in the file: {self.name}"
        path.unlink()  # it may be a link
        path.write_text(text.replace(self.old, self.new, 1), encoding="utf-8")
        return text


@dataclass(frozen=True)
class MutationResult:
    mutation: Mutation
    by: str = ""  # the first test that failed, and its message; empty: none, the mutation survives

    def __str__(self) -> str:
        return f"{'caught  ' if self.by else 'SURVIVES'} {self.mutation.name}\n         {self.by}"


def of(file: str, *edits: tuple[str, str, str]) -> Sequence[Mutation]:
    return [Mutation(file, *edit) for edit in edits]
