"""The state of a service in the simulated AWS, read without moving a deployment forward."""

import json
from pathlib import Path
from typing import Any

from infra.tool import settings_file
from infra.tool.settings import Settings

from simulator.ecs.deployments import Deployment
from simulator.ecs.running_service import RunningService
from simulator.simulation import SimulatedAws

Json = dict[str, Any]


class ServiceState:
    aws: SimulatedAws
    folder: Path  # of the service

    @property
    def settings(self) -> Settings:
        return settings_file.read(self.folder)

    @property
    def deploy_role(self) -> str:
        """The name of the deploy role, as a principal of the simulated AWS."""
        return f"role/{self.settings.names.deploy_role}"

    # --- the ECS service ---

    @property
    def _kept(self) -> RunningService:
        """The service as the simulation stores it."""
        names = self.settings.names
        return self.aws.ecs.services[names.cluster, names.service]

    @property
    def ecs_service(self) -> Json:
        """The service as DescribeServices returns it."""
        return self._kept.described()

    @property
    def ecs_deployment(self) -> Deployment:
        """The PRIMARY deployment of the service, as the simulation stores it."""
        primary = self._kept.primary
        assert primary, "the service has no deployment"
        return primary

    @property
    def has_failed(self) -> bool:
        """Whether ECS has given up the latest deployment, if there is one."""
        names = self.settings.names
        service = self.aws.ecs.services.get((names.cluster, names.service))
        ended = {"STOPPED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"}
        return service is not None and service.history[0]["status"] in ended

    @property
    def revision(self) -> str:
        """FAMILY:N of the PRIMARY deployment."""
        return str(self.ecs_service["taskDefinition"]).rpartition("/")[2]

    @property
    def revisions(self) -> list[str]:
        """Every revision that was registered."""
        arns = self.aws.client("ecs").list_task_definitions()["taskDefinitionArns"]
        return [arn.rpartition("/")[2] for arn in arns]

    # --- its images ---

    @property
    def images(self) -> dict[str, str]:
        """The digest of each commit that was pushed to its repository."""
        found = self.aws.client("ecr").describe_images(
            repositoryName=self.settings.names.repository
        )
        return {
            tag: image["imageDigest"]
            for image in found["imageDetails"]
            for tag in image.get("imageTags", [])
            if not tag.startswith("deployed-")
        }

    # --- its stack: each call moves an operation of CloudFormation forward ---

    @property
    def stack_status(self) -> str:
        """Empty if the stack does not exist."""
        return str(self._stack.get("StackStatus", ""))

    @property
    def stack_outputs(self) -> dict[str, str]:
        return {each["OutputKey"]: each["OutputValue"] for each in self._stack.get("Outputs", [])}

    @property
    def _stack(self) -> Json:
        name = self.settings.names.stack
        found = self.aws.client("cloudformation").describe_stacks()["Stacks"]
        return next((stack for stack in found if stack["StackName"] == name), {})

    def wait_for_stack(self) -> str:
        """Wait until the operation of CloudFormation has ended. Returns the status of the stack."""
        while (status := self.stack_status).endswith("_IN_PROGRESS"):
            if status == "REVIEW_IN_PROGRESS":  # a change set waits to be executed
                break
        return status

    def stack_is(self, status: str) -> None:
        """Put the stack in a state."""
        name = self.settings.names.stack
        [stack] = [each for each in self.aws.cloudformation.stacks.values() if each.name == name]
        stack.status = status

    # --- its URL ---

    @property
    def commit_served(self) -> str:
        """The commit that the URL answers with; empty if none answers."""
        url = self.stack_outputs.get("Url")
        if not url:
            return ""
        try:
            page = self.aws.fetch(f"{url}/health")
        except OSError:
            return ""
        return str(json.loads(page.body)["commit"]) if page.status == 200 else ""
