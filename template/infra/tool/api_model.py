"""The models of the AWS API, as botocore has them: a request is checked without asking AWS."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.model import Shape
from botocore.session import get_session
from botocore.validate import ParamValidator

Json = dict[str, Any]


def about_shape(operation: str, request: Mapping[str, Any]) -> Iterator[str]:
    """What the model of the AWS API refuses: unknown or missing members, wrong types."""
    report = ParamValidator().validate(request, input_shape(operation)).generate_report()
    for line in report.splitlines():
        yield line.partition(", must be one of:")[0]  # a list of all members, often very long


@cache
def input_shape(operation: str) -> Shape:
    """The input of an operation, as botocore's model describes it."""
    service = "application-autoscaling" if operation == "PutScalingPolicy" else "ecs"
    shape = get_session().get_service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return shape
