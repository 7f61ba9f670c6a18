"""Results for a workflow's run: outputs of the step, and a summary on the page of the run."""

from collections.abc import Mapping, Sequence
from pathlib import Path


def write_output(environment: Mapping[str, str], name: str, value: str) -> None:
    """Set an output of the step. Raises ValueError if `value` is more than one line: the rest would
    set other outputs."""
    if "\n" in value or "\r" in value:
        raise ValueError(f"the output {name} must be one line, got {value!r}")
    append(environment, "GITHUB_OUTPUT", f"{name}={value}\n")


def write_summary(
    environment: Mapping[str, str],
    title: str,
    next_step: str,
    facts: Mapping[str, str],
    report: Sequence[str],
) -> None:
    """A title, what to do, a table of facts, and lines that are quoted as they are."""
    lines = [f"### {in_markdown(title)}", ""]
    if next_step:
        lines += [f"Next step: {in_markdown(next_step)}", ""]
    if facts:
        lines += ["| | |", "| --- | --- |"]
        lines += [f"| {name} | {in_markdown(value)} |" for name, value in facts.items()]
    lines += ["", *(f"    {line}" for line in report)]
    append(environment, "GITHUB_STEP_SUMMARY", "\n".join(lines) + "\n")


def in_markdown(text: str) -> str:
    """Untrusted text in a table: nothing of it is Markdown or HTML."""
    for character in "\\`*_{}[]<>|!":
        text = text.replace(character, f"\\{character}")
    return text


def append(environment: Mapping[str, str], name: str, text: str) -> None:
    """Append to the file that a variable of the runner names; elsewhere do nothing."""
    if path := environment.get(name):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
