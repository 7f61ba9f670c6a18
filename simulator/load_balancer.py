"""The load balancer's answers to clients: those of the app of a healthy task, or an error.

No container runs, so the app is simulated: it answers GET /health as app/main.py does, with the
commit in the label of the task's image.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from errno import ECONNREFUSED
from ipaddress import ip_address, ip_network
from socket import EAI_NONAME, gaierror
from ssl import SSLCertVerificationError
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from moto.core.request import Request

from simulator.dns import Route53
from simulator.ecs.api import Ecs
from simulator.ecs.deployments import Deployment
from simulator.images import Registry
from simulator.protocol import Answer
from simulator.service import World

Json = dict[str, Any]


OUTSIDE = "198.51.100.7"  # an address on the internet (RFC 5737 keeps it for examples)
PRIVATE = ip_network("10.0.0.0/8")


class Page(NamedTuple):
    """An answer over HTTP."""

    status: int
    body: bytes


@dataclass
class LoadBalancer:
    world: World
    ecs: Ecs
    registry: Registry
    route53: Route53
    # Domain names outside of Route 53, and the DNSName of the load balancer that each points to.
    # Each has a certificate.
    records: dict[str, str] = field(default_factory=dict)
    asked_from: str = OUTSIDE  # a private address is one in the VPC

    def reset(self) -> None:
        self.records.clear()
        self.asked_from = OUTSIDE

    def stands_at(self, host: str) -> bool:
        return self._find(host) is not None

    def fetch(self, url: str, *, timeout: float, via: str = "") -> Page:
        """GET a URL from `asked_from`, without following redirects.

        `via` is a host to connect to instead of the URL's own.

        Raises what a socket raises: gaierror for a name that leads to no load balancer,
        TimeoutError if the network or a security group lets nothing in,
        ConnectionRefusedError if no listener has the port, SSLCertVerificationError for HTTPS by
        the load balancer's own name, for which no certificate is issued.
        """
        asked = urlsplit(url)
        host = asked.hostname or ""
        balancer = self._find(via or host)
        if not balancer:
            raise gaierror(EAI_NONAME, "Name or service not known")
        port = asked.port or {"http": 80, "https": 443}[asked.scheme]
        if not self._lets_in(balancer, port):
            self.world.account.clock.sleep(timeout)
            raise TimeoutError("timed out")
        listener = self._listener(balancer, port)
        if not listener:
            raise ConnectionRefusedError(ECONNREFUSED, "Connection refused")
        if listener["Protocol"] == "HTTPS" and host == balancer["DNSName"]:
            why = f"Hostname mismatch, certificate is not valid for '{host}'."
            raise SSLCertVerificationError(f"certificate verify failed: {why}")
        answer = self._answer(listener, host, asked.path)
        return Page(answer.status, answer.body)

    def serve(self, request: Request) -> Answer:
        """The answer of the HTTP listener to a request that has reached it."""
        balancer = self._find(request.host)
        assert balancer, f"no load balancer is called {request.host}"
        listener = self._listener(balancer, 80)
        assert listener, f"{request.host} does not listen to port 80"
        return self._answer(listener, request.host, request.path)

    def addresses(self, host: str) -> frozenset[str]:
        """The IP addresses of a name: one for each load balancer."""
        balancer = self._find(host)
        return frozenset({f"address of {balancer['DNSName']}"} if balancer else ())

    def _answer(self, listener: Json, host: str, path: str) -> Answer:
        (action,) = listener["DefaultActions"]
        if action["Type"] == "redirect":
            return Answer(301, [("Location", f"https://{host}:443{path}")], b"")
        serving = next(self._behind(action["TargetGroupArn"]), None)
        if not serving:
            page = b"<html><head><title>503 Service Temporarily Unavailable</title></head></html>"
            return Answer(503, [("Content-Type", "text/html")], page)
        if path != "/health":
            return Answer(404, [("Content-Type", "application/json")], b'{"detail":"Not Found"}')
        health = {"status": "ok", "commit": self._commit(serving)}
        return Answer(200, [("Content-Type", "application/json")], json.dumps(health).encode())

    def _find(self, host: str) -> Json | None:
        names = {host, *self._aliases(host)}
        if host in self.records:
            names = {self.records[host]}
        return next((found for found in self._described() if found["DNSName"] in names), None)

    def _aliases(self, host: str) -> Iterator[str]:
        """The target of the name in public zones of Route 53."""
        for record in self.route53.lookup(host, "A"):
            if "AliasTarget" in record:
                yield record["AliasTarget"]["DNSName"].removesuffix(".")

    def _listener(self, balancer: Json, port: int) -> Json | None:
        asked = {"LoadBalancerArn": balancer["LoadBalancerArn"]}
        listeners = self.world.account.moto("elbv2", "DescribeListeners", asked)["Listeners"]
        return next((found for found in listeners if found["Port"] == port), None)

    def _lets_in(self, balancer: Json, port: int) -> bool:
        """An internal load balancer has private addresses, to which only its VPC has a route."""
        here = ip_address(self.asked_from)
        if balancer.get("Scheme") == "internal" and here not in PRIVATE:
            return False
        ids = balancer["SecurityGroups"]
        if not ids:  # moto attaches none by default
            return True
        asked = {"GroupIds": ids}
        groups = self.world.account.moto("ec2", "DescribeSecurityGroups", asked)["SecurityGroups"]
        rules = (rule for group in groups for rule in group["IpPermissions"])
        return any(
            rule["IpProtocol"] == "-1" or rule["FromPort"] <= port <= rule["ToPort"]
            for rule in rules
            if any(here in ip_network(source) for source in self._sources(rule))
        )

    def _sources(self, rule: Json) -> Iterator[str]:
        """The address ranges of a rule, those of its prefix lists too."""
        yield from (each["CidrIp"] for each in rule["IpRanges"])
        yield from (each["CidrIpv6"] for each in rule.get("Ipv6Ranges", []))
        for each in rule.get("PrefixListIds", []):
            asked = {"PrefixListId": each["PrefixListId"]}
            found = self.world.account.moto("ec2", "GetManagedPrefixListEntries", asked)["Entries"]
            yield from (entry["Cidr"] for entry in found)

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
        manifest = json.loads(self.registry.manifests[repository, digest][0])
        if "manifests" in manifest:  # an index: its images are of one commit
            digest = manifest["manifests"][0]["digest"]
            manifest = json.loads(self.registry.manifests[repository, digest][0])
        config = json.loads(self.registry.blobs[manifest["config"]["digest"]])
        values: dict[str, str] = dict(line.split("=", 1) for line in config["config"]["Env"])
        return values["COMMIT"]
