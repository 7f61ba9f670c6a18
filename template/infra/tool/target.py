"""The service that a command works on: its settings, and a connection to its account."""

from dataclasses import dataclass
from functools import cached_property

from infra.tool import settings_file
from infra.tool.aws import Aws
from infra.tool.repository import Repository
from infra.tool.runtime import Runtime
from infra.tool.settings import Settings


@dataclass
class Target:
    """Settings and connection are read and opened once, when a command first needs them."""

    runtime: Runtime

    @cached_property
    def settings(self) -> Settings:
        return settings_file.read(self.runtime.root)

    @cached_property
    def aws(self) -> Aws:
        return self.runtime.connect(self.settings.service.region)

    @property
    def repository(self) -> Repository:
        return Repository(self.runtime.root, self.runtime.environment)

    @property
    def has_changed_aws(self) -> bool:
        """Whether a call of this command changed something in AWS, or may have."""
        return "aws" in vars(self) and bool(self.aws.changes)
