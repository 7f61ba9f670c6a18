"""The outcomes of the deployments of a service: "View service history using Amazon ECS service
deployments" (ECS Developer Guide)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from simulator.clock import Clock
from simulator.ecs.tasks import PLATFORM

Json = dict[str, Any]


class HistoryApi(Protocol):
    """The part of ECS that a history uses."""

    @property
    def clock(self) -> Clock: ...
    def arn(self, resource: str) -> str: ...


@dataclass
class ServiceHistory:
    ecs: HistoryApi
    where: str  # CLUSTER/SERVICE
    service_arn: str
    cluster_arn: str
    records: list[Json] = field(default_factory=list)  # service deployments, newest first
    revisions: dict[str, Json] = field(default_factory=dict)  # service revisions by ARN

    def __iter__(self) -> Iterator[Json]:
        return iter(self.records)

    def __getitem__(self, index: int) -> Json:
        return self.records[index]

    @property
    def in_progress(self) -> list[Json]:
        return [record for record in self.records if record["status"].endswith("IN_PROGRESS")]

    def begin(
        self, number: int, revision: str, created: datetime, settings: Json, configuration: Json
    ) -> Json:
        """Record a deployment of a revision of the task definition; the record."""
        arn = f"service-revision/{self.where}/{4_000_000_000_000_000_000 + number}"
        target = self.ecs.arn(arn)
        sources = [
            {"arn": done["targetServiceRevision"]["arn"]}
            for done in self.records[:1]
            if done["status"] == "SUCCESSFUL"
        ]
        self.revisions[target] = {
            "serviceRevisionArn": target,
            "serviceArn": self.service_arn,
            "clusterArn": self.cluster_arn,
            "taskDefinition": revision,
            "createdAt": created,
            **PLATFORM,
            **settings,
        }
        record = {
            "serviceDeploymentArn": self.ecs.arn(f"service-deployment/{self.where}/{number:021}"),
            "serviceArn": self.service_arn,
            "clusterArn": self.cluster_arn,
            "status": "IN_PROGRESS",
            "createdAt": created,
            "startedAt": created,
            "updatedAt": created,
            "sourceServiceRevisions": sources,
            "targetServiceRevision": {"arn": target},
            "deploymentConfiguration": configuration,
        }
        self.records.insert(0, record)
        return record

    def end(self, record: Json, status: str, reason: str = "") -> None:
        """Only once: a deployment that has ended stays as it is."""
        if record["status"] == "IN_PROGRESS":
            self._end(record, status, reason)

    def finish_rollbacks(self) -> None:
        for record in self.records:
            if record["status"] == "ROLLBACK_IN_PROGRESS":
                self._end(record, "ROLLBACK_SUCCESSFUL", record["rollback"]["reason"])

    def roll_back(self, failed: Json, reason: str, back: Json) -> None:
        failed |= {
            "status": "ROLLBACK_IN_PROGRESS",
            "statusReason": reason,
            "rollback": {
                "reason": reason,
                "startedAt": self.ecs.clock.stamp(),
                "serviceRevisionArn": back["targetServiceRevision"]["arn"],
            },
        }

    def _end(self, record: Json, status: str, reason: str) -> None:
        moment = self.ecs.clock.stamp()
        record |= {"status": status, "updatedAt": moment, "finishedAt": moment}
        if reason:
            record["statusReason"] = reason
