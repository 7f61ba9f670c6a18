"""The alarms of a service under test."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from tests.support.checkout import Checkout

if TYPE_CHECKING:
    from simulator.simulation import SimulatedAws

ERRORS = "ai-assistant-app-errors"
ENDING = ("app-errors", "load-balancer-errors", "slow-answers", "unhealthy-tasks")
OF_THE_STACK = [f"ai-assistant-{ending}" for ending in ENDING]


class InAccount(Protocol):
    """A service in the account of `aws`: a Checkout, or what the simulator's own tests serve."""

    @property
    def aws(self) -> "SimulatedAws": ...


def turn_on(checkout: Checkout) -> None:
    """Set [alarms] roll_back, in a new commit with an image."""
    checkout.set("alarms.roll_back", True)
    checkout.release("Let alarms end a deployment")


def put(service: InAccount, state: str, name: str = ERRORS) -> None:
    """Put an alarm into a state."""
    service.aws.client("cloudwatch").set_alarm_state(
        AlarmName=name, StateValue=state, StateReason="5 errors of 5"
    )


def goes_off(checkout: Checkout, name: str = ERRORS) -> Callable[[], None]:
    """A function that puts the alarm into ALARM, for a moment of the simulated AWS."""
    return lambda: put(checkout, "ALARM", name)


def delete(checkout: Checkout, name: str = ERRORS) -> None:
    checkout.aws.client("cloudwatch").delete_alarms(AlarmNames=[name])


def create(service: InAccount, name: str, *, periods: int = 1) -> None:
    """Create an alarm of the owner, in state OK."""
    service.aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=periods,
        MetricName="Orders",
        Namespace="Shop",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    put(service, "OK", name)
