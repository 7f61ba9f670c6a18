"""Every list is read to its end: boto3 returns one page, unlike the AWS CLI."""

import ast
from collections.abc import Iterator
from pathlib import Path

import boto3
from infra.tool import aws as tool_aws

from tests.support.rendering import ROOT

TOOL = ROOT / "template" / "infra" / "tool"
CLIENTS = (
    *("application-autoscaling", "cloudformation", "cloudwatch", "ec2", "ecr", "ecs", "elbv2"),
    *("iam", "kms", "logs", "route53", "s3", "sts", "wafv2"),
)
TOKENS = {"nextToken", "NextToken", "Marker", "NextMarker"}

# Operations whose answer can have more pages, and why one page is enough.
ONE_PAGE = {
    "describe_images": "asks for one image",
    "describe_load_balancers": "asks for one by its name",
    "describe_repositories": "asks for one by its name",
    "describe_scalable_targets": "asks for one by its id",
    "describe_log_streams": "one is enough to know that the log group has lines",
    "describe_stack_events": "the latest 100 are enough, and there may be thousands",
    "describe_stacks": "asks for one by its name",
    "describe_vpcs": "a region has one default VPC at most",
    "list_resource_record_sets": "asks for the 300 records from one name on: a name has few",
    "list_service_deployments": "boto3 has no paginator: history.py has a loop",
}


def paged() -> dict[str, list[str]]:
    """By operation, as a method of a client: the clients in which its answer can have pages."""
    found: dict[str, list[str]] = {}
    for name in CLIENTS:
        client = boto3.client(name, region_name="us-east-1")  # type: ignore[call-overload]
        for method, operation in client.meta.method_to_api_mapping.items():
            answer = client.meta.service_model.operation_model(operation).output_shape
            if client.can_paginate(method) or (answer and TOKENS & answer.members.keys()):
                found.setdefault(method, []).append(name)
    return found


def methods_called(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


def test_every_client_of_the_tool_is_known_here() -> None:
    text = Path(tool_aws.__file__).read_text(encoding="utf-8")
    asked = {
        node.args[0].value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "client"
        and isinstance(node.args[0], ast.Constant)
    }
    assert asked == set(CLIENTS)


def test_operations_with_pages_are_read_by_a_paginator() -> None:
    operations, called = paged(), set[str]()
    for path in sorted(TOOL.rglob("*.py")):
        methods = set(methods_called(path)) & operations.keys()
        called |= methods
        wrong = sorted(methods - ONE_PAGE.keys())
        assert wrong == [], f"{path.relative_to(ROOT)}: read all pages: get_paginator({wrong})"
    assert called == ONE_PAGE.keys(), "name no operation here that the tool does not call"
