"""Make single mistakes in the product, one after the other, and see that a quick test notices each.

    uv run --no-sync python -m tests.mutations              all of them: a quarter of an hour
    uv run --no-sync python -m tests.mutations stack.yml    those with one of these words

For each it prints the first test that fails, with its message: the message has to say what to do.
It ends with the number of mistakes that no test notices, and with exit code 1 if there are any.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutations import in_a_copy, in_a_fork, product, tool
from tests.mutations.mutation import Mutation


def main() -> int:
    words = sys.argv[1:] or [""]

    def wanted(mutation: Mutation) -> bool:
        return any(word in mutation.name for word in words)

    survivors = count = 0
    for mutations, try_all in (
        (product.MUTATIONS, in_a_copy.try_all),
        (tool.MUTATIONS, in_a_fork.try_all),
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
