"""The operations on clusters that moto gets wrong."""

from typing import Any

from simulator.ecs.records import Records
from simulator.refusal import Refused

Json = dict[str, Any]


class ClusterRequests(Records):
    def delete_cluster(self, parameters: Json) -> Json:
        cluster = self._cluster(parameters)
        here = [service for service in self.services.values() if service.cluster == cluster]
        if any(service.status != "INACTIVE" for service in here):
            raise Refused(
                "ClusterContainsServicesException",
                "The Cluster cannot be deleted while Services are active.",
            )
        if any(task.status != "STOPPED" for service in here for task in service.tasks):
            raise Refused(
                "ClusterContainsTasksException",
                "The Cluster cannot be deleted while Tasks are active.",
            )
        return self.moto("DeleteCluster", parameters)

    def update_cluster_settings(self, parameters: Json) -> Json:
        """moto has only the operation that does more, UpdateCluster."""
        return self.moto("UpdateCluster", parameters)

    def put_cluster_capacity_providers(self, parameters: Json) -> Json:
        """A provider that tasks use cannot be removed (PutClusterCapacityProviders, API Reference).
        The words of the refusal are invented."""
        cluster = self._cluster(parameters)
        used = {
            item["capacityProvider"]
            for task in self.tasks
            if task.is_alive and task.deployment.service.cluster == cluster
            for item in task.deployment.settings.get("capacityProviderStrategy", [])
        }
        if left := sorted(used - {*parameters["capacityProviders"]}):
            raise Refused(
                "ResourceInUseException", f"The capacity providers {left} are in use by tasks."
            )
        return self.moto("PutClusterCapacityProviders", parameters)
