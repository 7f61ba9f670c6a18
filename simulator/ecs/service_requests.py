"""The operations on services, and the tags of services."""

from typing import Any

from simulator import quotas
from simulator.ecs import capacity
from simulator.ecs.answers import as_list, as_table, no_such_service
from simulator.ecs.deployments import CAPACITY
from simulator.ecs.records import Records
from simulator.ecs.running_service import RunningService
from simulator.ecs.service_checks import invalid
from simulator.needs import last
from simulator.refusal import Refused

Json = dict[str, Any]

# A change of these members starts a deployment; of others it does not (UpdateService).
ROLLED_OUT = {
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
}
# Parameters of a request that are not settings of the service.
SAID_ONCE = {"clientToken", "cluster", "forceNewDeployment", "service", "serviceName", "tags"}


class ServiceRequests(Records):
    def create_service(self, parameters: Json) -> Json:
        cluster = self._cluster(parameters)
        name = parameters["serviceName"]
        there = self.services.get((cluster, name))
        token = parameters.get("clientToken", "")
        if there and there.status == "ACTIVE":
            if token and token == there.token:
                return {"service": there.described()}
            raise invalid("Creation of service was not idempotent.")
        if there and there.status == "DRAINING":
            raise invalid("Unable to Start a service that is still Draining.")
        revision, task_definition = self._revision(parameters["taskDefinition"])
        quotas.check_tags(parameters)
        self.checks.check_settings(parameters, task_definition)
        runs_on = capacity.of_new_service(parameters, self._providers(cluster))
        self.checks.check_service_role()
        shadow = {"cluster": cluster, "serviceName": name, "desiredCount": 0}
        # moto's Application Auto Scaling looks for the service in moto's ECS.
        self.moto("CreateService", shadow | {"taskDefinition": revision})
        settings = {key: value for key, value in parameters.items() if key not in SAID_ONCE}
        settings = without_capacity(settings) | runs_on
        service = RunningService(self, cluster, name, settings, self.clock.stamp(), token=token)
        service.tags = as_table(parameters.get("tags", []))
        self.services[cluster, name] = service
        service.roll_out(revision, task_definition, self._next_outcome())
        return {"service": service.described()}

    def update_service(self, parameters: Json) -> Json:
        service = self._service(parameters)
        if service.status != "ACTIVE":
            raise Refused("ServiceNotActiveException", "Service was not ACTIVE.")
        primary = service.primary
        assert primary, "an active service has a deployment"
        wanted = parameters.get("taskDefinition") or primary.revision
        revision, task_definition = self._revision(wanted)
        changes = {key: value for key, value in parameters.items() if key not in SAID_ONCE}
        if "deploymentConfiguration" in changes:
            # Members that a request leaves out stay: aws/copilot-cli#4565, about alarms.
            present = service.settings.get("deploymentConfiguration", {})
            changes["deploymentConfiguration"] = present | changes["deploymentConfiguration"]
        self.checks.check_settings(service.settings | changes, task_definition)
        runs_on = capacity.of_changed_service(
            service.capacity, parameters, self._providers(service.cluster)
        )
        is_new = revision != primary.revision or any(
            service.settings.get(key) != changes[key] for key in ROLLED_OUT & changes.keys()
        )
        service.settings = without_capacity(service.settings | changes) | runs_on
        if is_new or parameters.get("forceNewDeployment"):
            service.roll_out(revision, task_definition, self._next_outcome())
        else:
            service.scale()
        return {"service": service.described()}

    def delete_service(self, parameters: Json) -> Json:
        service = self._service(parameters)
        if service.status == "INACTIVE":
            raise no_such_service()
        if service.desired and not parameters.get("force"):
            raise invalid("The service cannot be stopped while it is scaled above 0.")
        service.settings["desiredCount"] = 0
        service.status = "DRAINING"
        where = {"cluster": service.cluster, "service": service.name}
        self.moto("DeleteService", where | {"force": True})
        return {"service": service.described()}

    def describe_services(self, parameters: Json) -> Json:
        cluster = self._cluster(parameters)
        found, missing = [], []
        for name in parameters["services"]:
            service = self.services.get((cluster, last(name)))
            if service:
                service.look()
                tags = as_list(service.tags) if "TAGS" in parameters.get("include", []) else []
                found.append(service.described() | ({"tags": tags} if tags else {}))
            else:
                arn = self.arn(f"service/{cluster}/{last(name)}")
                missing.append({"arn": arn, "reason": "MISSING"})
        return {"services": found, "failures": missing}

    def list_services(self, parameters: Json) -> Json:
        cluster = self._cluster(parameters)
        here = (service for service in self.services.values() if service.cluster == cluster)
        return {"serviceArns": [service.arn for service in here if service.status == "ACTIVE"]}

    def tag_resource(self, parameters: Json) -> Json:
        service = self._service_of_arn(parameters["resourceArn"])
        if service is None:
            return self.moto("TagResource", parameters)
        tags = service.tags | as_table(parameters["tags"])
        quotas.check_tags({"tags": as_list(tags)})
        service.tags = tags
        return {}

    def untag_resource(self, parameters: Json) -> Json:
        service = self._service_of_arn(parameters["resourceArn"])
        if service is None:
            return self.moto("UntagResource", parameters)
        gone = parameters["tagKeys"]
        service.tags = {key: value for key, value in service.tags.items() if key not in gone}
        return {}


def without_capacity(settings: Json) -> Json:
    return {key: value for key, value in settings.items() if key not in CAPACITY}
