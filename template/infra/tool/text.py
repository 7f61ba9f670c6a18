"""Text as people read it: untrusted text made harmless, ages and counts in words."""

import re
import unicodedata
from datetime import datetime

# Cc: control characters. Cf: invisible ones, which reorder or hide text. Cs: halves of surrogate
# pairs, which no output can encode. Zl, Zp: line separators.
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def one_line(value: object) -> str:
    """Untrusted text on one line: white space, control and format characters become one space.

    GitHub's runner obeys `##[command]` anywhere in a line, so that form is broken up.
    """
    text = "".join(" " if unicodedata.category(char) in INVISIBLE else char for char in str(value))
    return re.sub(r"\s+", " ", text).strip().replace("##[", "# #[")


def age(since: datetime, now: datetime) -> str:
    """How long ago, for example "11 min ago". A time in the future counts as now."""
    seconds = max(int((now - since).total_seconds()), 0)
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit} {name} ago"
    return f"{seconds // 86400} days ago"


def counted(number: int, thing: str, plural: str = "s") -> str:
    """A number and its noun, such as "1 task" or "2 addresses"."""
    return f"{number} {thing}{'' if number == 1 else plural}"


def last_part(name: str) -> str:
    """The part after the last slash of an ARN or image, such as FAMILY:N or NAME@DIGEST."""
    return name.rpartition("/")[2]
