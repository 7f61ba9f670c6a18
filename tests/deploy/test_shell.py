"""The scripts run in the bash that macOS still ships, 3.2, and with its tools."""

import re

import pytest
from rendering import Render

# What bash 3.2, or a BSD tool, lacks; with a line that has it, to see that it would be found.
TOO_NEW = {
    r"\b(mapfile|readarray)\b": "mapfile -t lines",
    r"\b(declare|local|typeset) -[a-z]*[Agn]": "local -A seen",
    r"\$\{[^}]*(\^|,,|,\}|@[A-Za-z]\})": "echo ${name,,}",
    r"\[\[ -[vR] ": "[[ -v name ]]",
    r"&>>|\|&": "make &>>log",
    r"\bcoproc\b": "coproc cat",
    r";;?&": "a) ;;&",
    r"\bwait -n\b": "wait -n",
    r"\binherit_errexit\b|\bglobstar\b|\blastpipe\b": "shopt -s inherit_errexit",
    r"\$\{?(EPOCH(SECONDS|REALTIME)|BASHPID|SRANDOM)\b": "echo $EPOCHSECONDS",
    r"%\([^)]*\)T": "printf '%(%s)T'",
    r"\[-[0-9]+\]\}": "echo ${words[-1]}",
    r"\{[0-9]+\.\.[0-9]+\.\.": "for n in {1..9..2}",
    r"\bread\b.* -t 0?\.": "read -r -t 0.5 line",
    r'(?<!\+)"\$\{[a-z_]+\[@\]\}"': 'run "${flags[@]}"',
    r"\b(readlink|realpath) -[fem]": "readlink -f x",
    r"\bsed (-i|--in-place|-E -i)": "sed -i s/a/b/ x",
    r"\bdate .*(-d|--date)\b": "date -d yesterday",
    r"\bgrep .*-[a-zA-Z]*P": "grep -oP x",
    r"\b(tac|timeout|nproc|numfmt|shuf)\b": "timeout 5 x",
    r"\bbase64 (-w|--wrap)": "base64 -w0",
    r"\b(mktemp|stat|xargs) --?(suffix|format|c |r |no-run)": "stat -c %s x",
    r"\b(head|tail) -n -": "head -n -1",
    r"\bsort .*-V": "sort -V",
}


def scripts(render: Render) -> dict[str, str]:
    found = {name: content.decode() for name, content in render.files().items()}
    return {name: text for name, text in found.items() if name.endswith(".sh")}


def code(text: str) -> str:
    """A script without its comments."""
    return re.sub(r"^\s*#(?!!).*$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("pattern", TOO_NEW)
def test_nothing_is_too_new_for_a_mac(example: Render, pattern: str) -> None:
    assert re.search(pattern, TOO_NEW[pattern]), "this pattern finds nothing: mend it"
    for name, text in scripts(example).items():
        found = re.search(pattern, code(text))
        assert not found, f"{name}: bash 3.2 or macOS has no {found and found[0]!r}"


def test_every_script_stops_at_the_first_error_and_every_library_only_defines(
    example: Render,
) -> None:
    for name, text in scripts(example).items():
        lines = text.splitlines()
        if name.startswith("infra/lib/"):
            assert lines[0] == "# shellcheck shell=bash", name
            at_the_top = [line.split()[0] for line in lines if re.match(r"[a-z]+ ", line)]
            assert set(at_the_top) <= {"source", "export"}, f"{name} does something when sourced"
        else:
            assert lines[:2] == ["#!/usr/bin/env bash", "set -euo pipefail"], name


def test_every_library_sources_what_it_uses(example: Render) -> None:
    """A function is defined in the library itself, or in one that it sources, near or far."""
    libraries = {n: t for n, t in scripts(example).items() if n.startswith("infra/lib/")}
    defined = {n: set(re.findall(r"^([a-z_0-9]+)\(\)", t, re.M)) for n, t in libraries.items()}
    sources = {n: re.findall(r"^source (\S+)", t, re.M) for n, t in scripts(example).items()}
    everything = set().union(*defined.values())

    def reachable(name: str) -> set[str]:
        return defined.get(name, set()).union(*(reachable(other) for other in sources[name]))

    for name, text in scripts(example).items():
        own = set(re.findall(r"^([a-z_0-9]+)\(\)", text, re.M))
        called = set(
            re.findall(r"(?:^|[;&|({]|then|else|do|\|\|) *([a-z_0-9]+)\b", code(text), re.M)
        )
        missing = (called & everything) - reachable(name) - own
        assert not missing, f"{name} calls {sorted(missing)} without sourcing where that is"
