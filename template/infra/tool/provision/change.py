"""The change of each resource in a change set, and the request for one. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from infra.tool.errors import Problem
from infra.tool.provision import change_details
from infra.tool.provision.stack_state import StackState
from infra.tool.service_names import Names
from infra.tool.settings import GITHUB_ISSUER
from infra.tool.text import one_line

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import (
        ChangeTypeDef,
        CreateChangeSetInputTypeDef,
        DescribeChangeSetOutputTypeDef,
        OperationEventTypeDef,
    )

TEMPLATE = Problem(
    "template-names",
    "infra/stack.yml has {count} lines `{line}`, but needs exactly one: CloudFormation imports an "
    "existing resource only if its name is written into the template",
    "restore the line: git diff infra/stack.yml shows what changed",
)

# In the place of a value that is not known before the change set is executed.
NOT_KNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"
NOTHING = ("didn't contain changes", "No updates are to be performed")


class Action(Enum):
    """The words of a plan for an action."""

    ADD = "add"
    CHANGE = "change"
    REPLACE = "replace"
    MAY_REPLACE = "change or replace"
    REMOVE = "remove"
    IMPORT = "take over"


@dataclass(frozen=True)
class Change:
    action: str  # of Action, or the word of CloudFormation for another one
    resource: str  # its logical id
    type: str
    id: str = ""  # its physical id; empty if it does not exist yet
    causes: tuple[str, ...] = ()  # the properties for which it is, or may be, replaced
    before: Mapping[str, Any] = field(default_factory=dict)  # its properties; empty if unknown
    after: Mapping[str, Any] = field(default_factory=dict)
    changed: tuple[str, ...] = ()  # the properties that may change


class Status(Enum):
    """The type of a change set."""

    WAITING = "not ready yet"
    READY = "ready"
    EMPTY = "nothing to change"
    FAILED = "failed"


def request(
    name: str,
    names: Names,
    template: str,
    parameters: Mapping[str, str],
    stack: StackState | None,
    issuer: str = GITHUB_ISSUER,
    tags: Mapping[str, str] | None = None,
) -> "CreateChangeSetInputTypeDef":
    """The request of CreateChangeSet. Raises ToolError if a name is not in the template.

    CloudFormation passes the tags of a stack on to its resources. Without the member `Tags` they
    stay as they are, and with an empty one they go (UpdateStack, API Reference).
    """
    sent: CreateChangeSetInputTypeDef = {
        "StackName": names.stack,
        "ChangeSetName": name,
        "ClientToken": name,  # by it, CloudFormation recognises a request that is repeated
        "ChangeSetType": "CREATE" if stack is None or stack.is_only_planned else "UPDATE",
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "ImportExistingResources": True,
        "TemplateBody": with_issuer(with_names(template, names), issuer),
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
    }
    if tags or (stack and stack.tags):
        sent["Tags"] = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    return sent


def with_names(template: str, names: Names) -> str:
    """The template with two names written out, because CloudFormation imports only resources
    whose names are not references."""
    for key, name in (("RepositoryName", names.repository), ("LogGroupName", names.log_group)):
        line = f"      {key}: !Ref {key}\n"
        if (count := template.count(line)) != 1:
            raise TEMPLATE(count=count, line=line)
        template = template.replace(line, f"      {key}: {name}\n")
    return template


def with_issuer(template: str, issuer: str) -> str:
    """The template with another issuer of tokens in the trust of the deploy role, because
    CloudFormation accepts no reference in the name of a condition."""
    return template.replace(GITHUB_ISSUER, issuer)


def status(answer: "DescribeChangeSetOutputTypeDef") -> Status:
    if answer["Status"] == "CREATE_COMPLETE":
        return Status.READY
    if answer["Status"] != "FAILED":
        return Status.WAITING
    reason = answer.get("StatusReason", "")
    return Status.EMPTY if any(text in reason for text in NOTHING) else Status.FAILED


def changes(answers: Iterable["ChangeTypeDef"]) -> list[Change]:
    """The changes in the answers of DescribeChangeSet."""
    found = [answer["ResourceChange"] for answer in answers if "ResourceChange" in answer]
    return [
        Change(
            action(each),
            each.get("LogicalResourceId", ""),
            each.get("ResourceType", ""),
            each.get("PhysicalResourceId", ""),
            change_details.causes(each),
            properties(each.get("BeforeContext", "")),
            properties(each.get("AfterContext", "")),
            change_details.changed(each),
        )
        for each in change_details.in_effect(found)
    ]


def properties(context: str) -> Mapping[str, Any]:
    """The properties in BeforeContext or AfterContext; empty if CloudFormation omits it."""
    try:
        found = json.loads(context or "{}").get("Properties", {})
    except (ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def action(change: Mapping[str, Any]) -> str:
    if change["Action"] == "Modify":
        kinds = {"True": Action.REPLACE, "Conditional": Action.MAY_REPLACE}
        return kinds.get(change.get("Replacement", ""), Action.CHANGE).value
    kinds = {"Add": Action.ADD, "Remove": Action.REMOVE, "Import": Action.IMPORT}
    return kinds[change["Action"]].value if change["Action"] in kinds else str(change["Action"])


def summary(changes: Sequence[Change]) -> str:
    """The number of resources for each action."""
    counts = Counter(change.action for change in changes)
    return ", ".join(f"{counts[word]} to {word}" for word in sorted(counts)) or "nothing to change"


def takes_over(changes: Iterable[Change], resource: str) -> bool:
    return any(
        change.resource == resource and change.action == Action.IMPORT.value for change in changes
    )


def not_valid(events: Iterable["OperationEventTypeDef"]) -> str:
    """The first error of CloudFormation's validation before it begins; empty if it has none."""
    for event in events:
        if event.get("EventType") == "VALIDATION_ERROR":
            reason = one_line(event.get("ValidationStatusReason", ""))
            text = f"{event.get('LogicalResourceId', '')}: {reason}"
            if text.endswith("already exists."):
                text += " Delete that, or choose another name in infra/settings.toml"
            return text
    return ""
