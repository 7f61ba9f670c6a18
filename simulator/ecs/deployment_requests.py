"""The operations on service deployments, and on the revisions that they roll out."""

from typing import Any

from simulator.ecs.answers import found_and_missing, page
from simulator.ecs.records import Records
from simulator.refusal import Refused

Json = dict[str, Any]


class DeploymentRequests(Records):
    def list_service_deployments(self, parameters: Json) -> Json:
        """Newest first. AWS lists 90 days; the simulation lists all."""
        service = self._service(parameters)
        wanted = parameters.get("status")
        brief = (
            "serviceDeploymentArn",
            "serviceArn",
            "clusterArn",
            "startedAt",
            "createdAt",
            "finishedAt",
            "status",
            "statusReason",
        )
        found = [
            {key: record[key] for key in brief if key in record}
            | {"targetServiceRevisionArn": record["targetServiceRevision"]["arn"]}
            for record in service.history
            if not wanted or record["status"] in wanted
        ]
        return page(parameters, "serviceDeployments", found, size=20)

    def describe_service_deployments(self, parameters: Json) -> Json:
        known = {
            record["serviceDeploymentArn"]: record
            for service in self.services.values()
            for record in service.history
        }
        return found_and_missing(parameters["serviceDeploymentArns"], known, "serviceDeployments")

    def continue_service_deployment(self, parameters: Json) -> Json:
        arn = parameters["serviceDeploymentArn"]
        for service in self.services.values():
            for deployment in service.deployments:
                if deployment.record["serviceDeploymentArn"] == arn:
                    action = parameters.get("action", "CONTINUE")
                    deployment.pauses.answer(parameters["hookId"], action)
                    return {"serviceDeploymentArn": arn}
        raise Refused("ServiceDeploymentNotFoundException", "Service deployment not found.")

    def describe_service_revisions(self, parameters: Json) -> Json:
        known = {
            arn: revision
            for service in self.services.values()
            for arn, revision in service.history.revisions.items()
        }
        return found_and_missing(parameters["serviceRevisionArns"], known, "serviceRevisions")
