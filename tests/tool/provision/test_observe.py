"""`[observe]`: Container Insights and the dashboard, on and off while the service runs."""

import json
from typing import Any

import pytest
from infra.tool import console_page
from infra.tool.settings import Settings

from simulator import dashboards
from simulator.cloudformation.template_text import load
from tests.support.checkout import Checkout
from tests.support.targets import settings

# "CloudWatch metrics for your Application Load Balancer" (its user guide), "Amazon ECS CloudWatch
# metrics" and "Amazon ECS Container Insights metrics": what each metric is asked by.
OF_TARGETS = {"TargetGroup", "LoadBalancer"}
OF_SERVICE = {"ClusterName", "ServiceName"}
DIMENSIONS = {
    ("AWS/ApplicationELB", "RequestCount"): OF_TARGETS,
    ("AWS/ApplicationELB", "HTTPCode_Target_4XX_Count"): OF_TARGETS,
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"): OF_TARGETS,
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"): {"LoadBalancer"},
    ("AWS/ApplicationELB", "TargetResponseTime"): OF_TARGETS,
    ("AWS/ApplicationELB", "HealthyHostCount"): OF_TARGETS,
    ("AWS/ApplicationELB", "UnHealthyHostCount"): OF_TARGETS,
    ("AWS/ECS", "CPUUtilization"): OF_SERVICE,
    ("AWS/ECS", "MemoryUtilization"): OF_SERVICE,
    ("ECS/ContainerInsights", "DeploymentCount"): OF_SERVICE,
    ("ECS/ContainerInsights", "DesiredTaskCount"): OF_SERVICE,
    ("ECS/ContainerInsights", "RunningTaskCount"): OF_SERVICE,
}


def container_insights(checkout: Checkout) -> str:
    [found] = checkout.aws.client("ecs").describe_clusters(
        clusters=[checkout.settings.names.cluster], include=["SETTINGS"]
    )["clusters"]
    [setting] = found["settings"]
    assert setting["name"] == "containerInsights"
    return str(setting["value"])


def dashboard_names(checkout: Checkout) -> list[str]:
    found = checkout.aws.client("cloudwatch").list_dashboards()["DashboardEntries"]
    return [each["DashboardName"] for each in found]


def widgets(checkout: Checkout) -> dict[str, dict[str, Any]]:
    """The properties of each, by its title."""
    body = checkout.aws.client("cloudwatch").get_dashboard(DashboardName="ai-assistant-us-east-1")
    found = json.loads(body["DashboardBody"])["widgets"]
    return {each["properties"]["title"]: each["properties"] for each in found}


def drawn(properties: dict[str, Any]) -> list[tuple[str, str, dict[str, str], Any]]:
    """Namespace, name, dimensions and statistic of each line of a graph."""
    return [
        (namespace, name, dimensions, rendering.get("stat", properties.get("stat")))
        for namespace, name, dimensions, rendering in dashboards.metrics(properties)
    ]


# --- Container Insights ---


def test_an_empty_setting_leaves_the_cluster_to_the_default_of_the_account(
    running: Checkout,
) -> None:
    run = running.administer("provision").expect(0)
    assert "nothing to change" in run.out
    stack = load((running.folder / "infra" / "stack.yml").read_text("utf-8"))
    assert "Default" in stack["Parameters"]["ContainerInsights"]


@pytest.mark.parametrize("value", ["enabled", "enhanced", "disabled"])
def test_container_insights_are_turned_on_for_a_running_service(
    running: Checkout, value: str
) -> None:
    running.set("observe.container_insights", value)
    run = running.administer("provision").expect(0)
    assert container_insights(running) == value
    assert "to replace" not in run.out
    assert running.ecs_service["runningCount"] == 1


def test_container_insights_that_were_on_are_off_when_the_setting_is_empty(
    running: Checkout,
) -> None:
    """AWS does not document whether a cluster drops a setting that the template no longer has."""
    for value, now in (("enabled", "enabled"), ("", "disabled"), ("", "disabled")):
        running.set("observe.container_insights", value)
        running.administer("provision").expect(0)
        assert container_insights(running) == now


def test_a_new_stack_has_container_insights_from_the_start(new: Checkout) -> None:
    new.set("observe.container_insights", "enhanced")
    run = new.administer("provision").expect(0)
    assert container_insights(new) == "enhanced"
    assert "Container Insights without the metrics of each task $3" in run.out


# --- the dashboard ---


def test_the_dashboard_shows_the_graphs_that_matter(running: Checkout) -> None:
    running.set("observe.dashboard", True)
    run = running.administer("provision").expect(0)
    assert "the dashboard $3" in run.out
    found = widgets(running)
    assert [*found] == [
        "Requests a minute",
        "Errors a minute",
        "Latency in seconds",
        "CPU and memory in percent",
        "Tasks",
    ]
    assert [stat for *_, stat in drawn(found["Latency in seconds"])] == ["p50", "p99"]
    assert {each["region"] for each in found.values()} == {"us-east-1"}


def test_each_metric_is_asked_for_this_service_by_its_dimensions(running: Checkout) -> None:
    running.set("observe.dashboard", True)
    running.set("observe.container_insights", "enabled")
    running.administer("provision").expect(0)
    alarms = running.aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="ai-assistant-")
    ours = {"ClusterName": "ai-assistant-cluster", "ServiceName": "ai-assistant-service"}
    for alarm in alarms["MetricAlarms"]:
        ours |= {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    lines = [line for each in widgets(running).values() for line in drawn(each)]
    for namespace, name, dimensions, _ in lines:
        assert dimensions.keys() == DIMENSIONS[namespace, name], name
        assert dimensions.items() <= ours.items(), "those that the alarms have"
    assert {(namespace, name) for namespace, name, *_ in lines} == DIMENSIONS.keys()


def test_each_metric_of_an_alarm_is_in_a_graph(running: Checkout) -> None:
    running.set("observe.dashboard", True)
    running.administer("provision").expect(0)
    alarms = running.aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="ai-assistant-")
    names = {name for each in widgets(running).values() for _, name, *_ in drawn(each)}
    assert {alarm["MetricName"] for alarm in alarms["MetricAlarms"]} <= names


@pytest.mark.parametrize(("insights", "counted"), [("", False), ("disabled", False)])
def test_deployments_are_counted_by_container_insights_alone(
    running: Checkout, insights: str, counted: bool
) -> None:
    running.set("observe.dashboard", True)
    running.set("observe.container_insights", insights)
    running.administer("provision").expect(0)
    assert ("Deployments" in widgets(running)) == counted
    running.set("observe.container_insights", "enhanced")
    running.administer("provision").expect(0)
    assert "Deployments" in widgets(running)


def test_the_status_links_to_the_dashboard(running: Checkout) -> None:
    assert json.loads(running.run("status", "--json").out)["dashboard"] is None
    assert "dashboard" not in running.run("status").expect(0).out
    running.set("observe.dashboard", True)
    running.administer("provision").expect(0)
    url = json.loads(running.run("status", "--json").expect(0).out)["dashboard"]
    assert url == (
        "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
        "#dashboards/dashboard/ai-assistant-us-east-1"
    )
    assert f"dashboard   {url}" in running.run("status").expect(0).out


def test_turning_the_dashboard_off_removes_nothing_else(running: Checkout) -> None:
    running.set("observe.dashboard", True)
    running.administer("provision").expect(0)
    assert dashboard_names(running) == ["ai-assistant-us-east-1"]
    running.set("observe.dashboard", False)
    run = running.administer("provision").expect(0)
    assert "stack       ai-assistant: 1 to remove" in run.out
    assert dashboard_names(running) == []


def test_a_dashboard_of_that_name_is_not_overwritten(running: Checkout) -> None:
    running.aws.client("cloudwatch").put_dashboard(
        DashboardName="ai-assistant-us-east-1", DashboardBody='{"widgets": []}'
    )
    running.set("observe.dashboard", True)
    run = running.administer("provision").expect(2, "change-set-failed")
    assert "already exists" in run.err


def in_partition(partition: str, region: str, ending: str = "") -> Settings:
    account = "123456789012"
    registry = f"{account}.dkr.ecr.{region}.amazonaws.com{ending}"
    place = {"partition": partition, "region": region, "registry": registry}
    return settings(service=place)


@pytest.mark.parametrize(
    ("partition", "region", "ending", "begins"),
    [
        ("aws", "eu-west-1", "", "https://eu-west-1.console.aws.amazon.com/"),
        ("aws-cn", "cn-north-1", ".cn", "https://console.amazonaws.cn/"),
        ("aws-us-gov", "us-gov-west-1", "", "https://console.amazonaws-us-gov.com/"),
    ],
)
def test_the_console_is_that_of_the_partition(
    partition: str, region: str, ending: str, begins: str
) -> None:
    service = in_partition(partition, region, ending).service
    url = console_page.dashboard(service, "a")
    assert url == f"{begins}cloudwatch/home?region={region}#dashboards/dashboard/a"
