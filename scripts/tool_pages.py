"""The pages of docs/reference/ about the tool: its commands, its errors."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import infra.tool
import typer
from infra.tool.commands.app import app
from infra.tool.errors import ExitCode, Problem
from infra.tool.target import COMMAND

from scripts.markdown_text import code, plain, table

# --- commands ---

COMMANDS = """# Commands

Made by `scripts/reference.py` from the help of each command. Type them at the root of a service:
`{command} COMMAND`. `--frozen` keeps uv from rewriting a stale `uv.lock`.

{index}

Every command ends with exit code 2 for wrong usage, and with 130 or 143 if it was stopped by Ctrl-C
or SIGTERM. In general the codes mean:

{codes}

An unexpected exception is printed as one line that names a file with the traceback. The exit code
is then 1 before the first change in AWS, and 3 after it. [Errors](errors.md) lists every message.
"""
CODES = {
    ExitCode.DONE: "done, as the command describes it",
    ExitCode.FAILED: "it failed: something may have changed in AWS; or the service is not healthy",
    ExitCode.NOT_READY: "wrong usage, or not ready: nothing was changed in AWS",
    ExitCode.UNKNOWN: "the outcome is unknown: run the command again, and it checks",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C; the output names what continues in AWS",
    ExitCode.TERMINATED: "stopped by SIGTERM, likewise",
}


def commands_page(_service: Path) -> str:
    group = typer.main.get_command(app)
    commands: dict[str, Any] = group.commands  # type: ignore[attr-defined]
    index = table(
        ["command", "does"],
        [[f"[`{name}`](#{name})", summary(each)] for name, each in commands.items()],
    )
    codes = table(["exit code", "means"], [[str(int(c)), text] for c, text in CODES.items()])
    head = COMMANDS.format(command=COMMAND, index=index, codes=codes)
    return "\n".join([head, *(command_section(*each) for each in commands.items())])


def paragraphs(command: Any) -> list[str]:
    return [part.replace("\b\n", "").strip() for part in command.help.split("\n\n")]


def summary(command: Any) -> str:
    return " ".join(paragraphs(command)[0].split())


def command_section(name: str, command: Any) -> str:
    *texts, codes = paragraphs(command)
    words = [*option_words(command), *(p.metavar for p in command.params if is_argument(p))]
    lines = [f"## {name}", "", "```sh", " ".join([COMMAND, name, *words]), "```", ""]
    lines += [line for text in texts for line in (plain(" ".join(text.split())), "")]
    if command.params:
        lines += [table(["option", "does"], [option_row(each) for each in command.params]), ""]
    return "\n".join([*lines, table(["exit code", "means"], exit_codes(codes)), ""])


def is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def option_words(command: Any) -> Iterator[str]:
    """As a line of usage has them."""
    for each in command.params:
        if not is_argument(each):
            yield f"[{each.opts[0]}{'' if each.is_flag else f' {each.metavar}'}]"


def option_row(parameter: Any) -> list[str]:
    if is_argument(parameter):
        return [code(parameter.metavar.strip("[]")), plain(parameter.help)]
    value = "" if parameter.is_flag else f" {parameter.metavar}"
    default = f" Default: `{parameter.default}`." if value and parameter.default else ""
    return [", ".join(code(f"{o}{value}") for o in parameter.opts), plain(parameter.help) + default]


def exit_codes(text: str) -> list[list[str]]:
    found = re.findall(r"^ +(\d+) +(.+(?:\n {5,}\D.*)*)", text, re.MULTILINE)
    assert found, f"no exit codes in {text}"
    return [[number, plain(" ".join(meaning.split()))] for number, meaning in found]


# --- errors ---

ERRORS = """# Errors

Made by `scripts/reference.py` from the `Problem` constants of `infra/tool/`. Each error of the tool
has a stable code, which the message shows as `error[CODE]`: search this page for that code. Words
in braces stand for details that the tool fills in. Tests and scripts may rely on the codes, but not
on the words.

"Exit 2 or 1" means 2 as long as the command has changed nothing in AWS, and 1 afterwards.
"""


def problems() -> dict[str, Problem]:
    """Every error of the tool by its code."""
    found: dict[str, Problem] = {}
    for module in pkgutil.walk_packages(infra.tool.__path__, "infra.tool."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Problem):
                found.setdefault(value.code, value)
    return dict(sorted(found.items()))


def errors_page(_service: Path) -> str:
    return "\n".join([ERRORS, *(error(each) for each in problems().values())])


def error(problem: Problem) -> str:
    exit = "Exit 2 or 1" if problem.exit is None else f"Exit {int(problem.exit)}"
    shown = f" GitHub shows it beside `{problem.file}`." if problem.file else ""
    return (
        f"## {problem.code}\n\n{capitalised(plain(problem.message))}.\n\n"
        f"To fix it: {plain(problem.remedy)}\n\n{exit}.{shown}\n"
    )


def capitalised(text: str) -> str:
    """With a capital first letter, unless the first word is the name of a file."""
    is_file = re.match(r"\S*[./]\S", text)
    return text if is_file else text[:1].upper() + text[1:]
