"""The door: start it, point scripts and clients at it, say what shall happen, see what did."""

import os
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Literal, Self

from simulator.account import Account, through
from simulator.calls import CallLog
from simulator.cloudformation import CloudFormation
from simulator.ecs import Ecs
from simulator.faults import Faults
from simulator.identity import Sts
from simulator.images import Ecr, Registry
from simulator.load_balancer import LoadBalancer
from simulator.moments import Moments
from simulator.principals import ROOT_KEY, ROOT_SECRET, Principals
from simulator.programs import put_program, python
from simulator.rollouts import Outcome
from simulator.service import Service, World
from simulator.strictness import Ec2, Iam, LoadBalancing, Logs, Scaling
from simulator.template import Place
from simulator.warm_aws import WarmAws
from simulator.wire import Wire

CLIENT = Path(__file__).with_name("warm_client.py")
CURL = 'exec "$0" --connect-to "::$SIMULATED_REGISTRY" "$@"'
DOCKER = Path(__file__).with_name("docker_client.py")


class SimulatedAws:
    """One account in one region. moto has one state for a process, so there is one at a time.

    `aws` is what scripts find on their PATH: the real command ("plain"), or the same code in a
    process that is kept warm ("warm"). `docker` likewise: "recorded" pushes small images without an
    engine, "real" hands on to the engine of this machine, and None is no docker at all.
    """

    def __init__(
        self,
        *,
        account: str = "123456789012",
        region: str = "us-east-1",
        aws: Literal["plain", "warm"] = "warm",
        docker: Literal["recorded", "real"] | None = "recorded",
    ) -> None:
        self.account = Account(account, region)
        self.calls = CallLog()
        self.faults = Faults()
        self.moments = Moments()
        principals = Principals(self.account)
        self.world = World(self.account, principals, principals.root)
        self.ecs = Ecs(self.world)
        ecr = Ecr(self.world)
        self._clients: dict[str, Any] = {}
        self.services: dict[str, Any] = {
            "application-autoscaling": Scaling(self.world),
            "cloudformation": self._cloudformation(),
            "ec2": Ec2(self.world),
            "ecr": ecr,
            "ecs": self.ecs,
            "elbv2": LoadBalancing(self.world),
            "iam": Iam(self.world),
            "logs": Logs(self.world),
            "sts": Sts(self.world),
        }
        self.registry = Registry(self.world, ecr, self.calls, self.faults)
        balancer = LoadBalancer(self.world, self.ecs, self.registry)
        self.wire = Wire(
            self.world,
            self.calls,
            self.faults,
            self.moments,
            self.services,
            {"cloudformation": self._cloudformation(), "sts": self.services["sts"]},
            self.registry,
            balancer,
        )
        self._aws, self._docker = aws, docker
        self._warm: WarmAws | None = None

    def _cloudformation(self) -> CloudFormation:
        account = self.account
        place = Place(account.partition, account.region, account.id)
        return CloudFormation(self.client, account.clock, place)

    # --- from start to end ---

    def start(self) -> Self:
        self.folder = Path(mkdtemp(prefix="simulated-aws-"))
        self.account.reset()
        self.wire.start()
        self._fill_bin()
        return self

    def stop(self) -> None:
        """Raises AssertionError where the simulation itself was at a loss."""
        self.wire.stop()
        if self._warm:
            self._warm.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.check()

    def check(self) -> None:
        """Raises AssertionError where the simulation itself was at a loss."""
        bugs, self.wire.bugs = self.wire.bugs, []
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
        """A brand-new account: nothing in it, nothing asked, nothing to come."""
        with self.wire.lock:
            self.account.reset()
            self.world.principals.reset()
            self.calls.clear()
            self.faults.clear()
            self.moments.clear()
            self.registry.reset()
            self.services["cloudformation"] = self._cloudformation()
            for service in self.services.values():
                if isinstance(service, Service):
                    service.reset()

    # --- for scripts ---

    @property
    def url(self) -> str:
        return f"http://{self.wire.address}"

    def environment(self, principal: str = "root", *, cli: int = 1) -> dict[str, str]:
        """The environment of a script that a principal runs: "root", "user/NAME" or "role/NAME".
        That of "nobody" has keys that nobody was given.

        `cli` is the version whose way to write times is wanted. Retries are those of version 2.
        """
        config = self.folder / f"config-{cli}"
        form = "iso8601" if cli == 2 else "none"
        config.write_text(f"[default]\ncli_timestamp_format = {form}\n")
        return self._credentials(principal) | {
            "AWS_CONFIG_FILE": str(config),
            "AWS_DEFAULT_REGION": self.account.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_PAGER": "",
            "AWS_RETRY_MODE": "standard",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "SIMULATED_REGISTRY": self.wire.address,
        }

    def _credentials(self, principal: str) -> dict[str, str]:
        kind, _, name = principal.partition("/")
        if kind == "root":
            return {"AWS_ACCESS_KEY_ID": ROOT_KEY, "AWS_SECRET_ACCESS_KEY": ROOT_SECRET}
        if kind == "nobody":
            return {"AWS_ACCESS_KEY_ID": "AKIANOBODY0000000000", "AWS_SECRET_ACCESS_KEY": "none"}
        if kind == "user":
            made = self.account.moto("iam", "CreateAccessKey", {"UserName": name})["AccessKey"]
            return {
                "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
            }
        assert kind == "role", f"{principal} is no root, user/NAME or role/NAME"
        credentials = self.world.principals.session(name, "test")
        return {
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret,
            "AWS_SESSION_TOKEN": credentials.token,
        }

    def _fill_bin(self) -> None:
        """What scripts find first on their PATH: nothing there talks to the world outside."""
        bin = self.folder / "bin"
        bin.mkdir()
        curl = shutil.which("curl")
        assert curl, "curl is missing: apt-get install curl"
        # Every host is the simulation: a load balancer of it, or nobody.
        put_program(bin / "curl", "/bin/sh", "-c", CURL, curl)
        if self._aws == "warm":
            self._warm = WarmAws(self.folder / "warm")
            put_program(bin / "aws", *python(CLIENT), str(self._warm.socket))
            self._warm.wait()
        else:
            real = Path(sys.executable).with_name("aws")
            assert real.exists(), "aws is missing: uv sync"
            (bin / "aws").symlink_to(real)
        if self._docker == "recorded":
            put_program(bin / "docker", *python(DOCKER), "recorded")
        elif self._docker == "real":
            docker = shutil.which("docker")
            assert docker, "docker is missing: install it, or ask for docker='recorded'"
            put_program(bin / "docker", *python(DOCKER), "real", docker)
            self._lend_plugins()

    def _lend_plugins(self) -> None:
        """docker keeps those of a person beside the passwords, which are not lent."""
        given = os.environ.get("DOCKER_CONFIG")
        own = (Path(given) if given else Path.home() / ".docker") / "cli-plugins"
        folder = self.folder / "docker"
        folder.mkdir()
        if own.is_dir():
            (folder / "cli-plugins").symlink_to(own)

    # --- for tests ---

    def client(self, service: str) -> Any:
        """A botocore client of the root's, within this process: not logged, and never refused."""
        if service not in self._clients:
            transport = through(self.wire.serve_inside)
            self._clients[service] = self.account.client(service, transport)
        return self._clients[service]

    @property
    def cloudformation(self) -> CloudFormation:
        found = self.services["cloudformation"]
        assert isinstance(found, CloudFormation)
        return found

    def next_rollout(self, *outcomes: Outcome) -> None:
        """What becomes of the next deployments, in their order; of any others that they serve."""
        self.ecs.outcomes = list(outcomes)
