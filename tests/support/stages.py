"""The stages of a service that tests begin at, and the account that has it there."""

from collections.abc import Callable
from pathlib import Path

from infra.tool import api_model
from infra.tool.aws import Aws

from simulator.simulation import SimulatedAws
from tests.support.checkout import Checkout
from tests.support.rendering import Render
from tests.support.stack_by_calls import provision
from tests.support.stage_fixtures import STAGES

Step = Callable[[Checkout], object]


class Account:
    """One account that moves from stage to stage, as tests need it."""

    def __init__(self, aws: SimulatedAws, render: Render, folder: Path) -> None:
        self.aws, self.render, self.folder = aws, render, folder
        self.stage = len(STAGES)
        self.prepared: Step | None = None  # what was done after that stage
        self.resets = -1  # another one means that another test has the account
        self.clones = 0

    def bring_to(self, stage: str, then: Step | None = None) -> Checkout:
        """A clone of the service for one test. `then` prepares the account for all that pass it."""
        wanted = STAGES.index(stage)
        is_past = self.stage > wanted or self.prepared not in (None, then)
        if is_past or self.resets != self.aws.resets:
            self.begin()
        way: list[Step] = [provision, deploy, deploy]
        steps = way[self.stage : wanted]
        if then and not self.prepared:
            steps.append(then)
        for step in steps:
            self.stage = len(STAGES)  # begin anew if the step fails
            step(self.checkout)
        self.stage, self.prepared = wanted, then
        self.aws.calls.clear()
        return self.checkout.copy(self.new_folder())

    def begin(self) -> None:
        self.aws.reset()
        self.resets = self.aws.resets
        self.checkout = Checkout.of(self.render, self.aws, self.new_folder())
        self.checkout.git("gc", "--quiet")  # a copy of it takes 13 ms of CPU, not 35 (2026-11-28)
        self.stage, self.prepared = 0, None

    def new_folder(self) -> Path:
        self.clones += 1
        return self.folder / str(self.clones)


def warm_up(aws: SimulatedAws) -> None:
    """Ask each service once: botocore and moto load much for it, and every fork of this process
    would load it again. A fork takes 0.4 s of CPU for a provision instead of 0.9 (2026-11-28)."""
    tool = Aws(aws.session(), aws.account.region)
    tool.cloudformation.describe_stacks()
    tool.cloudwatch.describe_alarms()
    tool.ec2.describe_vpcs()
    tool.ecr.describe_repositories()
    tool.ecs.list_clusters()
    tool.elbv2.describe_load_balancers()
    tool.iam.list_roles()
    tool.logs.describe_log_groups()
    tool.scaling.describe_scalable_targets(ServiceNamespace="ecs")
    tool.sts.get_caller_identity()
    for operation in "RegisterTaskDefinition", "PutScalingPolicy":
        api_model.members(operation)


def deploy(checkout: Checkout) -> None:
    checkout.release()
    checkout.run("deploy").expect(0)
