"""A cluster."""

from collections.abc import Mapping
from typing import Any

from simulator.cloudformation.resources.kind import Kind, Wanted, lower


class Cluster(Kind):
    type = "AWS::ECS::Cluster"
    gone = ("ClusterNotFoundException",)

    def make(self, name: str, wanted: Wanted) -> str:
        name = wanted.take("ClusterName").get("ClusterName", name)
        self.aws("ecs").create_cluster(clusterName=name)
        return name

    def settings(self, id: str, wanted: Wanted) -> None:
        """Whether an update that leaves the settings out resets them is not documented."""
        for settings in wanted.take_new("ClusterSettings").values():
            self.aws("ecs").update_cluster_settings(cluster=id, settings=lower(settings))

    def adjust(self, id: str, wanted: Wanted) -> None:
        """One call sets both members; [] is no default strategy (PutClusterCapacityProviders)."""
        self.settings(id, wanted)
        if "CapacityProviders" in wanted.changed:
            providers = wanted.take("CapacityProviders").get("CapacityProviders", [])
            self.aws("ecs").put_cluster_capacity_providers(
                cluster=id, capacityProviders=providers, defaultCapacityProviderStrategy=[]
            )

    def delete(self, id: str, properties: Mapping[str, Any]) -> None:
        del properties
        self.aws("ecs").delete_cluster(cluster=id)

    def look(self, id: str) -> bool:
        found = self.aws("ecs").describe_clusters(clusters=[id])["clusters"]
        return any(cluster["status"] == "ACTIVE" for cluster in found)
