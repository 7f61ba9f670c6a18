"""What the load balancer answers to the world: the app of the task that serves, or that none does.

The app is played, for no container runs: it answers GET /health as app/main.py does, with the
commit that the image of the task says it was built from.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.core.request import Request

from simulator.deployments import Deployment
from simulator.ecs import Ecs
from simulator.images import Registry
from simulator.protocol import Answer
from simulator.service import World

Json = dict[str, Any]


@dataclass
class LoadBalancer:
    world: World
    ecs: Ecs
    registry: Registry

    def stands_at(self, host: str) -> bool:
        return any(found["DNSName"] == host for found in self._described())

    def serve(self, request: Request) -> Answer:
        """By the listener of plain HTTP."""
        (balancer,) = (b for b in self._described() if b["DNSName"] == request.host)
        asked = {"LoadBalancerArn": balancer["LoadBalancerArn"]}
        listeners = self.world.account.moto("elbv2", "DescribeListeners", asked)["Listeners"]
        (action,) = next(x["DefaultActions"] for x in listeners if x["Port"] == 80)
        if action["Type"] == "redirect":
            where = f"https://{request.host}:443{request.path}"
            return Answer(301, [("Location", where)], b"")
        serving = next(self._behind(action["TargetGroupArn"]), None)
        if not serving:
            page = b"<html><head><title>503 Service Temporarily Unavailable</title></head></html>"
            return Answer(503, [("Content-Type", "text/html")], page)
        if request.path != "/health":
            return Answer(404, [("Content-Type", "application/json")], b'{"detail":"Not Found"}')
        health = {"status": "ok", "commit": self._commit(serving)}
        return Answer(200, [("Content-Type", "application/json")], json.dumps(health).encode())

    def _described(self) -> list[Json]:
        found: list[Json] = self.world.account.moto("elbv2", "DescribeLoadBalancers")[
            "LoadBalancers"
        ]
        return found

    def _behind(self, target_group: str) -> Iterator[Deployment]:
        """Deployments with a task that has been healthy, newest first."""
        for service in self.ecs.services.values():
            for deployment in service.deployments:
                asked = deployment.target.get("targetGroupArn") == target_group
                if asked and deployment.has_served and deployment.count("RUNNING"):
                    yield deployment

    def _commit(self, deployment: Deployment) -> str:
        repository, _, digest = deployment.container["image"].split("/", 1)[1].partition("@")
        manifest, _ = self.registry.manifests[repository, digest]
        config = json.loads(self.registry.blobs[json.loads(manifest)["config"]["digest"]])
        values: dict[str, str] = dict(line.split("=", 1) for line in config["config"]["Env"])
        return values["COMMIT"]
