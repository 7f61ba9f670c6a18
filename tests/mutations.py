"""Make single mistakes in the product, one after the other, and see that a quick test notices each.

    uv run --no-sync python tests/mutations.py              all of them: a quarter of an hour
    uv run --no-sync python tests/mutations.py stack.yml    those with one of these words

For each it prints the first test that fails, with its message: the message has to say what to do.
It ends with the number of mistakes that no test notices, and with exit code 1 if there are any.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import product_mutations
from support import mutations_in_a_copy, mutations_in_a_fork
from support.mutation import Mutation
from tool import mutations as tool_mutations


def main() -> int:
    words = sys.argv[1:] or [""]

    def wanted(mutation: Mutation) -> bool:
        return any(word in mutation.name for word in words)

    survivors = count = 0
    for mutations, try_all in (
        (product_mutations.MUTATIONS, mutations_in_a_copy.try_all),
        (tool_mutations.MUTATIONS, mutations_in_a_fork.try_all),
    ):
        chosen = [each for each in mutations if wanted(each)]
        with TemporaryDirectory() as scratch:
            for result in try_all(chosen, Path(scratch)) if chosen else ():
                print(result, flush=True)
                count += 1
                survivors += not result.by
    print(f"{count} mutations, {survivors} survive")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
