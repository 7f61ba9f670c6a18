"""CloudWatch: its dashboards; alarms are moto's."""

from typing import Any

from simulator import dashboards
from simulator.refusal import Refused
from simulator.service import Service, World

Json = dict[str, Any]


class CloudWatch(Service):
    """moto takes any body of a dashboard, and no tags of one (PutDashboard and TagResource, API
    Reference)."""

    name = "cloudwatch"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        self.tags: dict[str, dict[str, str]] = {}  # by the ARN of a dashboard

    def put_dashboard(self, parameters: Json) -> Json:
        if wrong := [*dashboards.complaints(parameters["DashboardBody"])]:
            raise Refused("InvalidParameterInput", "; ".join(wrong))
        return self.moto("PutDashboard", parameters)

    def tag_resource(self, parameters: Json) -> Json:
        arn = parameters["ResourceARN"]
        if ":dashboard/" not in arn:
            return self.moto("TagResource", parameters)
        self.tags.setdefault(arn, {}).update(
            {each["Key"]: each["Value"] for each in parameters["Tags"]}
        )
        return {}

    def untag_resource(self, parameters: Json) -> Json:
        arn = parameters["ResourceARN"]
        if ":dashboard/" not in arn:
            return self.moto("UntagResource", parameters)
        for key in parameters["TagKeys"]:
            self.tags.get(arn, {}).pop(key, None)
        return {}

    def list_tags_for_resource(self, parameters: Json) -> Json:
        arn = parameters["ResourceARN"]
        if ":dashboard/" not in arn:
            return self.moto("ListTagsForResource", parameters)
        found = self.tags.get(arn, {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in found.items()]}
