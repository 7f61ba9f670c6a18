"""docs/security.md answers each finding of checkov on a render, and nothing else."""

import pytest

from tests.support import checkov
from tests.support.rendering import Render

pytestmark = pytest.mark.slow


def test_each_finding_has_a_row_and_each_row_a_finding(example: Render) -> None:
    done = checkov.run(example.path)
    assert done.kinds >= {"cloudformation", "dockerfile"}
    found = {
        (each.check, each.resource if each.file == "infra/stack.yml" else each.file)
        for each in done.findings
    }
    answered = {(row.check, row.place) for row in checkov.rows("On the files")}
    assert found - answered == set(), "fix these in template/, or answer them in docs/security.md"
    assert answered - found == set(), "checkov does not find these any more: delete their rows"
