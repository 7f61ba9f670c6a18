"""docker: whether it answers, and how it builds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infra.tool import programs
from infra.tool.errors import Problem

MISSING = Problem(
    "docker-missing",
    "docker is not installed, or not on the PATH",
    "install Docker: https://docs.docker.com/get-docker/",
)
SILENT = Problem(
    "docker-silent",
    "docker does not answer: {why}",
    "start Docker Desktop, or: sudo systemctl start docker",
)
NO_BUILDX = Problem(
    "buildx-missing",
    "docker {version} builds with its plugin buildx, which is missing or broken",
    "install it: https://docs.docker.com/go/buildx/ (Debian, Ubuntu: docker-buildx)",
)
NO_BUILDER = Problem(
    "builder-missing",
    "the builder that docker is configured to use does not work: {why}",
    "choose another: docker buildx use default, and unset BUILDX_BUILDER",
)
OTHER_PLATFORM = Problem(
    "builder-platform",
    "the builder {builder} builds for {platforms}, but the service runs on {platform}",
    "install emulation: docker run --privileged --rm tonistiigi/binfmt --install all",
)

FIRST_WITH_BUILDX = 23  # earlier versions of docker have BuildKit built in


@dataclass(frozen=True)
class Docker:
    """The docker of this machine. Every method raises ToolError if it is not installed."""

    folder: Path  # its working directory: relative paths in its arguments start here
    environment: Mapping[str, str]

    def with_variables(self, **variables: str) -> "Docker":
        return replace(self, environment=dict(self.environment) | variables)

    def run(
        self,
        *words: str,
        standard_input: str | None = None,
        show: bool = False,
        timeout: float | None = None,
    ) -> programs.Done:
        """Run a docker command to its end, as programs.run does."""
        try:
            return programs.run(
                ["docker", *words],
                environment=self.environment,
                folder=self.folder,
                standard_input=standard_input,
                show=show,
                timeout=timeout,
            )
        except programs.NotInstalledError:
            raise MISSING() from None

    def versions(self) -> tuple[str, str]:
        """The versions of the client and of the daemon. Raises ToolError if it does not answer."""
        done = self.run("version", "--format", "{{.Client.Version}} {{.Server.Version}}")
        if done.returncode:
            raise SILENT(why=done.stderr)
        client, _, daemon = done.stdout.strip().partition(" ")
        return client, daemon

    def builder(self, client: str) -> "Builder":
        """The builder of a client of this version. Raises ToolError if there is none."""
        if self.run("buildx", "version").returncode:
            if major(client) >= FIRST_WITH_BUILDX:
                raise NO_BUILDX(version=client)
            return Builder("BuildKit", driver="built in", has_buildx=False)
        done = self.run("buildx", "inspect")
        if done.returncode:
            raise NO_BUILDER(why=done.stderr)
        return as_builder(done.stdout)


@dataclass(frozen=True)
class Builder:
    name: str
    driver: str  # such as docker or docker-container
    platforms: Sequence[str] = ()  # empty if unknown, as long as a builder is not started
    has_buildx: bool = True

    def require(self, platform: str) -> None:
        """Raises ToolError unless this builds for a platform, such as linux/arm64."""
        if self.platforms and platform not in self.platforms:
            shown = ", ".join(self.platforms)
            raise OTHER_PLATFORM(builder=self.name, platforms=shown, platform=platform)

    @property
    def command(self) -> Sequence[str]:
        """The words that build an image which docker can then run and push.

        --load, because a builder of driver docker-container keeps images to itself; with
        `buildx build --push` instead, test-image would have nothing to run.
        """
        return ["buildx", "build", "--load"] if self.has_buildx else ["build"]


def as_builder(inspected: str) -> Builder:
    """The builder that `docker buildx inspect` describes, with the platforms of all its nodes."""
    facts = re.findall(r"^(Name|Driver|Platforms):\s*(.*\S)", inspected, re.MULTILINE)
    first = dict(reversed(facts))  # the nodes have names too, below that of the builder
    listed = ",".join(value for name, value in facts if name == "Platforms")
    return Builder(
        first.get("Name", ""),
        first.get("Driver", ""),
        re.findall(r"[a-z0-9/]+", listed),
    )


def major(version: str) -> int:
    """The first number of a version; a version without one is new."""
    found = re.match(r"\d+", version)
    return int(found[0]) if found else FIRST_WITH_BUILDX
