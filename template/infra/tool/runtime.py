"""The clock, network and terminal of a command. `cli` makes the real ones, tests their own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.tool.aws import Aws
from infra.tool.clock import Clock
from infra.tool.console import Console
from infra.tool.health import Fetch


@dataclass(frozen=True)
class Runtime:
    root: Path  # of the service: the folder that holds infra/
    environment: Mapping[str, str]
    console: Console
    clock: Clock
    connect: Callable[[str], Aws]  # of a region; raises AwsError
    fetch: Fetch
    ask: Callable[[str], str]  # prints a prompt and reads a line: empty if the input has ended
    resolve: Callable[[str], frozenset[str]]  # the addresses of a host, none if it has none
