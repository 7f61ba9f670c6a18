"""Container Insights and the dashboard."""

from simulator.dashboards import complaints
from tests.stack.invariants.invariant import invariant
from tests.stack.rendered_service import RenderedService


@invariant
def the_cluster_has_container_insights_only_if_they_are_set(service: RenderedService) -> None:
    for stack in service.stacks:
        asked = stack.parameters["ContainerInsights"]
        expected = [{"Name": "containerInsights", "Value": asked}] if asked else None
        assert stack.resources["Cluster"].properties.get("ClusterSettings") == expected


@invariant
def cloudwatch_draws_all_of_the_dashboard(service: RenderedService) -> None:
    for stack in service.stacks:
        for dashboard in stack.of_type("AWS::CloudWatch::Dashboard"):
            body = dashboard.properties["DashboardBody"]
            assert [*complaints(body)] == []
            assert service.place.region in dashboard.properties["DashboardName"], (
                "dashboards of all regions share their names"
            )
