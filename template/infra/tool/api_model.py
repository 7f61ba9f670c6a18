"""The models of the AWS API, as botocore has them: a request is checked without asking AWS."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator

Json = dict[str, Any]

# Operations of Application Auto Scaling that are checked here; all others are of ECS.
OF_SCALING = frozenset({"PutScalingPolicy", "PutScheduledAction"})


def about_shape(operation: str, request: Mapping[str, Any]) -> list[str]:
    """The complaints of the AWS API's model: unknown or missing members, wrong types, and values
    that are not in an enumeration."""
    shape = input_shape(operation)
    report = ParamValidator().validate(request, shape).generate_report().splitlines()
    # The rest is a list of all members, often very long.
    return [line.partition(", must be one of:")[0] for line in report] or [
        *about_enumerations(request, shape)
    ]


def about_enumerations(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """Complaints that botocore leaves to AWS. The value has the members and types of the shape."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            where = f"{path}.{name}" if path else name
            yield from about_enumerations(member, shape.members[name], where)
    elif isinstance(shape, ListShape):
        for index, item in enumerate(value):
            yield from about_enumerations(item, shape.member, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        for name, item in value.items():
            yield from about_enumerations(item, shape.value, f"{path}.{name}")
    elif (allowed := shape.metadata.get("enum")) and value not in allowed:
        yield f"{path} is {value}: it must be one of {', '.join(allowed)}"


def members(operation: str) -> frozenset[str]:
    """The names of all members that an operation takes."""
    shape = input_shape(operation)
    assert isinstance(shape, StructureShape)
    return frozenset(shape.members)


def input_shape(operation: str) -> Shape:
    """The input of an operation, as botocore's model describes it."""
    service = "application-autoscaling" if operation in OF_SCALING else "ecs"
    shape = service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return shape


@cache
def service_model(service: str) -> ServiceModel:
    return get_session().get_service_model(service)
