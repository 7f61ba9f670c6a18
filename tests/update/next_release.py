"""A synthetic next release: one example of most kinds of changes that maintainers make.

Without it no update could be tested before the first release, or on the day of a release, when the
newest is the present tree. It keeps the rule of docs/decisions/room-for-both.md: the template grows
inside, a service at the ends.
"""

import re
from pathlib import Path
from typing import Any

from tests.update.edits import edit_json, insert, replace

TASK = "infra/task-definition.json.jinja"

# Questions that have another name in it.
RENAMED = {"cpu_architecture": "cpu_platform"}


def next_release(repository: Path) -> None:
    """Change the template in `repository`."""
    a_question(repository)
    another_name(repository)
    template = repository / "template"
    documents(template)
    stack(template / "infra" / "stack.yml")
    workflows(template)
    python(template)
    the_rest(template)


def a_question(repository: Path) -> None:
    insert(
        repository / "copier.yml",
        "# Derived, never asked",
        """
        team:
          type: str
          help: Which team is called at night?
          default: ""
          validator: "{% if team | length > 40 %}team is short: for example payments{% endif %}"

        """,
    )
    insert(
        repository / "template" / "infra" / "settings.toml.jinja",
        "[logs]",
        '# Who is called at night.\n[team]\nname = "{{ team }}"\n\n',
    )


def another_name(repository: Path) -> None:
    [(old, new)] = RENAMED.items()
    config = repository / "copier.yml"
    for path in config, *(path for path in (repository / "template").rglob("*") if path.is_file()):
        text = path.read_text()
        if (changed := re.sub(rf"\b{old}\b", new, text)) != text:
            path.write_text(changed)
    replace(config, "default: X86_64$", f"default: \"{{{{ {old} | default('X86_64') }}}}\"")


def documents(template: Path) -> None:
    def task(document: Any) -> None:
        [container] = document["containerDefinitions"]
        container["environment"].insert(2, {"name": "APP_TEAM", "value": "{{ team }}"})
        container["healthCheck"]["interval"] += 1

    def policy(document: Any) -> None:
        sids = [statement["Sid"] for statement in document["Statement"]]
        document["Statement"][sids.index("PushImages")]["Action"].insert(2, "ecr:DescribeRegistry")
        document["Statement"][sids.index("ActWithoutResources")]["Action"].insert(
            0, "ecs:DescribeTasks"
        )
        document["Statement"].insert(
            sids.index("WatchTheService"),
            {
                "Sid": "ReadTheTeam",
                "Effect": "Allow",
                "Action": ["iam:GetGroup"],
                "Resource": ["arn:{{ partition }}:iam::{{ aws_account_id }}:group/{{ team }}"],
            },
        )

    edit_json(template / TASK, task)
    edit_json(template / "ops" / "iam-policy-github-actions.json.jinja", policy)
    edit_json(
        template / "infra" / "service.json", lambda d: d.update(healthCheckGracePeriodSeconds=90)
    )
    edit_json(
        template / "infra" / "ecr-lifecycle-policy.json",
        lambda d: d["rules"][0]["selection"].update(countNumber=8),
    )


def stack(path: Path) -> None:
    insert(path, "  VpcId:", 'Team:\n  Type: String\n  Default: ""\n\n', margin=2)
    insert(
        path,
        "  Cluster:",
        """
        TeamParameter:
          Type: AWS::SSM::Parameter
          Properties:
            Type: String
            Value: !Ref Team

        """,
    )
    insert(path, "  ScalingResourceLabel:", "Team:\n  Value: !Ref Team\n", margin=2)


def workflows(template: Path) -> None:
    for path in sorted((template / ".github" / "workflows").glob("*.yml")):
        pin = r"actions/checkout@[0-9a-f]{40}  # v[\d.]+"
        path.write_text(re.sub(pin, f"actions/checkout@{'9' * 40}  # v99.0.0", path.read_text()))
    insert(
        template / ".github" / "workflows" / "ci.yml",
        "      - name: Lint",
        "- name: Say who is called\n  run: cat docs/team.md\n\n",
    )
    insert(
        template / ".pre-commit-config.yaml",
        "      - id: yamllint",
        """
        - id: deptry
          name: deptry
          language: system
          entry: uv run --locked deptry app
          pass_filenames: false

        """,
    )


def python(template: Path) -> None:
    project = template / "pyproject.toml"
    replace(project, r'"fastapi>=[\d.]+,', '"fastapi>=0.200,')
    insert(project, '  "gunicorn', '"greenlet>=3,<4",\n')
    insert(project, '  "httpx2', '"deptry>=0.25,<1",\n')
    insert(project, '  "FAST"', '"DTZ",\n')
    replace(template / "gunicorn.conf.py", r"^timeout = \d+", "timeout = 90")
    insert(
        template / "app" / "logs.py", "LOGGING", "# Who is called is in the task's environment.\n"
    )


def the_rest(template: Path) -> None:
    replace(template / "Dockerfile", r"python:3\.\d+", "python:3.99")
    insert(template / "infra" / "deploy-manual.sh", "set -euo pipefail", "# Called by people.\n")
    insert(
        template / "README.md.jinja",
        "## Update it",
        "Who is called at night: `[team]` in `infra/settings.toml`.\n\n",
    )
    insert(
        template / "README.md.jinja", "| the container:", "| the team | `infra/settings.toml` |\n"
    )
    insert(
        template / "AGENTS.md", "- `infra/task-definition.json` names", "- The team is a setting.\n"
    )
    (template / "docs").mkdir(exist_ok=True)
    (template / "docs" / "team.md").write_text("# The team\n")
