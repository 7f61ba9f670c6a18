"""The answer sets that every invariant is checked on: every pair of options, and all sizes."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, cycle
from typing import Any

from simulator.ecs.fargate import FARGATE
from tests.support.rendering import Answers

# Each value is a set of answers that belong together. Legal, and as awkward as the questions allow.
OPTIONS: Mapping[str, Sequence[Answers]] = {
    "processor": [{"cpu": cpu} for cpu in FARGATE],
    "architecture": [{"cpu_architecture": name} for name in ("X86_64", "ARM64")],
    "region": [
        {"aws_region": name}
        for name in ("us-east-1", "ap-southeast-7", "cn-northwest-1", "us-gov-west-1")
    ],
    "account": [
        {"aws_account_id": account}
        for account in ("123456789012", "000000000001", "012345670123", "089999999999")
    ],
    "name": [
        {"app_name": name}
        for name in ("ai-assistant", "api", "x" * 24, "a-1-b-2-c-3-d-4-e-5-f-66", "null")
    ],
    "description": [
        {"description": text}
        for text in (
            "Answers questions about our products",
            "'; rm -rf / #",
            "{{ app_name }} {% raw %} {# {{ secrets.TOKEN }}",
            "<script>alert(1)</script> & <!-- [x](javascript:1) | * _ ~",
            "yes: [no, {null: ~}] %TAG ! & * > @ 'Größe' \N{ROCKET} \N{HIRAGANA LETTER A}",
            "x" * 120,
        )
    ],
    "repository": [
        {"github_repository": name} for name in ("", "my-company/ai-assistant", "0/.github")
    ],
    "tasks": [{"min_tasks": low, "max_tasks": high} for low, high in ((1, 1), (1, 4), (3, 100))],
}

Cell = tuple[int, ...]
Pair = tuple[int, int, int, int]


def pair(a: int, i: int, b: int, j: int) -> Pair:
    """Option `a` at its value `i` together with option `b` at its value `j`."""
    return (a, i, b, j) if a < b else (b, j, a, i)


def pairs(cell: Cell) -> set[Pair]:
    return {pair(a, cell[a], b, cell[b]) for a, b in combinations(range(len(cell)), 2)}


def all_pairs() -> set[Pair]:
    counts = [len(values) for values in OPTIONS.values()]
    return {
        (a, i, b, j)
        for a, b in combinations(range(len(counts)), 2)
        for i in range(counts[a])
        for j in range(counts[b])
    }


def cells() -> Iterator[Cell]:
    """Cells until each pair is in one.

    Greedy: an option that is still free takes the value that covers the most new pairs.
    """
    counts = [len(values) for values in OPTIONS.values()]
    uncovered = all_pairs()
    while uncovered:
        option, value, other, other_value = min(uncovered)
        chosen = {option: value, other: other_value}
        for option in range(len(counts)):
            if option not in chosen:
                gains = [
                    sum(pair(option, value, *done) in uncovered for done in chosen.items())
                    for value in range(counts[option])
                ]
                chosen[option] = gains.index(max(gains))
        cell = tuple(chosen[option] for option in range(len(counts)))
        uncovered -= pairs(cell)
        yield cell


def pair_sets() -> dict[str, Answers]:
    """Answers for each cell, by a name that is also a legal folder."""
    memory = {cpu: cycle(sizes) for cpu, sizes in FARGATE.items()}
    sets: dict[str, Answers] = {}
    for number, cell in enumerate(cells()):
        answers: dict[str, Any] = {}
        for values, value in zip(OPTIONS.values(), cell, strict=True):
            answers |= values[value]
        answers["memory"] = next(memory[answers["cpu"]])
        sets[f"{number:03d}-{answers['app_name']}"] = answers
    return sets


def size_sets() -> dict[str, Answers]:
    """Answers for each size that no set of `pair_sets` has."""
    pairs = list(pair_sets().values())
    had = {(answers["cpu"], answers["memory"]) for answers in pairs}
    sizes = ((cpu, mib) for cpu, memories in FARGATE.items() for mib in memories)
    others = cycle(pairs)
    return {
        f"{cpu}-{mib}": {**next(others), "cpu": cpu, "memory": mib}
        for cpu, mib in sizes
        if (cpu, mib) not in had
    }
