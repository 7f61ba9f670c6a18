"""The one place that reads infra/settings.env, the settings of the service."""

import shlex
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from infra.tool.errors import Problem
from infra.tool.settings import Service, Settings
from infra.tool.shapes import Identity

FILE = "infra/settings.env"

MISSING = Problem(
    "settings-missing",
    f"{FILE} does not exist",
    f"take it back from git: git restore {FILE}",
    file=FILE,
)
WRONG = Problem(
    "settings-wrong",
    f"{FILE}: {{complaints}}",
    f"correct each value; git log --patch {FILE} shows earlier ones",
    file=FILE,
)

# The variables of infra/settings.env, by where the models keep them.
ENVIRONMENT = {
    "APP_NAME": ("service", "name"),
    "AWS_ACCOUNT_ID": ("service", "account"),
    "AWS_REGION": ("service", "region"),
    "AWS_PARTITION": ("service", "partition"),
    "ECR_REGISTRY": ("service", "registry"),
    "STACK_NAME": ("names", "stack"),
    "ECR_REPOSITORY": ("names", "repository"),
    "ECS_CLUSTER": ("names", "cluster"),
    "ECS_SERVICE": ("names", "service"),
    "TASK_FAMILY": ("names", "family"),
    "CONTAINER_NAME": ("names", "container"),
    "LOG_GROUP": ("names", "log_group"),
    "EXECUTION_ROLE": ("names", "execution_role"),
    "TASK_ROLE": ("names", "task_role"),
    "DEPLOY_ROLE": ("names", "deploy_role"),
    "MIN_TASKS": ("tasks", "min"),
    "MAX_TASKS": ("tasks", "max"),
    "TASK_SUBNET_IDS": ("tasks", "subnets"),
    "ASSIGN_PUBLIC_IP": ("tasks", "public_ip"),
    "ROLLOUT_POLL": ("deploy", "poll_seconds"),
    "ROLLOUT_TIMEOUT": ("deploy", "timeout_seconds"),
    "GITHUB_REPO": ("github", "repository"),
    "GITHUB_ENVIRONMENT": ("github", "environment"),
    "GITHUB_SUBJECT": ("github", "subject"),
    "GITHUB_ISSUER": ("github", "issuer"),
    "DEPLOY_USER": ("github", "deploy_user"),
    "VPC_ID": ("network", "vpc"),
    "SUBNET_IDS": ("network", "subnets"),
    "DOMAIN_NAME": ("https", "domain"),
    "CERTIFICATE_ARN": ("https", "certificate"),
    "LOG_RETENTION_DAYS": ("logs", "retention_days"),
    "ALARM_TOPIC_ARN": ("alarms", "topic"),
    "BEDROCK_MODELS": ("permissions", "bedrock_models"),
    "S3_READ_BUCKETS": ("permissions", "s3_read_buckets"),
    "TRACING": ("permissions", "tracing"),
    "SECRETS_KMS_KEY_ARN": ("permissions", "secrets_key"),
}
LISTS = frozenset({"TASK_SUBNET_IDS", "SUBNET_IDS", "BEDROCK_MODELS", "S3_READ_BUCKETS"})
SWITCHES = {"ENABLED": True, "DISABLED": False}


def from_environment_file(text: str) -> dict[str, dict[str, Any]]:
    """The sections of the models, from lines such as NAME="value of $OTHER"."""
    variables: dict[str, str] = {}
    for line in text.splitlines():
        with suppress(ValueError):  # a line of the user's that is no assignment
            name, _, value = "".join(shlex.split(line, comments=True)[:1]).partition("=")
            variables[name] = Template(value).safe_substitute(variables)
    sections: dict[str, dict[str, Any]] = {}
    for name, (section, key) in ENVIRONMENT.items():
        if name in variables:
            sections.setdefault(section, {})[key] = as_value(name, variables[name])
    return sections


def as_value(name: str, text: str) -> Any:
    """A variable as the models want it: lists are comma separated in the file."""
    if name in LISTS:
        return [item.strip() for item in text.split(",") if item.strip()]
    return SWITCHES.get(text, text) if name == "ASSIGN_PUBLIC_IP" else text


def read(root: Path) -> Settings:
    """The settings of the service in a folder.

    Raises ToolError `settings-missing`, or `settings-wrong` with every complaint at once.
    """
    try:
        sections = from_environment_file((root / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MISSING() from None
    try:
        return Settings.model_validate(sections, context=identity(sections.get("service", {})))
    except ValidationError as wrong:
        complaints = "; ".join(complaint(error) for error in wrong.errors())
        raise WRONG(complaints=complaints) from None


def identity(section: dict[str, Any]) -> Identity | None:
    """What every ARN must repeat; None if the section `service` itself is wrong."""
    with suppress(ValidationError):
        service = Service.model_validate(section)
        return Identity(service.partition, service.region, service.account)
    return None


def assignment(section: str, key: str, value: str) -> str:
    """The line of the file that gives a setting a value."""
    [name] = [name for name, path in ENVIRONMENT.items() if path == (section, key)]
    return f'{name}="{value}"'


def complaint(error: ErrorDetails) -> str:
    """One error of pydantic: the variable, its value, and what is expected instead."""
    where = tuple(str(part) for part in error["loc"][:2])
    names = {".".join(path): name for name, path in ENVIRONMENT.items()}
    label = names.get(".".join(where), ".".join(where))
    if error["type"] == "missing":
        return f"{label} is missing"
    value = error["input"]
    shown = f"{label}={','.join(value) if isinstance(value, list) else value!r}"
    said = error["msg"].removeprefix("Value error, ")
    return f"{shown} {said}" if len(where) == 2 else said
