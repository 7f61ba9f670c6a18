"""Checks of documents against the rules of AWS: its API model, cfn-lint, and rules beyond them."""

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator

from simulator.ecs.fargate import complaints

LIST_TASKS = "RESOURCE_STAR - ['ecs:ListTasks']"
DELETE_ALARMS = (
    "UNKNOWN_CONDITION_FOR_ACTION - Unknown condition cloudwatch:AlarmActions for action "
    "cloudwatch:DeleteAlarms"
)
TAG_SERVICE = tuple(
    f"UNKNOWN_CONDITION_FOR_ACTION - Unknown condition ecs:task-definition for action ecs:{action}"
    for action in ("TagResource", "UntagResource")
)


@cache
def input_shape(service: str, operation: str) -> Shape:
    """The input of an AWS operation, such as ("ecs", "RegisterTaskDefinition")."""
    shape = get_session().get_service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return shape


def api_findings(service: str, operation: str, document: Mapping[str, Any]) -> list[str]:
    """Findings of the API model: unknown or missing keys, wrong types, values outside an enum."""
    shape = input_shape(service, operation)
    report = ParamValidator().validate(document, shape).generate_report()
    return [*report.splitlines(), *enum_findings(document, shape)]


def enum_findings(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """botocore's own validation leaves out enums."""
    if isinstance(shape, StructureShape):
        for key, member in value.items():
            if key in shape.members:
                yield from enum_findings(member, shape.members[key], f"{path}.{key}")
    elif isinstance(shape, ListShape):
        for index, member in enumerate(value):
            yield from enum_findings(member, shape.member, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        for key, member in value.items():
            yield from enum_findings(member, shape.value, f"{path}.{key}")
    elif (enum := getattr(shape, "enum", [])) and value not in enum:
        yield f"{path}: {value!r} is not one of {', '.join(enum)}"


def as_cloudformation(value: Any, shape: Shape) -> Any:
    """The same document as properties of a CloudFormation resource: keys begin with a capital."""
    if isinstance(shape, StructureShape):
        return {
            key[0].upper() + key[1:]: as_cloudformation(member, shape.members[key])
            for key, member in value.items()
        }
    if isinstance(shape, ListShape):
        return [as_cloudformation(member, shape.member) for member in value]
    return value


def cfn_lint(resources: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, list[str]]:
    """The findings of cfn-lint for each resource, by its logical name. One run, because it starts
    slowly."""
    stack = folder / "resources.json"
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
    stack.write_text(json.dumps(template, ensure_ascii=False), encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", "--format", "json", "--", stack],
        capture_output=True,
        text=True,
    )
    found: dict[str, list[str]] = {name: [] for name in resources}
    for finding in json.loads(done.stdout):
        _, name, *_ = finding["Location"]["Path"]
        found[name].append(f"{finding['Rule']['Id']}: {finding['Message']}")
    return found


def task_findings(tasks: Mapping[str, Any], folder: Path) -> dict[str, list[str]]:
    """All findings for each of some task definitions, by their alphanumeric names."""
    call = "ecs", "RegisterTaskDefinition"
    found = {name: api_findings(*call, task) for name, task in tasks.items()}
    # A document of another shape would only break the checks that follow.
    well_formed = {name: task for name, task in tasks.items() if not found[name]}
    resources = {
        name: {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": as_cloudformation(task, input_shape(*call)),
        }
        for name, task in well_formed.items()
    }
    linted = cfn_lint(resources, folder)
    return found | {name: [*complaints(task), *linted[name]] for name, task in well_formed.items()}


def policy_findings(policy: Mapping[str, Any]) -> list[str]:
    """The findings of parliament for an IAM policy."""
    with warnings.catch_warnings(action="ignore"):  # its own imports are deprecated
        import parliament
    return [
        str(finding) for finding in parliament.analyze_policy_string(json.dumps(policy)).findings
    ]


def unexpected(findings: list[str]) -> list[str]:
    """The findings of parliament without those that are wrong.

    ECS authorizes a list of a whole cluster's tasks on `*`, with the cluster as condition.

    parliament follows the service authorization reference, which names container instances only;
    with those alone the call is denied: widdix/complete-aws-iam-reference#74,
    cdklabs/construct-hub#1207.

    Deleting an alarm has no actions of alarms, so there ForAllValues holds; tagging a service has
    no task definition, so there IfExists holds. Statements of their own would say the same, and not
    fit into the 5,120 characters of a group.
    """
    wrong = LIST_TASKS, DELETE_ALARMS, *TAG_SERVICE
    return [finding for finding in findings if not finding.startswith(wrong)]


def lifecycle_findings(policy: Mapping[str, Any]) -> Iterator[str]:
    """Violations of ECR's rules for lifecycle policies ("Lifecycle policy parameters" in its user
    guide)."""
    rules = policy["rules"]
    priorities = [rule["rulePriority"] for rule in rules]
    if len(set(priorities)) < len(priorities):
        yield "two rules have one priority"
    for rule in rules:
        number, selection = rule["rulePriority"], rule["selection"]
        since = selection["countType"] == "sinceImagePushed"
        if since != (selection.get("countUnit") == "days"):
            yield f"rule {number}: countUnit is days with sinceImagePushed, and absent without"
        if not (isinstance(selection["countNumber"], int) and selection["countNumber"] > 0):
            yield f"rule {number}: countNumber is a whole number above 0"
        if (selection["tagStatus"] == "tagged") != (
            "tagPrefixList" in selection or "tagPatternList" in selection
        ):
            yield f"rule {number}: a list of tags goes with tagStatus tagged, and with no other"
        if selection["tagStatus"] == "any" and number != max(priorities):
            yield f"rule {number}: a rule for any image has the highest priority number"
        if rule["action"] != {"type": "expire"}:
            yield f"rule {number}: expire is the only action"
