"""The ARNs of the roles, which two documents have literally: they must agree with the settings."""

import re
from collections.abc import Iterator

from infra.tool.errors import Problem
from infra.tool.settings import Settings
from infra.tool.target import Target

WRONG = Problem(
    "role-arns",
    "{complaints}",
    "write these ARNs as shown, or set [security] role_path in infra/settings.toml to their path; "
    "then {again}",
)

FILES = ("infra/task-definition.json", "ops/iam-policy-github-actions.json")
ROLE = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+")


def require(target: Target) -> None:
    """Raises ToolError if a document names a role of the stack by another ARN."""
    found: list[str] = []
    for path in FILES:
        text = (target.runtime.root / path).read_text(encoding="utf-8")
        found += complaints(path, text, target.settings)
    if found:
        raise WRONG(complaints="; ".join(found), again=target.again)


# --- pure ---


def complaints(path: str, text: str, settings: Settings) -> Iterator[str]:
    """Each line with a wrong ARN of a role that the stack creates."""
    names = settings.names
    ours = {names.execution_role, names.task_role, names.deploy_role}
    for number, line in enumerate(text.splitlines(), 1):
        for arn in ROLE.findall(line):
            name = arn.rpartition("/")[2]
            if name in ours and arn != settings.role_arn(name):
                yield f"{path}:{number} names {arn}: it must be {settings.role_arn(name)}"
