"""A target without an account: settings, a console in memory, and the clock of a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import boto3
from botocore.stub import Stubber
from infra.tool.aws import Aws
from infra.tool.console import Console
from infra.tool.health import Fetch, Response
from infra.tool.runtime import Runtime
from infra.tool.settings import Settings
from infra.tool.target import Target

from tests.support.answers import BEGIN


@dataclass
class Clock:
    """Only sleep moves it."""

    time: datetime = BEGIN

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def settings(**sections: Mapping[str, object]) -> Settings:
    """The settings of a render, with some of a section replaced."""
    usual: dict[str, dict[str, object]] = {
        "service": {
            "name": "ai-assistant",
            "account": "123456789012",
            "region": "us-east-1",
            "partition": "aws",
            "registry": "123456789012.dkr.ecr.us-east-1.amazonaws.com",
        },
        "tasks": {"min": "1", "max": "4"},
    }
    named = {name: usual.get(name, {}) | dict(values) for name, values in sections.items()}
    return Settings.model_validate(usual | named)


def answers_nothing(url: str, *, timeout: float, via: str = "") -> Response:  # noqa: ARG001
    raise OSError("no network in this test")


@dataclass
class Bench:
    """A target, and the output of its command."""

    target: Target
    clock: Clock
    stdout: StringIO = field(default_factory=StringIO)
    stderr: StringIO = field(default_factory=StringIO)

    @property
    def out(self) -> str:
        return self.stdout.getvalue()

    @property
    def err(self) -> str:
        return self.stderr.getvalue()


def bench(
    aws: Any = None,
    *,
    command: str = "deploy",
    environment: Mapping[str, str] | None = None,
    fetch: Fetch = answers_nothing,
    hosts: Mapping[str, Sequence[str]] | None = None,  # the addresses of each; else its own name
    **sections: Mapping[str, object],
) -> Bench:
    clock, out, err = Clock(), StringIO(), StringIO()
    runtime = Runtime(
        root=Path("/nowhere"),
        environment=environment or {},
        console=Console(environment or {}, out, err),
        clock=clock,
        connect=lambda _: aws,
        fetch=fetch,
        ask=lambda _: "",
        resolve=lambda host: frozenset((hosts or {}).get(host, [host])),
    )
    target = Target(runtime, command=command)
    vars(target)["settings"] = settings(**sections)
    return Bench(target, clock, out, err)


def stubbed(client: str) -> tuple[Aws, Stubber]:
    """An AWS in which one client, such as "ecs", returns only the responses of a test."""

    aws = Aws(boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret"), "us-east-1")
    stubber = Stubber(getattr(aws, client))
    stubber.activate()
    return aws, stubber
