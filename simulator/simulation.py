"""The interface for tests: clients and scripts to use, outcomes to choose, calls to inspect."""

from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import boto3

from simulator.account import Account
from simulator.application import Application
from simulator.calls import CallLog
from simulator.clock import Clock
from simulator.cloudformation.api import CloudFormation
from simulator.cloudformation.resource import Place
from simulator.cloudwatch import CloudWatch
from simulator.dns import Acm, Route53
from simulator.ecr import Ecr
from simulator.ecs.api import Ecs
from simulator.ecs.deployments import Outcome
from simulator.elbv2 import LoadBalancing
from simulator.faults import Faults
from simulator.hooks import Moments
from simulator.iam import Iam
from simulator.identity import Sts
from simulator.image_scans import Scans
from simulator.images import Registry
from simulator.load_balancer import LoadBalancer, Page
from simulator.logs import Logs
from simulator.principals import Principals
from simulator.s3 import S3
from simulator.scaling import Scaling
from simulator.scripts import Docker, Scripts
from simulator.security_groups import Ec2WithTasks
from simulator.server import Server
from simulator.service import Service, World
from simulator.session import session_of
from simulator.timing import BackOff, one_clock
from simulator.transport import through
from simulator.wafv2 import Waf


class SimulatedAws:
    """One account in one region. moto has one state for a process, so there is one at a time.

    Scripts find the real `aws` on their PATH. `docker` chooses their docker: "recorded" pushes
    small images without an engine, "real" uses the engine of this machine, None has no docker.
    """

    def __init__(
        self,
        *,
        account: str = "123456789012",
        region: str = "us-east-1",
        docker: Docker | None = "recorded",
        clock: Clock | None = None,
    ) -> None:
        self.account = Account(account, region, clock=clock or Clock())
        self.calls = CallLog()
        self.faults = Faults()
        self.moments = Moments()
        principals = Principals(self.account)
        self.world = World(self.account, principals, principals.root)
        self.ecs = Ecs(self.world)
        ecr = Ecr(self.world)
        self.route53 = Route53(self.world)
        self.acm = Acm(self.world, self.route53)
        self._clients: dict[str, Any] = {}
        self.services: dict[str, Any] = {
            "acm": self.acm,
            "application-autoscaling": Scaling(self.world),
            "cloudformation": self._cloudformation(),
            "cloudwatch": CloudWatch(self.world),
            "ec2": Ec2WithTasks(self.world, self.ecs),
            "ecr": ecr,
            "ecs": self.ecs,
            "elbv2": LoadBalancing(self.world),
            "iam": Iam(self.world),
            "logs": Logs(self.world),
            "route53": self.route53,
            "s3": S3(self.world),
            "sts": Sts(self.world),
            "wafv2": Waf(self.world),
        }
        self.registry = Registry(self.world, ecr, self.calls, self.faults)
        self.load_balancer = LoadBalancer(self.world, self.ecs, self.registry, self.route53)
        self.application = Application(
            self.world,
            self.calls,
            self.faults,
            self.moments,
            self.services,
            {"cloudformation": self._cloudformation(), "sts": self.services["sts"]},
        )
        server = Server(self.application, self.registry, self.load_balancer, self.clock)
        self.scripts = Scripts(server, region, docker)
        self.back_off = BackOff(self.clock.sleep)
        self._running = ExitStack()
        self.resets = 0

    def _cloudformation(self) -> CloudFormation:
        account = self.account
        place = Place(account.partition, account.region, account.id)
        return CloudFormation(self.client, account.clock, place)

    # --- start and end ---

    def start(self) -> Self:
        """Start neither a server nor a process: they start with the first script."""
        self.account.reset()
        self._running.enter_context(one_clock(self.clock, self.back_off))
        return self

    def stop(self) -> None:
        """Raises AssertionError if a call was not simulated."""
        self._running.close()
        self.scripts.stop()
        self.check()

    def check(self) -> None:
        """Raises AssertionError if a call was not simulated."""
        bugs = list(self.application.bugs)
        self.application.bugs.clear()
        assert not bugs, "the simulated AWS was at a loss:\n" + "\n".join(bugs)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        except AssertionError:
            if error is None:
                raise

    def reset(self) -> None:
        """Start again with a new account: no resources, no calls, no planned outcomes."""
        with self.application.lock:
            self.resets += 1
            self.account.reset()
            self.world.reset()
            self.world.principals.reset()
            self.calls.clear()
            self.faults.clear()
            self.moments.clear()
            self.back_off.takes_time = False
            self.registry.reset()
            self.load_balancer.reset()
            self.services["cloudformation"] = self._cloudformation()
            for service in self.services.values():
                if isinstance(service, Service):
                    service.reset()

    # --- for the tool, in process ---

    @property
    def clock(self) -> Clock:
        """The clock of AWS, which the tool gets too."""
        return self.account.clock

    def session(self, principal: str = "root", *, region: str = "") -> boto3.Session:
        """A session of a principal, named as for `environment`, whose clients open no socket.

        Its call log, faults, hooks and permissions are those of the HTTP server.
        """
        credentials = self.world.principals.credentials(principal)
        return session_of(credentials, region or self.account.region, self.application.handle)

    def fetch(self, url: str, *, timeout: float = 5, via: str = "") -> Page:
        """GET from a load balancer. Raises OSError if nothing answers."""
        with self.application.lock:
            return self.load_balancer.fetch(url, timeout=timeout, via=via)

    def resolve(self, host: str) -> frozenset[str]:
        """The IP addresses of a host; empty if it is no load balancer and no domain of one."""
        with self.application.lock:
            return self.load_balancer.addresses(host)

    # --- for scripts ---

    @property
    def address(self) -> str:
        """HOST:PORT of the HTTP server."""
        return self.scripts.server.address

    def environment(self, principal: str = "root") -> dict[str, str]:
        """The environment of a script that a principal runs: "root", "user/NAME" or "role/NAME".
        "nobody" has keys that IAM does not know. Retries are those of the AWS CLI, version 2.
        """
        return self.scripts.environment(self.world.principals.credentials(principal))

    # --- for tests ---

    def client(self, service: str) -> Any:
        """A botocore client of the root in this process, without call log and permissions."""
        if service not in self._clients:
            send = through(self.application.serve_inside)
            self._clients[service] = self.account.client(service, send)
        return self._clients[service]

    @property
    def cloudformation(self) -> CloudFormation:
        found = self.services["cloudformation"]
        assert isinstance(found, CloudFormation)
        return found

    @property
    def scans(self) -> Scans:
        """Of images."""
        return self.registry.ecr.scans

    def next_rollout(self, *outcomes: Outcome) -> None:
        """Set the outcomes of the next deployments, in order. Later ones reach steady state."""
        self.ecs.outcomes = list(outcomes)
