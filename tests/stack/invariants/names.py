"""Names of resources: those of the settings, unique, not too long."""

import re

from tests.stack.invariants.invariant import invariant
from tests.stack.rendered_service import (
    RenderedService,
)
from tests.support.settings import value_of

LONGEST_APP = "x" * 24  # copier.yml takes no longer one
LONGEST_REGION = "ap-southeast-7"


@invariant
def names_are_those_of_the_settings(service: RenderedService) -> None:
    settings, resources = service.settings, service.stack().resources
    for name, key, setting in [
        ("Repository", "RepositoryName", "names.repository"),
        ("LogGroup", "LogGroupName", "names.log_group"),
        ("Cluster", "ClusterName", "names.cluster"),
        ("ExecutionRole", "RoleName", "names.execution_role"),
        ("TaskRole", "RoleName", "names.task_role"),
        ("DeployRole", "RoleName", "names.deploy_role"),
    ]:
        assert resources[name].properties[key] == value_of(settings, setting), f"{name}: {setting}"
    retention = resources["LogGroup"].properties["RetentionInDays"]
    assert retention == int(settings.logs.retention_days)


@invariant
def names_are_those_of_the_documents(service: RenderedService) -> None:
    stack, place = service.stack(), service.place
    names = {name: resource.properties for name, resource in stack.resources.items()}
    assert service.task["executionRoleArn"] == place.role(names["ExecutionRole"]["RoleName"])
    assert service.task["taskRoleArn"] == place.role(names["TaskRole"]["RoleName"])
    logs = service.container["logConfiguration"]["options"]
    assert logs["awslogs-group"] == names["LogGroup"]["LogGroupName"]
    assert service.container["image"].endswith(f"/{names['Repository']['RepositoryName']}")
    deploy = service.render.json("ops/iam-policy-github-actions.json")
    cluster = names["Cluster"]["ClusterName"]
    assert place.arn("ecs", f"task/{cluster}/*") in {
        resource for statement in deploy["Statement"] for resource in statement["Resource"]
    }


@invariant
def the_longest_names_are_not_too_long(service: RenderedService) -> None:
    app, region = service.settings.service.name, service.settings.service.region
    given = service.stack().given
    longest = {
        name: value.replace(region, LONGEST_REGION).replace(app, LONGEST_APP)
        for name, value in given.items()
    }
    resources = service.stack(**longest).resources
    for name in "LoadBalancer", "TargetGroup":
        title = resources[name].properties["Name"]
        assert len(title) <= 32, f"{name}: {title} is longer than 32 characters"
        assert re.fullmatch(r"(?!internal-)[a-z][a-z0-9-]*[a-z0-9]", title)
    for name in "ExecutionRole", "TaskRole", "DeployRole":
        title = resources[name].properties["RoleName"]
        assert len(title) <= 64, f"{name}: {title} is longer than 64 characters"


@invariant
def two_services_can_share_an_account(service: RenderedService) -> None:
    """Each name that must be unique in AWS is derived from a parameter."""
    renamed = {
        name: f"other-{value}"
        for name, value in service.stack().given.items()
        if name.endswith("Name") and value
    }
    ours, theirs = service.stack().resources, service.stack(**renamed).resources
    for name, resource in ours.items():
        for key, value in resource.properties.items():
            own = key in {"AlarmName", "ClusterName", "LogGroupName", "RepositoryName"}
            own |= key == "DashboardName" or (key == "Name" and "::Route53::" not in resource.type)
            if own or (key == "RoleName" and resource.type == "AWS::IAM::Role"):
                assert theirs[name].properties[key] != value, f"{name}: {key} is always {value}"
