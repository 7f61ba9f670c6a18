"""The stages of a service that tests begin at. A conftest imports the fixtures and the hooks.

A test that asks for one runs in a fork of this process, so whatever it does to the account and to
the checkout is gone when the next one begins.
"""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
from infra.tool import api_model
from infra.tool.aws import Aws

from simulator.forked_copy import run_in_fork
from simulator.simulation import SimulatedAws
from tests.support.checkout import Checkout
from tests.support.rendering import Render
from tests.support.stack_by_calls import provision

Step = Callable[[Checkout], object]

STAGES = ("rendered", "provisioned", "deployed", "deployed_twice")


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


@pytest.fixture(scope="session")
def account(
    started_aws: SimulatedAws, example: Render, tmp_path_factory: pytest.TempPathFactory
) -> Account:
    warm_up(started_aws)
    return Account(started_aws, example, tmp_path_factory.mktemp("account"))


@pytest.fixture
def rendered(account: Account) -> Checkout:
    """A service without any resource in AWS."""
    return account.bring_to("rendered")


@pytest.fixture
def provisioned(account: Account) -> Checkout:
    """A service whose stack exists, and that was never deployed."""
    return account.bring_to("provisioned")


@pytest.fixture
def deployed(account: Account) -> Checkout:
    """A service that runs its first release."""
    return account.bring_to("deployed")


@pytest.fixture
def deployed_twice(account: Account) -> Checkout:
    """A service that runs its second release."""
    return account.bring_to("deployed_twice")


def order_by_stage(items: list[pytest.Item], folder: Path) -> None:
    """Within a file of the folder, the tests of earlier stages come first: the account is made
    once for all."""
    here = [item for item in items if item.path.is_relative_to(folder)]
    order = {item: number for number, item in enumerate(sorted(here, key=stage_of))}
    items.sort(key=lambda item: order.get(item, -1))


def stage_of(item: pytest.Item) -> tuple[str, int]:
    """Tests that prepare the account for themselves come last."""
    fixtures = set(getattr(item, "fixturenames", ()))
    stages = [number for number, name in enumerate(STAGES) if name in fixtures]
    return str(item.path), max(stages, default=len(STAGES) if "account" in fixtures else -1)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that begins at a stage in a fork."""
    if "account" not in pyfuncitem.fixturenames:
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    account = pyfuncitem.funcargs["account"]
    assert isinstance(account, Account)
    run_in_fork(account.aws, lambda: pyfuncitem.obj(**arguments))
    return True
