"""ECS: services, their deployments and tasks are ours; clusters and task definitions are moto's.

moto has one deployment that never ends and no tasks of a service, and accepts task definitions that
Fargate would not run. Refusals and their wording are from the ECS API Reference and Developer
Guide, unless another source is named.
"""

from simulator.ecs.cluster_requests import ClusterRequests
from simulator.ecs.deployment_requests import DeploymentRequests
from simulator.ecs.service_requests import ServiceRequests
from simulator.ecs.task_requests import TaskRequests


class Ecs(ServiceRequests, TaskRequests, DeploymentRequests, ClusterRequests):
    """All services and tasks of one region."""
