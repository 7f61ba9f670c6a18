"""Draw the pictures of README.md: parts of a real `make rehearse`, as a terminal shows them.

`--record` runs a rehearsal first, which takes a minute, and stores what it printed. Without it, the
pictures are drawn again from the stored session.
"""

import argparse
import io
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from scripts.narration import ROOT

PICTURES = ROOT / "docs" / "pictures"
SESSION = PICTURES / "rehearsal.txt"
WIDTH = 100
END = "\nIn a real account"  # from here on, a rehearsal prints paths of the machine

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Theme:
    """Colours of GitHub's pages."""

    name: str
    background: Rgb
    text: Rgb
    dim: Rgb
    red: Rgb
    green: Rgb
    border: str

    @property
    def of_terminal(self) -> TerminalTheme:
        return TerminalTheme(self.background, self.text, [self.background] * 8)


LIGHT = Theme(
    "light", (255, 255, 255), (31, 35, 40), (89, 99, 110), (209, 36, 47), (26, 127, 55), "#d1d9e0"
)
DARK = Theme(
    "dark", (13, 17, 23), (240, 246, 252), (145, 152, 161), (248, 81, 73), (63, 185, 80), "#3d444d"
)
THEMES = LIGHT, DARK


@dataclass(frozen=True)
class Part:
    """One step of the session: which of its lines are shown."""

    step: str  # how its title begins
    lines: tuple[str, ...]  # patterns of lines, each of which must occur


PARTS = (
    Part(
        "2.",
        (
            r"\$ .* provision --plan",
            r"stack {5,}.*",
            r"  add +(Cluster|LoadBalancer) .*",
            r"costs +.*",
            r"Nothing was changed.*",
        ),
    ),
    Part(
        "5.",
        (
            r"\$ .* deploy",
            r"commit {5,}.*",
            r"revision +.*",
            r"  +\d+ s: .*",
            r"url +.*",
            r".* is in steady state as .*",
        ),
    ),
    Part(
        "6.",
        (
            r"\$ git commit .*",
            r"\$ .* deploy",
            r"revision +.*",
            r"  +\d+ s: .* (2 failed, waiting|FAILED).*",
            r"Last lines of the log .*",
            r"  Traceback .*",
            r"  RuntimeError: .*",
            r"error\[.*",
            r"to fix it: .*",
        ),
    ),
)

# Rich's own format has a frame, buttons and fonts from another host. This has none of them.
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>A rehearsal in a terminal</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  font-size: {char_height}px;
}}
{styles}
</style>
<rect width="100%" height="100%" rx="8" fill="BACKGROUND" stroke="BORDER"/>
<g transform="translate({terminal_x}, 16)" class="{unique_id}-matrix">
{matrix}
</g>
</svg>
"""


def steps(session: str) -> list[str]:
    """The numbered steps of a rehearsal, each with its title as its first line."""
    return re.split(r"^(?=\d\. )", session, flags=re.MULTILINE)[1:]


def shown(session: str) -> list[list[str]]:
    """The lines that the picture shows, step by step. Raises ValueError if a line is not found."""
    return [lines_of(part, session) for part in PARTS]


def lines_of(part: Part, session: str) -> list[str]:
    step = next((step for step in steps(session) if step.startswith(part.step)), None)
    if step is None:
        raise ValueError(f"the session has no step {part.step}")
    # Commands are indented by two spaces, and what they print by four.
    lines = [re.sub(r"^ {4}|^ {2}(?=\$)", "", line) for line in step.splitlines()]
    for pattern in part.lines:
        if not any(re.fullmatch(pattern, line) for line in lines):
            raise ValueError(f"no line of step {part.step} matches {pattern!r}: correct PARTS")
    return [line for line in lines if re.fullmatch("|".join(part.lines), line)]


def folded(line: str) -> str:
    """The line as a terminal of WIDTH columns shows it, but folded between words."""
    return textwrap.fill(
        line,
        WIDTH,
        subsequent_indent=" " * 4,
        break_on_hyphens=False,
        break_long_words=False,
    )


def colour_of(line: str, theme: Theme) -> Style:
    if line.startswith("$"):
        return Style(bold=True)
    if line.startswith(("error", "  RuntimeError")):
        return Style(color=Color.from_rgb(*theme.red))
    if "is in steady state" in line:
        return Style(color=Color.from_rgb(*theme.green))
    if re.match(r" +\d+ s: ", line):
        return Style(color=Color.from_rgb(*theme.dim))
    return Style()


def picture(session: str, theme: Theme) -> str:
    """The SVG of a session on one kind of page."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=WIDTH,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    for number, part in enumerate(shown(session)):
        if number:
            console.print()
        for line in part:
            console.print(Text(folded(line), style=colour_of(line, theme)))
    colours = {"BACKGROUND": f"rgb{theme.background}", "BORDER": theme.border}
    code_format = SVG
    for name, colour in colours.items():
        code_format = code_format.replace(name, colour)
    drawn = console.export_svg(
        theme=theme.of_terminal, code_format=code_format, unique_id="rehearsal"
    )
    # Each line ends in an element for the line break, outside of the picture; and the last one
    # refers to a clip path that Rich does not define.
    drawn = re.sub(r"<text [^>]*>\s*</text>", "\n", re.sub(r' clip-path="[^"]*"', "", drawn))
    return "".join(f"{line.strip()}\n" for line in drawn.splitlines() if line.strip())


def record() -> str:
    """Run a rehearsal: what it printed. Ends this program if the rehearsal fails."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "rehearse.py"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nthe rehearsal ended with exit code {done.returncode}")
    return done.stdout.partition(END)[0].rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="run a rehearsal first")
    if parser.parse_args().record:
        PICTURES.mkdir(parents=True, exist_ok=True)
        SESSION.write_text(record(), encoding="utf-8")
    session = SESSION.read_text(encoding="utf-8")
    for theme in THEMES:
        drawn = picture(session, theme)
        (PICTURES / f"rehearsal-{theme.name}.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
