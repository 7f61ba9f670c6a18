"""A log group."""

from collections.abc import Mapping
from typing import Any

from simulator.cloudformation.resources.kind import Json, Kind, Wanted, lower


class LogGroup(Kind):
    type = "AWS::Logs::LogGroup"
    gone = ("ResourceNotFoundException",)

    def make(self, name: str, wanted: Wanted) -> str:
        name = wanted.take("LogGroupName").get("LogGroupName", name)
        key = wanted.take("KmsKeyId")
        self.aws("logs").create_log_group(logGroupName=name, **lower(key))
        return name

    def adjust(self, id: str, wanted: Wanted) -> None:
        if days := wanted.take_new("RetentionInDays"):
            self.aws("logs").put_retention_policy(logGroupName=id, **lower(days))
        if "KmsKeyId" in wanted.changed - wanted.taken:
            if key := wanted.take("KmsKeyId"):
                self.aws("logs").associate_kms_key(logGroupName=id, **lower(key))
            else:
                self.aws("logs").disassociate_kms_key(logGroupName=id)

    def attributes(self, id: str) -> Json:
        [found] = self.find(id)
        return {"Arn": found["arn"]}

    def find(self, id: str) -> list[Json]:
        groups = self.aws("logs").describe_log_groups(logGroupNamePrefix=id)["logGroups"]
        return [group for group in groups if group["logGroupName"] == id]

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("logs").delete_log_group(logGroupName=id)

    def look(self, id: str) -> bool:
        return self.find(id) != []
