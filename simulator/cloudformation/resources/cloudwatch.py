"""Alarms and dashboards."""

from collections.abc import Mapping
from typing import Any

from simulator.cloudformation.resources.kind import Kind, Wanted


class Alarm(Kind):
    type = "AWS::CloudWatch::Alarm"
    gone = ("ResourceNotFound",)

    def make(self, name: str, wanted: Wanted) -> str:
        return str(wanted.properties.get("AlarmName", name))

    def adjust(self, id: str, wanted: Wanted) -> None:
        if wanted.changed:
            self.aws("cloudwatch").put_metric_alarm(**{"AlarmName": id} | wanted.take_all())

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("cloudwatch").delete_alarms(AlarmNames=[id])

    def look(self, id: str) -> bool:
        return bool(self.aws("cloudwatch").describe_alarms(AlarmNames=[id])["MetricAlarms"])


class Dashboard(Kind):
    type = "AWS::CloudWatch::Dashboard"
    gone = ("DashboardNotFoundError", "ResourceNotFound")

    def make(self, name: str, wanted: Wanted) -> str:
        return str(wanted.take("DashboardName").get("DashboardName", name))

    def adjust(self, id: str, wanted: Wanted) -> None:
        for body in wanted.take_new("DashboardBody").values():
            self.aws("cloudwatch").put_dashboard(DashboardName=id, DashboardBody=body)

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("cloudwatch").delete_dashboards(DashboardNames=[id])

    def look(self, id: str) -> bool:
        found = self.aws("cloudwatch").list_dashboards(DashboardNamePrefix=id)["DashboardEntries"]
        return any(each["DashboardName"] == id for each in found)
