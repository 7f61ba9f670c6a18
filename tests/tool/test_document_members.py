"""For every member of the API models: a document is sent as it is, derived from, or refused.

These tests walk the models of CreateService, UpdateService, RegisterTaskDefinition and
PutScalingPolicy, so a member that a newer botocore brings is tested as soon as it is installed. The
values are any that the models accept; whether AWS accepts their meaning is not tested here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from botocore.model import StructureShape
from infra.tool import (
    autoscaling_document,
    documents,
    scaling_items,
    service_document,
    service_request,
    settings_file,
)
from infra.tool.api_model import about_shape, input_shape, members
from infra.tool.revision import register_request
from infra.tool.settings import Settings
from infra.tool.stack import NEEDED_OUTPUTS, Stack

from tests.support.rendering import Render
from tests.support.shapes import variants

Json = dict[str, Any]
ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/ai-assistant-task:7"
OUTPUTS = dict.fromkeys(NEEDED_OUTPUTS, "from-the-stack") | {"AssignPublicIp": "ENABLED"}
STACK = Stack("ai-assistant", "CREATE_COMPLETE", OUTPUTS)

# Members that a deploy writes itself, with their values on a first deploy.
DERIVED = {
    "clientToken": "ai-assistant-task:7",
    "cluster": "ai-assistant-cluster",
    "desiredCount": 1,
    "serviceName": "ai-assistant-service",
    "taskDefinition": ARN,
    "loadBalancers": [
        {
            "targetGroupArn": "from-the-stack",
            "containerName": "ai-assistant-container",
            "containerPort": 8080,
        }
    ],
    "networkConfiguration": {
        "awsvpcConfiguration": {
            "subnets": ["from-the-stack"],
            "securityGroups": ["from-the-stack"],
            "assignPublicIp": "ENABLED",
        }
    },
}
# Members that only UpdateService has, and that a deploy writes too.
DERIVED_FOR_UPDATE = {"forceNewDeployment", "service"}
# Refused whatever the value is, and values that are refused of members that are sent otherwise.
REFUSED = ("placementConstraints", "placementStrategy", "role")
REFUSED_VALUES = (
    "capacityProviderStrategy",  # no value that is made from the model names a provider
    "deploymentConfiguration.canaryConfiguration",
    "deploymentConfiguration.linearConfiguration",
    "deploymentConfiguration.maximumPercent",  # 1 %, and at least 100 %, is none
    "deploymentConfiguration.strategy=BLUE_GREEN",
    "deploymentConfiguration.strategy=CANARY",
    "deploymentConfiguration.strategy=LINEAR",
    "deploymentController.type=CODE_DEPLOY",
    "deploymentController.type=EXTERNAL",
    "launchType=EC2",
    "launchType=EXTERNAL",
    "launchType=MANAGED_INSTANCES",
    "schedulingStrategy=DAEMON",
)
SPOT = {"capacityProvider": "FARGATE_SPOT", "weight": 1}
# An answer of DescribeServices with only the members that a service must have.
BARE = {"status": "ACTIVE", "desiredCount": 1, "launchType": "FARGATE"}


@cache
def shape_of(operation: str) -> StructureShape:
    shape = input_shape(operation)
    assert isinstance(shape, StructureShape)
    return shape


def walk(operation: str) -> Iterator[tuple[str, Any]]:
    """Each member at any depth, with a value for the member of the top that it is in."""
    for name, member in shape_of(operation).members.items():
        for path, value in variants(member):
            yield f"{name}{path}", value


def is_below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith((f"{root}.", f"{root}=")) for root in roots)


@pytest.fixture(scope="module")
def settings(example: Render) -> Settings:
    return settings_file.read(example.path)


@dataclass(frozen=True)
class ServiceDocuments:
    """The documents and the settings of a render."""

    settings: Settings
    document: Json
    task_definition: Json


@pytest.fixture(scope="module")
def service(example: Render, settings: Settings) -> ServiceDocuments:
    return ServiceDocuments(
        settings, example.json("infra/service.json"), example.json("infra/task-definition.json")
    )


def with_member(service: ServiceDocuments, name: str, value: Any) -> Json:
    changed = service.document | {name: value}
    if name == "capacityProviderStrategy":
        del changed["launchType"]
    return changed


def complaints(document: Json) -> str:
    return "; ".join(service_document.complaints(document))


def complaints_about_update(document: Json, running: Json) -> str:
    return "; ".join(service_document.complaints_about_update(document, running))


def common(service: ServiceDocuments, document: Json) -> Json:
    return service_request.common_request(
        document, service.task_definition, service.settings, STACK
    )


def create(service: ServiceDocuments, document: Json) -> Json:
    return service_request.create_request(common(service, document), ARN, service.settings)


def update(service: ServiceDocuments, document: Json, running: Json) -> Json:
    return service_request.update_request(
        common(service, document), ARN, service.settings, running, schedule_owns_count=False
    )


def test_the_service_of_a_render_is_sent_unchanged(service: ServiceDocuments) -> None:
    assert create(service, service.document) == service.document | DERIVED
    sent = service.document | DERIVED | {"service": DERIVED["serviceName"]}
    for only_new in "launchType", "clientToken", "desiredCount", "serviceName":
        del sent[only_new]
    assert update(service, service.document, BARE) == sent


@pytest.mark.parametrize("operation", ["CreateService", "UpdateService"])
def test_every_member_of_a_service_is_sent_or_refused_by_its_name(
    service: ServiceDocuments, operation: str
) -> None:
    """In both requests: a member is refused before it is known which request will be sent."""
    wrong = []
    refused_roots = (*DERIVED, *DERIVED_FOR_UPDATE, *REFUSED, *REFUSED_VALUES)
    for path, value in walk(operation):
        name = path.partition(".")[0].partition("=")[0]
        document = with_member(service, name, value)
        said = complaints(document)
        if is_below(path, refused_roots):
            if name not in said:
                wrong.append(f"{path} is refused, and the message does not name it: {said!r}")
        elif said:
            wrong.append(f"{path} is refused: {said}")
        elif create(service, document)[name] != value:
            wrong.append(f"{path} is not sent to CreateService as it is")
        elif name not in {*service_document.ONLY_NEW, *service_document.BY_OTHER_CALLS} and (
            update(service, document, BARE).get(name) != value
        ):
            wrong.append(f"{path} is not sent to UpdateService as it is")
        elif problems := [
            *about_shape("CreateService", create(service, document)),
            *about_shape("UpdateService", update(service, document, BARE)),
        ]:
            wrong.append(f"{path} makes a request that the model refuses: {problems}")
    assert not wrong, "\n".join(wrong)


def accepted(service: ServiceDocuments) -> Iterator[tuple[str, str, Any]]:
    """Each value that a new service may have: path, member and value."""
    for path, value in walk("CreateService"):
        name = path.partition(".")[0].partition("=")[0]
        if not complaints(with_member(service, name, value)):
            yield path, name, value


def answer(document: Json) -> Json:
    """The response of DescribeServices for a service that was created from a document."""
    deployed = ("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations")
    unknown = (*deployed, "gatewayConnectors", "monitoring")
    return (
        BARE
        | {key: value for key, value in document.items() if key not in unknown}
        | {
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
            "deploymentConfiguration": {
                "strategy": "ROLLING",
                "maximumPercent": 200,
                "minimumHealthyPercent": 100,
                "bakeTimeInMinutes": 0,
                "alarms": {"alarmNames": [], "enable": False, "rollback": False},
            }
            | document.get("deploymentConfiguration", {}),
            "deployments": [
                {
                    "status": "PRIMARY",
                    "launchType": "FARGATE",
                    **{key: document[key] for key in deployed if key in document},
                }
            ],
        }
    )


def test_a_service_can_be_updated_with_the_document_that_made_it(service: ServiceDocuments) -> None:
    wrong = []
    for path, name, value in accepted(service):
        document = with_member(service, name, value)
        if said := complaints_about_update(document, answer(document)):
            wrong.append(f"{path}: {said}")
    assert not wrong, "\n".join(wrong)


# Members whose absence keeps the value of the service, or that no response contains.
MAY_GO = (
    *("gatewayConnectors", "monitoring", "platformVersion", "tags"),
    *("launchType", "schedulingStrategy", "deploymentController.type=ECS"),
    "deploymentConfiguration.strategy=ROLLING",
    *("availabilityZoneRebalancing=ENABLED", "propagateTags=NONE"),
)


def is_off(value: Any) -> bool:
    """Whether a value is empty, or a structure that is not enabled."""
    if isinstance(value, dict) and {"enable", "enabled"} & value.keys():
        return not (value.get("enable") or value.get("enabled"))
    if isinstance(value, dict):
        return all(is_off(member) for member in value.values())
    return not value


def test_a_member_that_is_removed_is_refused_by_its_name_or_was_the_default(
    service: ServiceDocuments,
) -> None:
    wrong = []
    for path, name, value in accepted(service):
        running = answer(with_member(service, name, value))
        without = {key: member for key, member in service.document.items() if key != name}
        without.setdefault("launchType", "FARGATE")
        said = complaints_about_update(without, running)
        if (is_below(path, MAY_GO) or is_off(value)) == (name in said):
            wrong.append(f"{path} = {value}: {said!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("most", "found", "refused"),
    [
        (200, "ENABLED", False),
        (200, "DISABLED", True),
        (100, "DISABLED", False),
        (100, "ENABLED", True),
    ],
)
def test_the_default_of_rebalancing_depends_on_maximum_percent(
    service: ServiceDocuments, most: int, found: str, refused: bool
) -> None:
    configuration = {"maximumPercent": most, "minimumHealthyPercent": 50}
    document = service.document | {"deploymentConfiguration": configuration}
    del document["availabilityZoneRebalancing"]
    running = answer(document) | {"availabilityZoneRebalancing": found}
    said = complaints_about_update(document, running)
    assert ("availabilityZoneRebalancing" in said) == refused


def test_tags_may_differ_from_those_of_an_existing_service(service: ServiceDocuments) -> None:
    tags = [{"key": "team", "value": "a"}, {"key": "cost", "value": "b"}]
    assert not complaints_about_update(service.document | {"tags": tags}, BARE)
    assert not complaints_about_update(service.document, BARE | {"tags": tags})


def test_a_member_that_only_create_service_knows_is_refused_for_an_existing_service(
    service: ServiceDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a botocore whose UpdateService does not know the member yet."""
    known = members("UpdateService")
    monkeypatch.setattr(f"{service_document.__name__}.members", lambda _: known - {"monitoring"})
    document = service.document | {"monitoring": {}}
    assert "monitoring" in complaints_about_update(document, BARE)


@pytest.mark.parametrize(
    ("strategy", "word"),
    [
        ([], "weight above 0"),
        ([{"capacityProvider": "FARGATE_SPOT"}], "weight above 0"),
        ([{"capacityProvider": "my-instances", "weight": 1}], "my-instances"),
        ([SPOT] * 2, "twice"),
        ([SPOT | {"base": 1}, SPOT | {"base": 1, "capacityProvider": "FARGATE"}], "base for two"),
        ([{"weight": 1}], "capacityProvider"),
        ("FARGATE_SPOT", "capacityProviderStrategy"),
    ],
)  # fmt: skip
def test_a_strategy_of_capacity_providers_that_cannot_work_is_refused(
    service: ServiceDocuments, strategy: Any, word: str
) -> None:
    assert word in complaints(with_member(service, "capacityProviderStrategy", strategy))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"launchType": None}, "launchType"),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, "either"),
        ({"healthCheckGracePeriodSeconds": "60"}, "healthCheckGracePeriodSeconds"),
        ({"propagateTags": "ALL"}, "propagateTags is ALL"),
        ({"deploymentConfiguration": []}, "deploymentConfiguration"),
        ({"deploymentConfiguration": {"maximumPercentage": 200}}, "maximumPercentage"),
        ({"deploymentConfiguration": {"maximumPercent": 100}}, "neither more tasks nor fewer"),
        (
            {"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 50}},
            "availabilityZoneRebalancing",
        ),
        ({"somethingNew": 1}, "somethingNew"),
    ],
)
def test_a_value_that_ecs_would_refuse_is_refused(
    service: ServiceDocuments, change: Json, word: str
) -> None:
    assert word in complaints(service.document | change)


# --- the task definition ---

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/ai-assistant"
BUILT = f"{IMAGE}@sha256:{'0' * 64}"


def task_documents(service: ServiceDocuments) -> Iterator[tuple[str, Json]]:
    """The task definition with each member at any depth, in the container of the service and in a
    second one."""
    task = service.task_definition
    [own] = task["containerDefinitions"]
    for name, member in shape_of("RegisterTaskDefinition").members.items():
        for path, value in variants(member):
            if name == "containerDefinitions" and value:
                [container] = value
                yield f"own container {path}", task | {name: [own | without(container, own)]}
                other = container | {"name": "other"}
                yield f"other container {path}", task | {name: [own, other]}
            elif name == "runtimePlatform":
                yield f"{name}{path}", task | {name: task[name] | value}
            else:
                yield f"{name}{path}", task | {name: value}


def without(container: Json, own: Json) -> Json:
    """A container without the name, the image and the port, which the service's own has."""
    kept = {"name", "image", "portMappings"} & own.keys()
    return {key: value for key, value in container.items() if key not in kept}


# The name of the family, the execution role, no container, and other architectures have rules of
# their own.
TASK_REFUSED = (
    "family",
    "executionRoleArn",
    "containerDefinitions",
    "runtimePlatform.cpuArchitecture=ARM",
)


def test_every_member_of_a_task_definition_is_sent_or_refused_by_its_name(
    service: ServiceDocuments, settings: Settings
) -> None:
    wrong = []
    for path, document in task_documents(service):
        said = "; ".join(documents.about_task_definition(document, settings))
        if is_below(path, TASK_REFUSED):
            if not said:
                wrong.append(f"{path} is not refused")
            continue
        request = register_request(document, BUILT, "c0ffee", "hash")
        images = [
            container | ({"image": BUILT} if container.get("image") == IMAGE else {})
            for container in document["containerDefinitions"]
        ]
        tags = [{"key": "commit", "value": "c0ffee"}, {"key": "document", "value": "hash"}]
        derived = {"containerDefinitions": images, "tags": document.get("tags", []) + tags}
        if said:
            wrong.append(f"{path} is refused: {said}")
        elif request != document | derived:
            wrong.append(f"{path} is not sent as it is")
        elif problems := about_shape("RegisterTaskDefinition", request):
            wrong.append(f"{path} makes a request that the model refuses: {problems}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("image", "sent"),
    [
        (IMAGE, BUILT),
        (f"{IMAGE}:v1", f"{IMAGE}:v1"),
        (f"{IMAGE}@sha256:{'1' * 64}", f"{IMAGE}@sha256:{'1' * 64}"),
        (f"{IMAGE}-proxy", f"{IMAGE}-proxy"),
        ("public.ecr.aws/nginx/nginx", "public.ecr.aws/nginx/nginx"),
    ],
)
def test_each_container_with_the_image_of_the_service_gets_the_digest(
    service: ServiceDocuments, settings: Settings, image: str, sent: str
) -> None:
    own = service.task_definition["containerDefinitions"]
    other = {"name": "other", "image": image, "essential": False}
    document = service.task_definition | {
        "containerDefinitions": [*own, other, other | {"name": "a"}]
    }
    assert not [*documents.about_task_definition(document, settings)]
    request = register_request(document, BUILT, "c0ffee", "hash")
    assert [each["image"] for each in request["containerDefinitions"]] == [BUILT, sent, sent]


def test_every_member_of_a_scaling_policy_is_sent_or_refused_by_its_name(
    service: ServiceDocuments,
) -> None:
    """Each member of PutScalingPolicy is sent, or refused by its name."""
    del service
    wrong = []
    for path, value in walk("PutScalingPolicy"):
        name = path.partition(".")[0].partition("=")[0]
        kind = autoscaling_document.CONFIGURATIONS["StepScaling"]
        policy = {"PolicyName": "p", "PolicyType": "StepScaling", kind: {}} | {name: value}
        if name == "PolicyType":
            policy |= {autoscaling_document.CONFIGURATIONS[value]: walk_first(value)}
        said = "; ".join(autoscaling_document.complaints({"policies": [policy]}))
        refused = name in scaling_items.ADDED or path.endswith(
            "PredefinedMetricSpecification.ResourceLabel"
        )
        if refused != bool(said) or (
            refused and path.rpartition(".")[2].partition("=")[0] not in said
        ):
            wrong.append(f"{path}: {said!r}")
    assert not wrong, "\n".join(wrong)


def walk_first(kind: str) -> Any:
    """The first value of the configuration of a type of policy."""
    wanted = autoscaling_document.CONFIGURATIONS[kind]
    return next(value for path, value in walk("PutScalingPolicy") if path.startswith(wanted))
